"""AD-NeRF's and the region-saliency portrait's rays, frames and learning, against the official way.

AD-NeRF's official way: 64 samples of every ray by one field of the official size, then 192 by
another (head alone; `methods.adnerf.rendering`, which the golden values hold to the original).
ER-NeRF's: 16 samples by the head of the official size with hashed planes, written in torch, not its
CUDA kernels, and without its grid of where nothing is. Weights of these are as drawn, which cost as
much as trained ones; the small ones are the persons that ship, with what their grids know.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from methods.adnerf.field import Field
from methods.adnerf.method import ADNeRF
from methods.adnerf.portrait import SmallPortrait
from methods.adnerf.rendering import Sampling, rendered
from methods.radiance.learning import BEFORE, BEHIND, Portrait, face_shown, looked
from methods.radiance.person_method import PersonMethod
from methods.radiance.rays import Rays, rays_through
from methods.radiance.recording import HALF_SIDE, UNIT, Cameras
from methods.saliency_portrait.head import Head
from methods.saliency_portrait.method import RegionSaliency
from methods.saliency_portrait.portrait import DEEP, summed
from tests.small_weights import drawn
from tests.speed.timing import timed

THREADS = 1
REPEATS = 3
SIDE = 64  # pixels of the face's box
SLOW = 64  # rays of the official ways, which take a second for each thousand or longer
LEARNED = 768  # rays of a step, from 8 frames
AWAY = 100.0  # cm of the camera from the head
SAMPLES = 16  # of ER-NeRF's rays, at most
PERSON = "grid-s1.safetensors"


def measure() -> str:
    """Rays and frames a second, and how many times faster than the official way."""
    torch.set_num_threads(THREADS)
    adnerf, saliency = shipped(ADNeRF), shipped(RegionSaliency)
    dense = shipped(ADNeRF)
    assert isinstance(dense, SmallPortrait)
    dense.there.fill_(True)  # every sample is asked
    every = SIDE**2
    jobs: dict[str, tuple[int, Callable[[], NDArray[np.float64]]]] = {
        "AD-NeRF, the official way": (SLOW, official(SLOW)),
        "AD-NeRF, small": (every, _face(adnerf)),
        "AD-NeRF, small, where nothing is as well": (every, _face(dense)),
        "ER-NeRF, the official way": (SLOW, official_erf(SLOW)),
        "region-saliency portrait, small": (every, _face(saliency)),
    }
    lines = [f"Radiance fields, {THREADS} thread, rays of a {SIDE}x{SIDE} face"]
    lines += _told(jobs, "frames")
    lines.append(f"The same, learning: forwards and backwards, {LEARNED} rays a step")
    learning = {
        "AD-NeRF, the official way": (SLOW, official(SLOW, learns=True)),
        "AD-NeRF, small": (LEARNED, _step(ADNeRF)),
        "ER-NeRF, the official way": (SLOW, official_erf(SLOW, learns=True)),
        "region-saliency portrait, small": (LEARNED, _step(RegionSaliency)),
    }
    return "\n".join(lines + _told(learning, "steps"))


def _told(jobs: dict[str, tuple[int, Callable[[], NDArray[np.float64]]]], of: str) -> list[str]:
    seconds, _ = timed({name: job for name, (_, job) in jobs.items()}, REPEATS)
    whole = SIDE**2 if of == "frames" else LEARNED
    lines: list[str] = []
    slow = 0.0
    for name, (rays, _) in jobs.items():
        rate = rays / seconds[name].min()
        is_yardstick = "official" in name
        slow = rate if is_yardstick else slow
        faster = "" if is_yardstick else f" ({rate / slow:.1f} times faster)"
        lines.append(f"  {name}: {rate:.0f} rays, {rate / whole:.3g} {of} a second{faster}")
    return lines


def shipped(method: type[PersonMethod]) -> Portrait:
    """The person that ships with the method."""
    return method(method.Options())._read(method.shipped / PERSON)


def cameras(count: int) -> Cameras:
    """Frames of a head that looks into the camera."""
    poses = np.tile(np.eye(4, dtype=np.float32), (count, 1, 1))
    poses[:, 2, 3] = AWAY / UNIT
    side = 2 * HALF_SIDE  # cm, seen from AWAY
    focal = AWAY * SIDE / side
    boxes = np.tile(np.array([0, 0, SIDE], np.float32), (count, 1))
    optics = np.tile(np.array([focal, *2 * [(SIDE - 1) / 2]], np.float32), (count, 1))
    return Cameras(poses, boxes, optics)


def heard(count: int) -> Tensor:
    """Speech, (count, 8, 16, 29)."""
    return torch.rand(count, 8, 16, 29, generator=torch.Generator().manual_seed(1)) * 2 - 1


def pixels(count: int) -> NDArray[np.int64]:
    """Places in the box, (count, 2), spread over it."""
    return np.random.default_rng(1).integers(SIDE, size=(count, 2))


def rays(count: int) -> tuple[Rays, float]:
    """Rays through those places, and how far the head's middle is, in its coordinates."""
    one = cameras(1)
    optics = torch.from_numpy(one.optics[0])
    found = rays_through(
        torch.from_numpy(pixels(count)).float(),
        torch.from_numpy(one.poses[0]),
        focal=optics[0],
        centre=optics[1:],
    )
    return found, AWAY / UNIT


