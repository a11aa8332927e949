"""A portrait learns a person: rays of recorded faces, most of them at the mouth; watched, resumed.

Source: YudongGuo/AD-NeRF @ 9fdcd7e (one loss: the colours' squared error). What differs is in
methods/adnerf/README.md.
"""

from __future__ import annotations

import copy
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, cast

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

import bench
from bench.train.loop import States, read_checkpoint, save_checkpoint
from bench.train.pacing import MARGIN, MOST_MEASURING, TIMED, WARM
from methods.radiance.rays import Rays, rays_through
from methods.radiance.recording import Cameras, Recording

if TYPE_CHECKING:
    from methods.radiance.volume import Integral

CHECKPOINT = "checkpoint.pt"
LEAST_OPACITY = (
    0.5  # of the face's box after `patience` steps: below it, only the background is left
)
ATTEMPTS = 3
BEHIND, BEFORE = 0.75, 0.75  # where samples lie around the head's middle, in its coordinates
SMOOTHED_FROM = 2 / 3  # of the steps: from then on, eight windows are heard
AT_ONCE = 4096  # rays that are shown at once


class Portrait(nn.Module):
    """What is learned. `listen` makes a signal of speech, `look` shows what rays see."""

    background: Tensor  # (3,), in [0, 1]

    def listen(self, heard: Tensor, *, is_smoothed: bool) -> Tensor:
        """heard: (N, 8, 16, 29) -> (N, C)."""
        raise NotImplementedError

    def look(
        self, rays: Rays, signal: Tensor, near: Tensor, far: Tensor, random: torch.Generator | None
    ) -> Integral:
        """rays: N. signal: (N, C). near, far: (N, 1)."""
        raise NotImplementedError

    def opening(self, signal: Tensor) -> Tensor:
        """How far the mouth is open, guessed from the signal alone: (N, C) -> (N,)."""
        raise NotImplementedError

    def meet(self, recording: Recording) -> None:
        """Takes what it keeps of the recording before it learns: here the background's colour."""
        self.background.copy_(torch.from_numpy(border_colour(recording.faces)))

    def told(
        self,
        signal: Tensor,
        cameras: Cameras,  # noqa: ARG002
        lids: Tensor,  # noqa: ARG002
        clip: Tensor | None = None,  # noqa: ARG002
    ) -> Tensor:
        """The signal with what else is known of the frames, (N, C) -> (N, C'); here nothing.

        cameras: N. lids: (N,) in [0, 1], how far they are shut. clip: (N,), the number of the
        recording's clip; None: a clip that is not learned from.
        """
        return signal

    def loss(self, seen: Integral, target: Tensor, share: float) -> Tensor:  # noqa: ARG002
        """What is made small; here the colours' squared error.

        target: (N, 3) in [0, 1]. share: of the steps that are done.
        """
        return functional.mse_loss(seen.colour, target)

    def finish(self) -> None:
        """Lets go of what only learning needs."""

    def groups(self, rate: float) -> list[dict[str, object]]:
        """The parameters, with their rates, for the optimiser."""
        raise NotImplementedError


@dataclass(frozen=True)
class Learning:
    """How a person is learned.

    rays: a step, from `frames` frames. mouth_share: of the rays, in the mouth's box. opening:
    weight of the guessed opening's squared error. rate: at the start; it falls to a twentieth.
    patience: steps after which the opacity is tested. keep_every: steps between checkpoints.
    stop_after: seconds; as many steps are planned as fit, at most `steps`.
    """

    steps: int = 5000
    rays: int = 768
    frames: int = 8
    mouth_share: float = 0.7
    opening: float = 0.1
    rate: float = 2e-3
    patience: int = 300
    keep_every: int = 250
    stop_after: float | None = None


@dataclass(frozen=True)
class Collapsed:
    """A portrait has become transparent: all that its rays see is the background."""

    reason: str


def learned(
    make: Callable[[], Portrait],
    recording: Recording,
    learning: Learning,
    *,
    folder: Path,
    seed: int,
    device: str,
    log: logging.Logger,
) -> Portrait:
    """The person's portrait, in eval mode.

    make: a new portrait from torch's random state. folder: may hold the checkpoint of an attempt
    that was stopped, which is gone on from. Raises BenchError if three seeds in a row collapse.
    """
    path = folder / CHECKPOINT
    first = _attempt_of(path)
    for number in range(first, ATTEMPTS):
        attempt = _Attempt(make, recording, learning, path, (seed, number), device, log)
        found = attempt.run()
        if isinstance(found, Portrait):
            return found
        path.unlink(missing_ok=True)
        log.warning("attempt %d is transparent: %s", number + 1, found.reason)
    raise bench.BenchError(
        f"the portrait became transparent with {ATTEMPTS} seeds; is the face in its box? "
        "Other recordings, or another `seed` of the run, may help"
    )


