"""Ladders: distortions in growing steps; a metric that measures what it claims gets worse.

A ladder starts from a clean specimen. Each step is worse than the one before: more blur, more
noise, more frozen frames, more delay, more of another speech.
"""

from __future__ import annotations

import copy
import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bench.contract.jobs import Sample
from bench.contract.video import Video
from bench.ground.errors import BenchError
from bench.ground.types import FPS, SAMPLE_RATE, SAMPLES_PER_FRAME, Case, Clip, Frames, Sound, Track


@dataclass(frozen=True)
class Specimen:
    """A talking clip to try plugins on. It is its own reference, and has a second speech.

    other_speech: (S,) int16 at 16 kHz, at least as long as the clip's own.
    """

    sample: Sample
    other_speech: Sound


@dataclass(frozen=True)
class Ladder:
    """A distortion with growing strengths. apply: the sample distorted, its reference kept."""

    name: str
    unit: str
    steps: tuple[float, ...]
    apply: Callable[[Specimen, float], Sample]


def specimen(
    name: str,
    *,
    frames: Frames,
    sound: Sound,
    other_speech: Sound,
    track: Track | None,
    text: str = "",
    language: str = "",
) -> Specimen:
    """A specimen from arrays; raises BenchError if the other speech is too short.

    text, language: of what is said.
    """
    if len(other_speech) < len(sound):
        raise BenchError(
            f"specimen {name!r}: its other speech has {len(other_speech)} samples, "
            f"fewer than its own {len(sound)}; give a longer one"
        )
    clip = Clip(id=name, video=Path(f"{name}.mp4"), text=text, language=language)
    case = Case(dataset="checks", kind="reconstruct", face=clip, speech=clip)
    reference = Video.of(frames, sound, track=track)
    video = Video.of(frames.copy(), sound.copy(), track=track)
    return Specimen(Sample(case, video, reference, face=reference), other_speech)


def talking_patterns(count: int = 3, *, frames: int = 40, size: int = 128) -> list[Specimen]:
    """Drawn faces whose mouths open with the loudness of their voices; the same on every call.

    Their frames and sounds are in sync, but they do not look like people. This is enough for
    metrics of frames. Give a network that was trained on real mouths real or synthetic talkers.
    """
    return [_talking_pattern(seed, frames=frames, size=size) for seed in range(count)]


def synthetic_talkers(
    count: int = 2, *, corpus: str = "synth-en", longest: int | None = None
) -> list[Specimen]:
    """Clips of an embedded corpus, each with another's speech: for metrics that read sound.

    longest: frames to which the clips are cut; None keeps all. Rendered on first use, which takes
    some seconds per clip, and kept in the cache.
    """
    from bench import media
    from bench.data import synth
    from bench.data.manifest import read_manifest
    from bench.features import faces

    # One process: several would each run the caller's script again, guarded or not.
    clips = read_manifest(synth.build(corpus, "test", clips=count + 1, workers=1))
    found = []
    for clip, other in pairwise(clips[: count + 1]):
        frames = media.read_frames(clip.video)[:longest]
        samples = len(frames) * SAMPLES_PER_FRAME
        sound, other_speech = _heard(clip), _heard(other)
        assert clip.box is not None  # the corpora draw their faces and give their boxes
        track = faces.given_track(clip.box, len(frames))
        found.append(
            specimen(
                clip.id,
                frames=frames,
                sound=sound[:samples],
                other_speech=np.resize(other_speech, samples),  # repeated from its beginning
                track=track,
                text=clip.text,
                language=clip.language,
            )
        )
    return found


def _heard(clip: Clip) -> Sound:
    from bench import media

    sound = media.read_sound(clip.audio or clip.video)
    if sound is None:
        raise BenchError(f"{clip.video} has no sound; expected a talking clip")
    return sound


def _talking_pattern(seed: int, *, frames: int, size: int) -> Specimen:
    pictures, sound, other, track = _drawn(seed, frames, size)
    return specimen(
        f"pattern-{seed}",
        frames=pictures.copy(),
        sound=sound.copy(),
        other_speech=other.copy(),
        track=copy.deepcopy(track),
    )


