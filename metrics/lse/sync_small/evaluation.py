"""Evaluates the scorer on recordings: truth above the controls, and offsets that follow the sound.

By corpus and by speaker, for whole clips and for clips cut short; `python -m tests.scorer_report`
writes the card's table.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.contract.video import Video
from bench.data.conform import conform_clip
from bench.data.pairs import partner
from bench.files.spreadsheets import OwnText, csv_text
from bench.ground.errors import BenchError, Undefined
from bench.ground.stats import area_under_curve
from bench.ground.types import FPS, SAMPLES_PER_FRAME, Clip, Sound
from bench.train.ready_clips import Detector, RawClip
from metrics.lse import core
from metrics.lse.front_end import tracked
from metrics.lse.sync_small.scorer import SmallSync

MOVES = (-5, 5)  # frames
EVERYBODY = "all"  # in place of a speaker's name

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Verdict:
    """The scorer's results on one clip: of the truth, with another clip's speech, and frozen.

    seconds: the length that the clip was cut to; None: the whole clip. offset: frames, with
    fractions, by a parabola through the smallest mean distance and its neighbours. mismatched: NaN
    without another clip. followed: the share of `MOVES` of the sound that the offset followed,
    within a frame.
    """

    clip: Clip
    seconds: float | None
    offset: float
    lse_d: float
    lse_c: float
    mismatched: float
    still: float
    followed: float


@dataclass(frozen=True)
class Summary:
    """What the scorer did on the clips of one speaker, or of a corpus (`EVERYBODY`).

    Shares in [0, 1]; NaN where nothing was asked. auc: the probability that the LSE-C of a true
    clip is above that of any clip with another's speech. offset: the median, in frames, above 0 if
    the sound is early. within_one: the share whose offset, rounded, is at most 1. The other figures
    are means.
    """

    corpus: str
    speaker: str
    seconds: float | None
    clips: int
    above_mismatched: float
    above_still: float
    followed: float
    auc: float
    offset: float
    within_one: float
    lse_c: float
    mismatched: float
    still: float
    lse_d: float


@dataclass(frozen=True)
class Evaluation:
    """Verdicts by corpus, and the clips that could not be scored, with reasons."""

    verdicts: Mapping[str, Sequence[Verdict]]
    left_out: Sequence[tuple[str, str]]

    def summaries(self) -> Iterator[Summary]:
        """Of each corpus and length: everybody, then each speaker."""
        for corpus, verdicts in self.verdicts.items():
            for seconds in dict.fromkeys(verdict.seconds for verdict in verdicts):
                own = [verdict for verdict in verdicts if verdict.seconds == seconds]
                yield summary(corpus, EVERYBODY, own)
                names = sorted({verdict.clip.speaker for verdict in own})
                for name in names if len(names) > 1 else ():
                    yield summary(corpus, name, [v for v in own if v.clip.speaker == name])

    def csv(self) -> str:
        """The summaries as csv, with a heading; missing figures are empty."""
        columns = list(Summary.__annotations__)
        rows = ([_plain(getattr(one, column)) for column in columns] for one in self.summaries())
        return csv_text([columns, *rows])

    def table(self) -> str:
        """The summaries as Markdown, and the clips that were left out."""
        columns = (
            "clips | length | n | above mismatched | above still | moved sound followed | AUC"
            " | offset (median) | within ±1 | LSE-C truth | mismatched | still | LSE-D"
        )
        lines = [f"| {columns} |", "|---" * len(columns.split(" | ")) + "|"]
        lines += [_row(one) for one in self.summaries()]
        lines += [f"\n{name}: not scored: {reason}" for name, reason in self.left_out]
        return "\n".join(lines)


def summary(corpus: str, speaker: str, verdicts: Sequence[Verdict]) -> Summary:
    """Shares and means over at least one verdict, all of one length."""
    compared = [verdict for verdict in verdicts if not np.isnan(verdict.mismatched)]
    truth, wrong = [v.lse_c for v in compared], [v.mismatched for v in compared]
    clusters = [verdict.clip.speaker for verdict in compared]
    return Summary(
        corpus=corpus,
        speaker=speaker,
        seconds=verdicts[0].seconds,
        clips=len(verdicts),
        above_mismatched=_mean([v.lse_c > v.mismatched for v in compared]),
        above_still=_mean([v.lse_c > v.still for v in verdicts]),
        followed=_mean([v.followed for v in verdicts]),
        auc=area_under_curve(truth, wrong, clusters).mean if compared else np.nan,
        offset=float(np.median([v.offset for v in verdicts])),
        within_one=_mean([abs(round(v.offset)) <= 1 for v in verdicts]),
        lse_c=_mean([v.lse_c for v in verdicts]),
        mismatched=_mean(wrong),
        still=_mean([v.still for v in verdicts]),
        lse_d=_mean([v.lse_d for v in verdicts]),
    )


def evaluate(
    corpora: Mapping[str, Sequence[Clip]],
    *,
    scorer: SmallSync,
    detector: Detector,
    cache: Path,
    lengths: Sequence[float | None] = (None,),
) -> Evaluation:
    """Verdicts on all clips, conformed, tracked and cropped as in a run.

    lengths: in seconds, to which each clip is cut in turn (its middle); None: not cut. A clip that
    is shorter than a length has no verdict for it.
    """
    verdicts: dict[str, list[Verdict]] = {}
    left_out: list[tuple[str, str]] = []
    for corpus, clips in corpora.items():
        partners = partner(clips, seed=0)
        verdicts[corpus] = []
        for number, clip in enumerate(clips, start=1):
            try:
                crops, sound = _crops_and_sound(clip, detector, cache)
                speech = _speech_of(partners.get(clip.id), cache)
                for seconds in lengths:
                    found = judge(clip, crops, sound, speech, scorer, seconds=seconds)
                    verdicts[corpus] += [] if found is None else [found]
            except (BenchError, Undefined) as reason:
                left_out.append((clip.id, str(reason)))
            log.info("%s: %d of %d", corpus, number, len(clips))
    # The lengths one after the other; the order of the clips stays.
    order = {seconds: place for place, seconds in enumerate(lengths)}
    for of_corpus in verdicts.values():
        of_corpus.sort(key=lambda verdict: order[verdict.seconds])
    return Evaluation(verdicts, left_out)


def judge(
    clip: Clip,
    crops: core.Crops,
    sound: Sound,
    speech: Sound | None,
    scorer: SmallSync,
    *,
    seconds: float | None = None,
) -> Verdict | None:
    """Compares one clip with its controls; None if it is shorter than `seconds`.

    speech: another clip's, or None. Raises Undefined if the clip is too short for a window.
    """
    if seconds is not None:
        frames = round(seconds * FPS)
        if min(len(crops), len(sound) // SAMPLES_PER_FRAME) < frames:
            return None
        crops, sound = _middle(crops, frames), _middle(sound, frames * SAMPLES_PER_FRAME)
        speech = None if speech is None else _middle(speech, len(sound))
    count = core.windows(len(crops), len(sound))
    picture, own = scorer.embed(crops, sound)
    truth = core.lse(picture, own)
    frozen = np.repeat(scorer.see(np.repeat(crops[:1], core.WINDOW, axis=0), 1), count, axis=0)
    wrong = np.nan
    if speech is not None:
        fitted = np.pad(speech[: len(sound)], (0, max(0, len(sound) - len(speech))))
        wrong = core.lse(picture, scorer.hear(fitted, count)).lse_c
    followed = [
        abs(core.lse(picture, scorer.hear(moved(sound, move), count)).offset + move - truth.offset)
        <= 1
        for move in MOVES
        if abs(truth.offset - move) <= core.SHIFT
    ]
    return Verdict(
        clip=clip,
        seconds=seconds,
        offset=fine_offset(truth),
        lse_d=truth.lse_d,
        lse_c=truth.lse_c,
        mismatched=wrong,
        still=core.lse(frozen, own).lse_c,
        followed=float(np.mean(followed)),
    )


def fine_offset(result: core.LseResult) -> float:
    """The offset with fractions of a frame, in frames.

    The lowest point of the parabola through the smallest mean distance and its neighbours; the
    whole number at either end of the search.
    """
    place = core.SHIFT - result.offset
    if not 0 < place < 2 * core.SHIFT:
        return float(result.offset)
    before, least, after = result.mean_distance[place - 1 : place + 2].astype(np.float64)
    bend = before - 2.0 * least + after
    return float(result.offset - (0.5 * (before - after) / bend if bend > 0 else 0.0))


def moved(sound: Sound, frames: int) -> Sound:
    """The sound `frames` frames later (earlier if negative), filled up with silence."""
    samples = frames * SAMPLES_PER_FRAME
    silence = np.zeros(abs(samples), dtype=np.int16)
    if samples >= 0:
        return np.concatenate([silence, sound[: len(sound) - samples]])
    return np.concatenate([sound[-samples:], silence])


def _middle(values: NDArray[Any], count: int) -> NDArray[Any]:
    first = max(0, (len(values) - count) // 2)
    return values[first : first + count]


def _crops_and_sound(clip: Clip, detector: Detector, cache: Path) -> tuple[core.Crops, Sound]:
    video, sound = RawClip(clip, detector, cache).opened()
    return tracked(video.read(), video.faces()), sound


def _speech_of(clip: Clip | None, cache: Path) -> Sound | None:
    """Another clip's speech; None if it cannot be read: that is no fault of this clip."""
    if clip is None:
        return None
    with contextlib.suppress(BenchError):
        return Video(conform_clip(clip, cache=cache).path).sound()
    return None


def _mean(values: Sequence[float]) -> float:
    return float(np.mean(values, dtype=np.float64)) if len(values) else np.nan


def _plain(value: object) -> object:
    if isinstance(value, float):
        return None if np.isnan(value) else OwnText(f"{value:.4g}")
    return "whole" if value is None else value


def _row(one: Summary) -> str:
    name = f"**{one.corpus}**" if one.speaker == EVERYBODY else one.speaker
    length = "whole" if one.seconds is None else f"{one.seconds:g} s"
    shares = [one.above_mismatched, one.above_still, one.followed]
    cells = ["" if np.isnan(share) else f"{share:.1%}" for share in shares]
    cells += ["" if np.isnan(one.auc) else f"{one.auc:.3f}", f"{one.offset:+.1f}"]
    cells += [f"{one.within_one:.1%}"]
    means = [one.lse_c, one.mismatched, one.still, one.lse_d]
    cells += ["" if np.isnan(mean) else f"{mean:.3f}" for mean in means]
    return f"| {name} | {length} | {one.clips} | {' | '.join(cells)} |"