def official(count: int, *, learns: bool = False) -> Callable[[], NDArray[np.float64]]:
    """AD-NeRF's rays: both fields see every sample, in single precision."""
    coarse, fine = Field(), Field()
    drawn(coarse, 1)
    drawn(fine, 2)
    given, middle = rays(count)
    sampling = Sampling(middle - BEFORE, middle + BEHIND)
    background, signal = torch.zeros(count, 3), torch.zeros(64)

    def look() -> NDArray[np.float64]:
        with torch.set_grad_enabled(learns):
            made = rendered(given, background, signal, sampling, coarse=coarse, fine=fine)
            if learns:
                loss = made.fine.colour.square().mean() + made.coarse.colour.square().mean()
                loss.backward()  # type: ignore[no-untyped-call]
        return made.fine.colour.detach().numpy().astype(np.float64)

    return look


def official_erf(count: int, *, learns: bool = False) -> Callable[[], NDArray[np.float64]]:
    """ER-NeRF's rays: the head sees every one of 16 samples, in single precision."""
    head = Head()
    given, middle = rays(count)
    depths = torch.linspace(middle - DEEP, middle + DEEP, SAMPLES).expand(count, -1)
    signal, eye, code = torch.zeros(1, 1, 32), torch.zeros(1, 1, 1), head.individual_codes[:1, None]
    inside, behind = torch.ones(count, SAMPLES, dtype=torch.bool), torch.zeros(count, 3)

    def look() -> NDArray[np.float64]:
        with torch.set_grad_enabled(learns):
            looks = head(given.at(depths), given.unit[:, None], signal, eye, code)
            seen = summed(looks, depths, inside, given, behind, inside[:, 0])
            if learns:
                seen.colour.square().mean().backward(retain_graph=True)  # type: ignore[no-untyped-call]
        return seen.colour.detach().numpy().astype(np.float64)

    return look


def _face(portrait: Portrait) -> Callable[[], NDArray[np.float64]]:
    """A whole face, its speech included."""
    one, speech = cameras(1), heard(1)
    return lambda: face_shown(portrait, one, speech, side=SIDE).astype(np.float64)


def _step(method: type[PersonMethod]) -> Callable[[], NDArray[np.float64]]:
    """A step of learning with the method's options, without drawing rays and optimiser."""
    made = method(method.Options()).new(clips=1).train()
    frames = 8
    many, speech, lids = cameras(LEARNED), heard(frames), torch.zeros(frames)
    places, clip = pixels(LEARNED), torch.zeros(frames, dtype=torch.int64)
    draw = torch.Generator().manual_seed(1)
    if isinstance(made, SmallPortrait):  # as learned: the survey's grid, and 15 of 16 steps use it
        known = shipped(method)
        assert isinstance(known, SmallPortrait)
        made.seen.copy_(known.there)

    def step() -> NDArray[np.float64]:
        signal = made.listen(speech, is_smoothed=False)
        told = made.told(signal, cameras(frames), lids, clip).repeat_interleave(
            LEARNED // frames, 0
        )
        seen = looked(made, many, places, told, side=SIDE, random=draw)
        loss = made.loss(seen, torch.zeros(LEARNED, 3), 0.5)
        loss.backward()  # type: ignore[no-untyped-call]
        made.zero_grad()
        return seen.colour.detach().numpy().astype(np.float64)

    return step


if __name__ == "__main__":
    print(measure())
