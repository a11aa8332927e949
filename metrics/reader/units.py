"""What is read from lips: the words of GRID's sentences, or visemes of speech in general."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from itertools import groupby

from bench.data import grid
from bench.data.synth import timings
from bench.data.synth.speech import Synthesiser
from bench.data.synth.visemes import Shape, shapes_of, with_closures
from bench.ground.errors import Undefined
from bench.ground.types import Clip
from metrics.reader.pronouncing import plain_voice
from metrics.reader.settings import UnitKind

REST = 0  # the class of a mouth that says nothing, and of the gaps between units

WORDS = ("", *dict.fromkeys(word for slot in grid.GRAMMAR for word in slot))
SLOTS = tuple(tuple(WORDS.index(word) for word in slot) for slot in grid.GRAMMAR)
SLOT_NAMES = ("command", "colour", "preposition", "letter", "digit", "adverb")

# Groups of phonemes that look alike, after MPEG-4's visemes (`bench.data.synth.visemes`).
VISEMES = (
    "",
    "P",  # p b m: lips closed
    "F",  # f v: lip at the teeth
    "D",  # th: tongue between the teeth
    "T",  # t d n l: tongue behind the teeth
    "K",  # k g x h ng: nothing at the lips
    "S",  # s z ts, Mandarin's x q j: teeth close, lips spread
    "C",  # sh ch zh r: teeth close, lips forward
    "A",  # open
    "E",  # half open
    "I",  # spread
    "O",  # rounded, open
    "U",  # rounded, narrow; w, y
)
# espeak's voices that a text may be said in, as clips of the language are: one reading is compared
# with each, and the nearest counts, since a manifest does not say who speaks which.
PRONUNCIATIONS = {"zh": ("cmn",), "en": ("en", "en-us", "en-GB-x-rp", "en-GB-scotland")}


@dataclass(frozen=True)
class Spoken:
    """A unit, by its class, from start to end in seconds."""

    unit: int
    start: float
    end: float


def classes(kind: UnitKind) -> tuple[str, ...]:
    """The names of the classes; the first is REST."""
    return WORDS if kind == "words" else VISEMES


def spoken_in(clip: Clip, kind: UnitKind) -> list[Spoken]:
    """The units of a clip with their times, to train on: GRID's words, or embedded visemes.

    Raises BenchError where the times are not known.
    """
    if kind == "words":
        rows = grid.words_of(clip)
        return [Spoken(WORDS.index(row.word), row.start, row.end) for row in rows]
    found: list[Spoken] = []
    for segment in with_closures(timings.phonemes_of(clip)):
        parts = visemes_of(segment.phoneme)
        long = (segment.end - segment.start) / max(len(parts), 1)
        for number, unit in enumerate(parts):
            start = segment.start + number * long
            found.append(Spoken(unit, start, start + long))
    return found


def said(text: str, language: str, kind: UnitKind) -> list[tuple[int, ...]]:
    """The ways in which a text may be said, each as classes, no class twice in a row.

    Raises Undefined for a text that is none of GRID's sentences, or is of no language that has
    visemes here.
    """
    if not text:
        raise Undefined("the data set gives no text of this speech")
    if kind == "words":
        spoken = text.lower().split()
        if len(spoken) != len(SLOTS) or any(
            word not in slot for word, slot in zip(spoken, grid.GRAMMAR, strict=True)
        ):
            raise Undefined(f"{text!r} is no sentence of GRID's grammar")
        return [tuple(WORDS.index(word) for word in spoken)]
    if language not in PRONUNCIATIONS:
        raise Undefined(
            f"language {language!r}: visemes are known of {' and '.join(PRONUNCIATIONS)} only"
        )
    return list(_said_aloud(text, language))


@cache
def _said_aloud(text: str, language: str) -> tuple[tuple[int, ...], ...]:
    ways: list[tuple[int, ...]] = []
    with Synthesiser() as synthesiser:
        for voice in PRONUNCIATIONS[language]:
            spoken = synthesiser.speak(text, voice, plain_voice(), rate=175)
            units = [unit for one in spoken.segments for unit in visemes_of(one.phoneme)]
            ways.append(collapsed(units))
    return tuple(dict.fromkeys(ways))


def collapsed(units: Sequence[int]) -> tuple[int, ...]:
    """The units without rests, runs of one unit as one, for a mouth that keeps its shape rests not.

    A text does not say where its speaker pauses, so a unit on both sides of a rest counts once.
    """
    return tuple(unit for unit, _ in groupby(unit for unit in units if unit != REST))


def visemes_of(phoneme: str) -> list[int]:
    """The visemes that a phoneme in espeak's spelling passes through; none for a pause."""
    names = [_name(shape, is_vowel) for shape, is_vowel in shapes_of(phoneme)]
    return [VISEMES.index(name) for name in names]


def _name(shape: Shape, is_vowel: bool) -> str:
    """The viseme of a mouth's shape."""
    if is_vowel:
        return _vowel(shape)
    if shape.close:
        return "P"
    if shape.tuck:
        return "F"
    if shape.tongue_out:
        return "D"
    if shape.tongue:
        return "T"
    if shape.round >= 1.0:
        return "U"
    if shape.round:
        return "C"
    if shape.spread >= 0.8:
        return "I"
    return "S" if shape.spread > 0.3 else "K"


def _vowel(shape: Shape) -> str:
    if shape.round > 0.4:
        return "U" if shape.jaw < 0.3 else "O"
    if shape.jaw < 0.3:
        return "I"
    return "A" if shape.jaw >= 0.65 else "E"