@functools.cache
def _drawn(seed: int, frames: int, size: int) -> tuple[Frames, Sound, Sound, Track]:
    """A pattern's frames, (T, H, W, 3), voice, other voice and track; shared, so copy them."""
    random = np.random.default_rng([seed, 1])
    opening = _opening(random, frames)
    sway = np.cumsum(random.normal(0, 0.004, (frames, 2)), axis=0)  # (T, 2), shares of the size
    centres = (np.array([0.5, 0.52]) + sway) * size  # (T, 2), x and y
    skin = random.uniform((150, 100, 80), (235, 190, 165))
    texture = random.normal(0, 18, (size, size, 1)) + np.linspace(40, 150, size)[:, None, None]
    pictures = [
        _face(texture, skin, centre=centre, opening=share)
        for centre, share in zip(centres, opening, strict=True)
    ]
    # Longer than the frames, as other clips' speech may be: methods must cover all of it.
    other = _voice(random, _opening(random, frames + frames // 4))
    return np.stack(pictures), _voice(random, opening), other, _track(centres, size)


def _opening(random: np.random.Generator, frames: int) -> NDArray[np.float64]:
    """How far the mouth is open, (T,) in [0, 1]: syllables of uneven length and strength."""
    noise = random.normal(0, 1, frames + 4)
    smooth = np.convolve(noise, [0.1, 0.25, 0.3, 0.25, 0.1], mode="valid")  # (T,)
    return np.clip(0.45 + 0.9 * smooth, 0.0, 1.0)


def _voice(random: np.random.Generator, opening: NDArray[np.float64]) -> Sound:
    """A buzz as loud as the mouth is open, (640 * T,) int16."""
    samples = len(opening) * SAMPLES_PER_FRAME
    seconds = np.arange(samples) / SAMPLE_RATE
    pitch = random.uniform(100, 220)  # Hz
    buzz = sum(np.sin(2 * np.pi * pitch * k * seconds) / k for k in range(1, 20))
    loudness = np.interp(seconds * FPS, np.arange(len(opening)) + 0.5, opening)
    noise = random.normal(0, 0.01, samples)
    return np.asarray(np.clip((buzz * loudness + noise) * 8000, -32768, 32767), dtype=np.int16)


def _face(
    texture: NDArray[np.float64],
    skin: NDArray[np.float64],
    *,
    centre: NDArray[np.float64],
    opening: float,
) -> Frames:
    """One frame, (H, W, 3) uint8: a head on a background, two eyes, a mouth opened by `opening`."""
    size = len(texture)
    rows, columns = np.mgrid[0:size, 0:size] / size  # (H, W) each
    x, y = columns - centre[0] / size, rows - centre[1] / size
    picture = np.broadcast_to(texture, (size, size, 3)).copy()

    def paint(colour: NDArray[np.float64], dx: float, dy: float, wide: float, high: float) -> None:
        inside = ((x - dx) / wide) ** 2 + ((y - dy) / high) ** 2
        cover = np.clip((1 - inside) * 6, 0, 1)[:, :, None]  # (H, W, 1), a soft edge
        picture[:] = picture * (1 - cover) + colour * cover

    paint(skin + 20 * np.sin(40 * columns)[:, :, None], 0, 0, 0.27, 0.36)
    for side in (-0.11, 0.11):
        paint(np.array([245.0, 245, 245]), side, -0.10, 0.055, 0.03)
        paint(np.array([30.0, 25, 20]), side, -0.10, 0.02, 0.025)
    paint(np.array([170.0, 60, 70]), 0, 0.17, 0.12, 0.035 + 0.06 * opening)
    paint(np.array([40.0, 10, 15]), 0, 0.17, 0.09, 0.008 + 0.05 * opening)
    return np.clip(picture, 0, 255).astype(np.uint8)


def _track(centres: NDArray[np.float64], size: int) -> Track:
    def box(dx: float, dy: float, wide: float, high: float) -> NDArray[np.float32]:
        half = np.array([wide, high]) * size / 2
        middle = centres + np.array([dx, dy]) * size
        return np.hstack([middle - half, middle + half]).astype(np.float32)  # (T, 4)

    return Track(
        boxes=box(0, 0.07, 0.54, 0.56),
        mouths=box(0, 0.17, 0.34, 0.24),
        found=np.ones(len(centres), dtype=np.bool_),
        detector="given",
    )


def _redone(sample: Sample, *, frames: Frames | None = None, sound: Sound | None = None) -> Sample:
    """The sample with other frames or another sound; the face track stays the clean video's."""
    video = sample.video
    try:
        track = video.faces()
    except BenchError:
        track = None  # no face and no tracker: metrics that read faces report it
    frames = video.read().copy() if frames is None else frames
    if sound is None:
        own = video.sound()
        sound = None if own is None else own.copy()
    return replace(sample, video=Video.of(frames, sound, track=track))


def _blur(clean: Specimen, sigma: float) -> Sample:
    import cv2

    frames = clean.sample.video.read()
    blurred = [cv2.GaussianBlur(frame, (0, 0), sigma) for frame in frames]
    return _redone(clean.sample, frames=np.stack(blurred).astype(np.uint8))


def _noise(clean: Specimen, deviation: float) -> Sample:
    frames = clean.sample.video.read()
    random, noisy = np.random.default_rng(2), np.empty_like(frames)
    # float32 and frame by frame: a long clip would not fit as one array of doubles.
    one = np.empty(frames.shape[1:], np.float32)
    for frame, target in zip(frames, noisy, strict=True):
        random.standard_normal(dtype=np.float32, out=one)
        one *= deviation
        one += frame
        target[:] = np.clip(one, 0, 255, out=one)
    return _redone(clean.sample, frames=noisy)


def _freeze(clean: Specimen, share: float) -> Sample:
    """Drops a share of the frames, including those of the step before; the last kept is shown."""
    frames = clean.sample.video.read()
    order = np.random.default_rng(3).permutation(np.arange(1, len(frames)))
    dropped = set(order[: round(share * len(order))].tolist())
    shown = [0]
    for index in range(1, len(frames)):
        shown.append(shown[-1] if index in dropped else index)
    return _redone(clean.sample, frames=frames[shown])


def _shift(clean: Specimen, delay: float) -> Sample:
    """Delays the sound by whole frames; silence comes first."""
    sound = _sound_of(clean)
    samples = min(round(delay) * SAMPLES_PER_FRAME, len(sound))
    silence = np.zeros(samples, dtype=np.int16)
    return _redone(clean.sample, sound=np.concatenate([silence, sound[: len(sound) - samples]]))


def _exchange(clean: Specimen, share: float) -> Sample:
    """Replaces the last part of the specimen's speech with the other speech."""
    sound = _sound_of(clean).copy()
    start = round((1 - share) * len(sound))
    sound[start:] = clean.other_speech[start : len(sound)]
    return _redone(clean.sample, sound=sound)


def _sound_of(clean: Specimen) -> Sound:
    sound = clean.sample.video.sound()
    if sound is None:
        raise BenchError(f"specimen {clean.sample.case.id!r} has no sound; give one that has")
    return sound


LADDERS: Mapping[str, Ladder] = {
    ladder.name: ladder
    for ladder in (
        Ladder("blur", "px, standard deviation", (1, 2, 4, 8), _blur),
        # Up to 80: networks are trained with noise; up to 40 a good one loses almost nothing.
        Ladder("noise", "grey levels, standard deviation", (5, 10, 20, 40, 80), _noise),
        Ladder("frozen", "share of frames dropped", (0.2, 0.4, 0.6, 0.9), _freeze),
        # Up to 160 ms: beyond, frames and sound are unrelated, and more delay is no worse.
        Ladder("shifted", "frames the sound is late", (1, 2, 4), _shift),
        Ladder("exchanged", "share of another speech", (0.25, 0.5, 0.75, 1.0), _exchange),
    )
}
