"""Mouth shapes from phoneme timings: viseme targets, blended by dominance functions.

Phonemes that look alike are grouped as in the MPEG-4 facial animation visemes (ISO/IEC 14496-2,
`viseme_select`: p b m, f v, T D, t d, k g, tS dZ S, s z, n l, r, A:, e, I, Q, U), extended for
Mandarin by place of articulation and lip rounding after Lee and Zee, "Standard Chinese (Beijing)",
Journal of the International Phonetic Association 33(1), 2003 (palatals are spread, retroflexes
slightly rounded, y is a rounded i). MPEG-4 names the groups and gives pictures, not numbers: the
numeric targets are ours. Targets blend as in Cohen and Massaro, "Modeling coarticulation in
synthetic visual speech", 1993: for each control, a segment has a dominance alpha exp(-theta |t|^c)
over time, and the control's value is the dominance-weighted mean of the targets. Closure, press and
tuck are not blended but reached in full: a bilabial without closure is no bilabial.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from bench.ground.types import FPS


@dataclass(frozen=True)
class Shape:
    """The controls of a mouth, each from 0 (rest) to about 1; spread may be negative."""

    jaw: float = 0.0
    spread: float = 0.0  # corners of the mouth outwards
    round: float = 0.0  # lips rounded and pushed forward
    upper: float = 0.0  # upper lip raised
    lower: float = 0.0  # lower lip lowered, beyond the jaw
    tongue: float = 0.0  # tip of the tongue raised to the teeth
    tongue_out: float = 0.0  # tip between the teeth
    close: float = 0.0  # lips touch
    press: float = 0.0  # lips pressed
    tuck: float = 0.0  # lower lip at the upper teeth


CONTROLS = tuple(field.name for field in fields(Shape))
_BLENDED = CONTROLS.index("close")  # the controls before `close` are blended


@dataclass(frozen=True)
class Segment:
    """A phoneme in espeak's IPA spelling ("" for a pause), from start to end in seconds."""

    phoneme: str
    start: float
    end: float


# Vowels: jaw, spread, round, upper, lower.
_VOWELS: dict[str, Shape] = {
    "a": Shape(jaw=1.00, spread=0.10, upper=0.45, lower=0.35),
    "ɑ": Shape(jaw=1.00, spread=-0.05, upper=0.35, lower=0.30),
    "ɐ": Shape(jaw=0.70, spread=0.05, upper=0.30, lower=0.25),
    "æ": Shape(jaw=0.85, spread=0.40, upper=0.50, lower=0.40),
    "ʌ": Shape(jaw=0.65, spread=0.05, upper=0.30, lower=0.25),
    "ə": Shape(jaw=0.38, spread=0.05, upper=0.22, lower=0.22),
    "ɚ": Shape(jaw=0.38, round=0.35, upper=0.22, lower=0.25),
    "ɜ": Shape(jaw=0.42, round=0.30, upper=0.25, lower=0.25),
    "ɤ": Shape(jaw=0.42, spread=0.10, upper=0.25, lower=0.30),
    "e": Shape(jaw=0.48, spread=0.55, upper=0.40, lower=0.40),
    "ɛ": Shape(jaw=0.62, spread=0.40, upper=0.42, lower=0.38),
    "i": Shape(jaw=0.20, spread=1.00, upper=0.50, lower=0.60),
    "ɪ": Shape(jaw=0.28, spread=0.60, upper=0.38, lower=0.42),
    "ɨ": Shape(jaw=0.18, spread=0.60, upper=0.42, lower=0.60),
    "o": Shape(jaw=0.48, round=0.75, spread=-0.2),
    "ɔ": Shape(jaw=0.72, round=0.60, spread=-0.1, upper=0.10, lower=0.10),
    "ɒ": Shape(jaw=0.78, round=0.45, upper=0.15, lower=0.15),
    "u": Shape(jaw=0.16, round=1.00, spread=-0.4),
    "ʊ": Shape(jaw=0.26, round=0.80, spread=-0.2),
    "ʉ": Shape(jaw=0.18, round=0.85, spread=-0.2),
    "ᵻ": Shape(jaw=0.28, spread=0.50, upper=0.35, lower=0.40),
    "y": Shape(jaw=0.12, round=0.95, spread=-0.2, upper=0.10, lower=0.10),
}