def _attempt_of(path: Path) -> int:
    """The attempt that was stopped; 0 without a checkpoint."""
    if not path.is_file():
        return 0
    return int(cast("int", read_checkpoint(path).state["attempt"]["number"]))  # type: ignore[index]


class _Number:
    """The number of the attempt, as a part of its state."""

    def __init__(self, number: int) -> None:
        self.number = number

    def state_dict(self) -> dict[str, object]:
        return {"number": self.number}

    def load_state_dict(self, state: dict[str, object]) -> None:
        self.number = cast("int", state["number"])


class _Attempt:
    def __init__(
        self,
        make: Callable[[], Portrait],
        recording: Recording,
        learning: Learning,
        path: Path,
        seeds: tuple[int, int],
        device: str,
        log: logging.Logger,
    ) -> None:
        self.learning, self.path, self.seeds, self.log = learning, path, seeds, log
        self.device = torch.device(device)
        with torch.random.fork_rng():
            torch.manual_seed(hash_of(*seeds))
            self.portrait = make().to(self.device).train()
        self.portrait.meet(recording)
        self.recording = recording
        self.spread = _standard(recording.opening)
        groups = self.portrait.groups(learning.rate)
        self.rates = [cast("float", group["lr"]) for group in groups]
        self.optimiser = torch.optim.Adam(groups)
        self.state = States(
            portrait=self.portrait, optimiser=self.optimiser, attempt=_Number(seeds[1])
        )

    def run(self) -> Portrait | Collapsed:
        done = self._resumed()
        if self.learning.stop_after is not None and not done:
            self.learning = replace(self.learning, steps=self._fitting(self.learning.stop_after))
        began, first = time.monotonic(), done
        squares = torch.zeros((), device=self.device)
        every = max(1, min(100, self.learning.steps // 10))
        while done < self.learning.steps:
            error, opacity = self._step(done)
            squares += error
            done += 1
            if done == self.learning.patience and opacity < LEAST_OPACITY:
                return Collapsed(f"opacity {opacity:.2f} in the face's box after {done} steps")
            if done % every == 0:
                self._tell(done, float(squares) / every, (time.monotonic() - began), done - first)
                squares.zero_()
            if done % self.learning.keep_every == 0 and done < self.learning.steps:
                save_checkpoint(self.path, done, self.state, steps=self.learning.steps)
        self.portrait.finish()
        return self.portrait.eval()

    def _resumed(self) -> int:
        if not self.path.is_file():
            return 0
        found = read_checkpoint(self.path)
        self.state.load_state_dict(found.state)
        if found.steps is not None:
            self.learning = replace(self.learning, steps=found.steps)
        self.log.info("goes on after step %d", found.step)
        return found.step

    def _fitting(self, seconds: float) -> int:
        """How many steps fit into the time, at most as many as are asked for; all is as before."""
        before = copy.deepcopy(self.state.state_dict())
        for step in range(WARM):
            self._step(step)
        began, done = time.monotonic(), 0
        while done < TIMED and time.monotonic() - began < MOST_MEASURING * seconds:
            self._step(done)
            done += 1
        each = (time.monotonic() - began) / done
        self.state.load_state_dict(before)
        fitting = min(self.learning.steps, max(1, int(MARGIN * seconds / each)))
        self.log.info("%.4f s a step: %d steps in %.0f s", each, fitting, seconds)
        return fitting

    def _step(self, step: int) -> tuple[Tensor, float]:
        """One step, which depends on the state, the seed and its number alone."""
        learning = self.learning
        random = np.random.default_rng([*self.seeds, step])
        share = step / learning.steps
        for group, rate in zip(self.optimiser.param_groups, self.rates, strict=True):
            group["lr"] = rate * 0.05**share
        frames = random.integers(len(self.recording), size=learning.frames)
        each = max(1, learning.rays // learning.frames)
        pixels = self._pixels(frames, each, random)  # (F, R, 2)
        index = np.repeat(frames, each)
        colours = self.recording.faces[
            index, pixels[..., 1].reshape(-1), pixels[..., 0].reshape(-1)
        ]
        target = torch.from_numpy(colours).to(self.device).float() / 255.0
        heard = torch.from_numpy(self.recording.heard[frames]).to(self.device)
        signal = self.portrait.listen(heard, is_smoothed=share >= SMOOTHED_FROM)
        drawn = torch.Generator(self.device).manual_seed(hash_of(*self.seeds, step))
        told = self.portrait.told(
            signal,
            self.recording.cameras.at(frames),
            torch.from_numpy(self.recording.lids[frames]).to(self.device),
            torch.from_numpy(self.recording.clip[frames]).to(self.device),
        )
        seen = looked(
            self.portrait,
            self.recording.cameras.at(index),
            pixels.reshape(-1, 2),
            told.repeat_interleave(each, 0),
            side=self.recording.faces.shape[1],
            random=drawn,
        )
        loss = self.portrait.loss(seen, target, share)
        opening = torch.from_numpy(self.spread[frames]).to(self.device)
        guessed = functional.mse_loss(self.portrait.opening(signal), opening)
        self.optimiser.zero_grad(set_to_none=True)
        (loss + learning.opening * guessed).backward()  # type: ignore[no-untyped-call]
        self.optimiser.step()
        error = functional.mse_loss(seen.colour.detach(), target)
        return error, float(1.0 - seen.last_weight.detach().mean())

    def _pixels(self, frames: np.ndarray, each: int, random: np.random.Generator) -> np.ndarray:
        """Columns and rows of pixels, (F, R, 2) int64: first those at the mouth."""
        side = self.recording.faces.shape[1]
        places = random.random((len(frames), each, 2))
        mouths = self.recording.mouths[frames][:, None]  # (F, 1, 4)
        there = mouths[..., :2] + places * (mouths[..., 2:] - mouths[..., :2])
        is_mouth = np.arange(each)[None, :, None] < self.learning.mouth_share * each
        pixels = np.where(is_mouth, there, places * side).astype(np.int64)
        return np.asarray(pixels.clip(0, side - 1))

    def _tell(self, done: int, error: float, seconds: float, steps: int) -> None:
        left = seconds / steps * (self.learning.steps - done)
        decibels = -10 * np.log10(max(error, 1e-10))
        self.log.info(
            "step %d of %d: PSNR of the rays %.1f dB; %.1f steps a second; %.0f s left",
            *(done, self.learning.steps, decibels, steps / max(seconds, 1e-9), left),
        )


def looked(
    portrait: Portrait,
    cameras: Cameras,
    pixels: np.ndarray,
    signal: Tensor,
    *,
    side: int,
    random: torch.Generator | None = None,
) -> Integral:
    """What N pixels show.

    cameras: N. pixels: (N, 2), column and row of the cut face. signal: (N, C).
    """
    device = signal.device
    scale = cameras.boxes[:, 2:] / side
    at = cameras.boxes[:, :2] + (pixels + 0.5) * scale - 0.5  # in the frame
    optics = torch.from_numpy(cameras.optics).to(device)
    rays = rays_through(
        torch.from_numpy(at.astype(np.float32)).to(device),
        torch.from_numpy(cameras.poses).to(device),
        focal=optics[:, 0],
        centre=optics[:, 1:],
    )
    # Along the optical axis, of which directions have the length 1.
    middle = torch.einsum("ni,ni->n", rays.origins, _backwards(cameras, device))[:, None]
    return portrait.look(rays, signal, middle - BEFORE, middle + BEHIND, random)


@torch.no_grad()
def face_shown(
    portrait: Portrait, cameras: Cameras, heard: Tensor, *, side: int, shut: float = 0.0
) -> bench.Frame:
    """The face of one frame, (side, side, 3) uint8. cameras: of it alone. heard: (1, 8, 16, 29).

    shut: how far the lids are, in [0, 1].
    """
    lids = torch.full((1,), shut, device=heard.device)
    signal = portrait.told(portrait.listen(heard, is_smoothed=True), cameras, lids)
    rows, columns = np.divmod(np.arange(side * side), side)
    pixels = np.stack([columns, rows], axis=-1)
    shown = []
    for some in np.array_split(pixels, -(-len(pixels) // AT_ONCE)):
        every = cameras.at(np.zeros(len(some), dtype=np.int64))
        seen = looked(portrait, every, some, signal.expand(len(some), -1), side=side)
        shown.append(seen.colour)
    colours = torch.cat(shown).clamp(0, 1).view(side, side, 3) * 255.0
    return np.asarray(colours.round().byte().cpu().numpy())


def border_colour(faces: np.ndarray) -> np.ndarray:
    """The mean colour of the faces' upper corners, (3,) float32 in [0, 1]: hardly any face."""
    edge = max(1, faces.shape[1] // 8)
    corners = np.concatenate([faces[:, :edge, :edge], faces[:, :edge, -edge:]], axis=2)
    return np.asarray(corners.mean(axis=(0, 1, 2)) / 255.0, dtype=np.float32)


def hash_of(*numbers: int) -> int:
    """A seed for torch from several numbers."""
    return int(np.random.SeedSequence(numbers).generate_state(1)[0])


def _backwards(cameras: Cameras, device: torch.device) -> Tensor:
    """The cameras' z axes, (N, 3): a camera's distance along them is that of the head's middle."""
    return torch.from_numpy(cameras.poses[:, :3, 2]).to(device)


def _standard(values: np.ndarray) -> np.ndarray:
    """With mean 0 and deviation 1."""
    return np.asarray((values - values.mean()) / max(values.std(), 1e-6), dtype=np.float32)
