"""Renders one clip of an embedded corpus: the speech, the mouth's motion, the frames."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from bench.data.synth.geometry import FacePoints, Placement, face_points
from bench.data.synth.identity import Identity
from bench.data.synth.motion import Pose, move
from bench.data.synth.render import FRAME, Renderer
from bench.data.synth.speech import Spoken, Synthesiser, loudness, recorded, trimmed
from bench.data.synth.surface import UNIT
from bench.data.synth.visemes import Segment, Shape, track
from bench.ground.types import FPS, SAMPLE_RATE, SAMPLES_PER_FRAME, Box, Frame, Sound

MAX_SECONDS = 3.0
MAX_FRAMES = int(MAX_SECONDS * FPS)
_FASTEST = 330  # espeak's words per minute; faster speech is not intelligible
_LANGUAGES = {"zh": ("cmn",), "en": ("en", "en-us", "en-GB-x-rp", "en-GB-scotland")}


@dataclass(frozen=True)
class Utterance:
    """The sound and the mouth's motion, before anything is drawn.

    sound: (S,) int16. shapes: one per frame. loudness: (frames,) in 0..1.
    """

    text: str
    sound: Sound
    segments: tuple[Segment, ...]
    shapes: tuple[Shape, ...]
    loudness: NDArray[np.float32]

    @property
    def frames(self) -> int:
        """The clip's length in frames."""
        return len(self.shapes)


@dataclass(frozen=True)
class Take:
    """One clip: its utterance, an iterator that renders its frames, and the face's mean box."""

    utterance: Utterance
    frames: Iterator[Frame]
    box: Box


def utter(identity: Identity, texts: Sequence[str], rng: np.random.Generator) -> Utterance:
    """This person's utterance of these phrases, at most MAX_SECONDS long.

    The first phrase is sped up until it fits; further phrases are left out if they do not fit.
    """
    with Synthesiser() as synthesiser:
        return _utter(identity, texts, rng, synthesiser)


def _utter(
    identity: Identity,
    texts: Sequence[str],
    rng: np.random.Generator,
    synthesiser: Synthesiser,
) -> Utterance:
    """As `utter`, with a fresh espeak-ng."""
    language = identity.name.split("-")[0]
    dialects = _LANGUAGES[language]
    # a person always speaks the same dialect
    dialect = dialects[sum(identity.name.encode()) % len(dialects)]
    base = 1.28 if language == "zh" else 1.0
    rate = int(identity.voice.rate * base * rng.uniform(0.92, 1.08))
    lead, tail = float(rng.uniform(0.08, 0.36)), float(rng.uniform(0.10, 0.36))
    pause = float(rng.uniform(0.12, 0.26))
    if len(texts) > 1:  # two phrases are said a little faster, with less silence around them
        rate, lead, tail = int(rate * 1.12), lead * 0.6, tail * 0.6

    def say(text: str, speed: int) -> Spoken:
        return trimmed(synthesiser.speak(text, dialect, identity.voice, rate=speed))

    said = [say(texts[0], rate)]
    while _seconds(said[0]) + lead + tail > MAX_SECONDS - 0.04 and rate < _FASTEST:
        rate = min(_FASTEST, int(rate * 1.08))
        lead, tail = max(0.06, lead * 0.8), max(0.08, tail * 0.8)
        said = [say(texts[0], rate)]
    used = [texts[0]]
    for text in texts[1:]:
        following = say(text, rate)
        total = sum(map(_seconds, said)) + pause * len(said) + _seconds(following)
        if total + lead + tail > MAX_SECONDS - 0.04:
            break
        said.append(following)
        used.append(text)

    dry = [np.zeros(round(lead * SAMPLE_RATE), np.float32)]
    segments = [Segment("", 0.0, lead)]
    at = lead
    for number, spoken in enumerate(said):
        if number:
            dry.append(np.zeros(round(pause * SAMPLE_RATE), np.float32))
            segments.append(Segment("", at, at + pause))
            at += pause
        at = sum(map(len, dry)) / SAMPLE_RATE
        segments += [Segment(s.phoneme, s.start + at, s.end + at) for s in spoken.segments]
        dry.append(spoken.samples)
        at += _seconds(spoken)
    segments.append(Segment("", at, at + tail + 1.0))
    frames = min(MAX_FRAMES, int(np.ceil((at + tail) * FPS)))
    whole = np.zeros(frames * SAMPLES_PER_FRAME, np.float32)
    joined = np.concatenate(dry)[: len(whole)]
    whole[: len(joined)] = joined
    loud = loudness(whole, frames)
    manner = identity.manner
    shapes = track(
        segments,
        frames,
        loudness=loud,
        articulation=manner.articulation,
        spread=manner.spread,
        rest_open=manner.rest_open,
    )
    joint = "" if language == "zh" else " "
    return Utterance(
        text=joint.join(used),
        sound=recorded(whole, identity.voice, rng),
        segments=tuple(segments),
        shapes=tuple(shapes),
        loudness=loud,
    )


def _seconds(spoken: Spoken) -> float:
    return len(spoken.samples) / SAMPLE_RATE


@dataclass(frozen=True)
class _Directions:
    """All that is decided of a clip before it is drawn; rng draws the camera's noise next."""

    utterance: Utterance
    poses: Sequence[Pose]
    place: Placement
    rng: np.random.Generator


def shoot(renderer: Renderer, texts: Sequence[str], seed: Sequence[int]) -> Take:
    """A clip in which this person says these phrases."""
    clip = _directed(renderer.identity, texts, seed)
    shapes = clip.utterance.shapes
    return Take(
        utterance=clip.utterance,
        frames=renderer.frames(shapes, clip.poses, clip.place, clip.rng),
        box=renderer.box(shapes, clip.poses, clip.place),
    )


def points(identity: Identity, texts: Sequence[str], seed: Sequence[int]) -> tuple[str, FacePoints]:
    """What the clip that `shoot` makes says, and where its face is in each frame; draws nothing."""
    clip = _directed(identity, texts, seed)
    found = face_points(identity.look, clip.utterance.shapes, clip.poses, clip.place)
    return clip.utterance.text, found


def _directed(identity: Identity, texts: Sequence[str], seed: Sequence[int]) -> _Directions:
    rng = np.random.default_rng([*seed, 41])
    utterance = utter(identity, texts, rng)
    poses = [
        replace(
            pose,
            yaw=pose.yaw + identity.filming.yaw,
            pitch=pose.pitch + identity.filming.pitch,
            roll=pose.roll + identity.filming.roll,
        )
        for pose in move(identity.manner, utterance.loudness, rng)
    ]
    place = Placement(
        x=FRAME / 2 + float(rng.uniform(-7, 7)),
        y=105.0 + float(rng.uniform(-6, 6)),
        scale=UNIT / 2 * identity.look.size * float(rng.uniform(0.97, 1.03)),
    )
    return _Directions(utterance, poses, place, rng)