# Consonants by appearance; espeak writes Mandarin's aspirates with h and retroflexes with a dot.
_GROUPS: tuple[tuple[str, Shape], ...] = (
    ("p ph b m pʰ", Shape(jaw=0.10, close=1.0, press=0.7)),
    ("f v", Shape(jaw=0.14, upper=0.75, spread=0.15, tuck=1.0)),
    ("θ ð", Shape(jaw=0.26, upper=0.40, lower=0.35, tongue=0.6, tongue_out=1.0)),
    ("t th d ɾ ʔ tʰ", Shape(jaw=0.24, spread=0.20, upper=0.38, lower=0.42, tongue=0.9)),
    ("k kh ɡ g x χ h ŋ kʰ ɣ", Shape(jaw=0.34, spread=0.05, upper=0.30, lower=0.28)),
    ("tʃ dʒ ʃ ʒ", Shape(jaw=0.16, round=0.62, upper=0.55, lower=0.60)),
    ("ts. ts.h s. z. tʂ tʂh ʂ ʐ", Shape(jaw=0.18, round=0.36, upper=0.50, lower=0.58)),
    ("tɕ tɕh ɕ", Shape(jaw=0.14, spread=0.75, upper=0.55, lower=0.65)),
    ("s z ts tsh dz", Shape(jaw=0.12, spread=0.45, upper=0.52, lower=0.62)),
    ("n l ɫ ɬ", Shape(jaw=0.34, spread=0.20, upper=0.34, lower=0.34, tongue=1.0)),
    ("ɹ r ɻ", Shape(jaw=0.24, round=0.50, upper=0.25, lower=0.30)),
    ("w ʍ ɥ", Shape(jaw=0.12, round=1.00, spread=-0.3)),
    ("j ʲ", Shape(jaw=0.20, spread=0.80, upper=0.42, lower=0.50)),
)
_CONSONANTS = {name: shape for names, shape in _GROUPS for name in names.split()}
REST = Shape(close=1.0)

# espeak's spelling of Mandarin's vowels in zhi chi shi ri, in zi ci si, and in zhe, he
_SPECIAL = {"i.": "ɨ", "i̪": "ɨ", "o-": "ɤ"}
_MARKS = "ˈˌːˑ:-."  # stress, length and tone, which change no shape
_HUSH_SECONDS = 0.085  # a gap before a phoneme of at most this length is its closure

# Dominance by control: (alpha, theta per second). Rounding has the widest reach.
_VOWEL_DOMINANCE = {
    "jaw": (1.0, 13.0),
    "round": (1.0, 9.0),
    "spread": (1.0, 11.0),
    "tongue": (0.7, 20.0),
}
_CONSONANT_DOMINANCE = {
    "jaw": (0.95, 26.0),
    "round": (0.35, 24.0),
    "spread": (0.30, 24.0),
    "tongue": (1.2, 24.0),
}
_SHARP = {"upper": (0.9, 22.0), "lower": (0.9, 22.0), "tongue_out": (1.3, 26.0)}


def shapes_of(phoneme: str) -> list[tuple[Shape, bool]]:
    """The shapes that a phoneme passes through, each with whether it is a vowel; [] if unknown."""
    bare = phoneme.translate({ord(mark): None for mark in "ˈˌːˑ"})
    if bare in _CONSONANTS:
        return [(_CONSONANTS[bare], False)]
    if bare in _SPECIAL:
        return [(_VOWELS[_SPECIAL[bare]], True)]
    found: list[tuple[Shape, bool]] = []
    for letter in bare:
        if letter in _VOWELS:
            found.append((_VOWELS[letter], True))
        elif letter in _CONSONANTS:
            found.append((_CONSONANTS[letter], False))
        elif letter not in _MARKS:
            return []
    return found


def with_closures(segments: Sequence[Segment]) -> list[Segment]:
    """The segments with each short gap joined to the phoneme after it, without empty segments."""
    result: list[Segment] = []
    for number, segment in enumerate(segments):
        following = segments[number + 1] if number + 1 < len(segments) else None
        is_gap = segment.phoneme == "" and segment.end - segment.start <= _HUSH_SECONDS
        if is_gap and following is not None and following.phoneme:
            continue
        start = segment.start
        if number and segments[number - 1].phoneme == "" and segment.phoneme:
            before = segments[number - 1]
            if before.end - before.start <= _HUSH_SECONDS:
                start = before.start
        if segment.end > start:
            result.append(Segment(segment.phoneme, start, segment.end))
    return result


def track(
    segments: Sequence[Segment],
    frames: int,
    *,
    loudness: NDArray[np.float32],
    articulation: float = 1.0,
    spread: float = 1.0,
    rest_open: float = 0.0,
) -> list[Shape]:
    """The mouth's shape in each frame: the mean over the middle half of the frame's 40 ms.

    segments: the phonemes of the clip. loudness: (frames,) in 0..1, which opens the jaw a little.
    articulation, spread: scale a person's movements. rest_open: opens the lips at rest.
    """
    steps = 4
    at = (np.arange(frames)[:, None] + np.linspace(0.3, 0.7, steps)[None, :]).ravel() / FPS
    targets: list[tuple[Shape, bool, float, float]] = []
    for segment in with_closures(segments):
        shapes = shapes_of(segment.phoneme) or [(REST, True)]
        long = (segment.end - segment.start) / len(shapes)
        for number, (shape, is_vowel) in enumerate(shapes):
            start = segment.start + number * long
            rests = segment.phoneme == ""
            targets.append((shape, is_vowel and not rests, start, start + long))
    values = np.zeros((len(at), len(CONTROLS)))
    if targets:
        values[:, :_BLENDED] = _blend(targets, at)
        for control in range(_BLENDED, len(CONTROLS)):
            values[:, control] = _reached(targets, CONTROLS[control], at)
    else:
        values[:, CONTROLS.index("close")] = 1.0
    jaw, close = CONTROLS.index("jaw"), CONTROLS.index("close")
    gain = articulation * (0.78 + 0.36 * np.repeat(loudness, steps))
    values[:, jaw] *= gain
    values[:, CONTROLS.index("spread")] *= spread
    press = CONTROLS.index("press")
    silent = np.clip(values[:, close] - values[:, press] * 1.5, 0.0, 1.0)
    values[:, close] -= rest_open * silent
    values[:, jaw] += 0.35 * rest_open * silent
    mean = values.reshape(frames, steps, len(CONTROLS)).mean(axis=1)
    return [Shape(*(float(value) for value in row)) for row in mean]


def _blend(
    targets: Sequence[tuple[Shape, bool, float, float]], at: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Dominance-weighted means of the targets, (len(at), _BLENDED)."""
    start = np.array([target[2] for target in targets])
    end = np.array([target[3] for target in targets])
    # distance to the segment's middle 35 %, within which the dominance is full
    middle, half = (start + end) / 2, (end - start) / 2
    away = np.maximum(np.abs(at[:, None] - middle) - 0.35 * half, 0.0)
    goal = np.array([[getattr(shape, name) for name in CONTROLS] for shape, *_ in targets])
    blended = np.zeros((len(at), _BLENDED))
    for control in range(_BLENDED):
        name = CONTROLS[control]
        pairs = []
        for shape, is_vowel, *_ in targets:
            table = _VOWEL_DOMINANCE if is_vowel else _CONSONANT_DOMINANCE
            alpha, theta = table.get(name) or _SHARP[name]
            if not is_vowel and name in ("round", "spread") and abs(getattr(shape, name)) > 0.3:
                alpha *= 2.5  # only rounded or spread consonants determine the lips themselves
            if shape is REST:
                alpha, theta = 1.0, 16.0
            if shape.tuck and name in ("upper", "jaw"):
                alpha *= 2.5
            pairs.append((alpha, theta))
        alphas, thetas = np.array(pairs).T
        weight = alphas * np.exp(-thetas * away) + 1e-9
        blended[:, control] = (weight * goal[:, control]).sum(axis=1) / weight.sum(axis=1)
    return blended


def _reached(
    targets: Sequence[tuple[Shape, bool, float, float]], name: str, at: NDArray[np.float64]
) -> NDArray[np.float64]:
    """A control's values (len(at),): in full within its segments, with short flanks."""
    value = np.zeros(len(at))
    for shape, _is_vowel, start, end in targets:
        goal = getattr(shape, name)
        if not goal:
            continue
        # a closure lasts at least 60 ms so that 25 fps cannot miss it
        short = max(0.0, 0.06 - (end - start)) / 2
        first, last = start - short, end + short
        flank = 0.045 if shape is not REST else 0.09
        outside = np.maximum(np.maximum(first - at, at - last), 0.0)
        ease = np.clip(1.0 - outside / flank, 0.0, 1.0)
        value = np.maximum(value, goal * ease * ease * (3 - 2 * ease))
    return value
