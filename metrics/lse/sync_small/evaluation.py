"""Evaluates the scorer: offsets, also after shifting the sound, and truth above the controls.

By corpus and by speaker, on any clips; `python -m tests.scorer_report` writes the card's table.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from bench.contract.video import Video
from bench.data.conform import conform_clip
from bench.data.pairs import partner
from bench.ground.errors import BenchError, Undefined
from bench.ground.types import SAMPLES_PER_FRAME, Clip, Sound
from bench.train.ready_clips import Detector, RawClip
from metrics.lse import core
from metrics.lse.front_end import tracked
from metrics.lse.sync_small.scorer import SmallSync

MOVES = (-5, -4, -3, -2, -1, 1, 2, 3, 4, 5)  # frames

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Verdict:
    """The scorer's results on one clip: of the truth, with another clip's speech, and frozen."""

    clip: Clip
    offset: int
    lse_d: float
    lse_c: float
    mismatched: float
    still: float
    found_again: float  # share of the sound's shifts that the offset followed, within a frame

    @property
    def figures(self) -> tuple[float, ...]:
        """In sync, found again, above mismatched and still (0 to 1); LSE-C of the three; LSE-D."""
        return (
            float(abs(self.offset) <= 1),
            self.found_again,
            float(self.lse_c > self.mismatched),
            float(self.lse_c > self.still),
            self.lse_c,
            self.mismatched,
            self.still,
            self.lse_d,
        )


@dataclass(frozen=True)
class Evaluation:
    """Verdicts by corpus, and the clips that could not be scored, with reasons."""

    verdicts: Mapping[str, Sequence[Verdict]]
    left_out: Sequence[tuple[str, str]]

    def table(self) -> str:
        """Markdown: one row per corpus, followed by one row per speaker."""
        columns = (
            "clips | n | offset (median) | within ±1 | found again | above mismatched | above still"
            " | LSE-C truth | mismatched | still | LSE-D"
        )
        lines = [f"| {columns} |", "|---" * len(columns.split(" | ")) + "|"]
        for corpus, verdicts in self.verdicts.items():
            lines.append(_row(f"**{corpus}**", verdicts))
            names = sorted({verdict.clip.speaker for verdict in verdicts})
            lines += [_row(name, [v for v in verdicts if v.clip.speaker == name]) for name in names]
        lines += [f"\n{name}: not scored: {reason}" for name, reason in self.left_out]
        return "\n".join(lines)


def evaluate(
    corpora: Mapping[str, Sequence[Clip]], *, scorer: SmallSync, detector: Detector, cache: Path
) -> Evaluation:
    """Verdicts on all clips, conformed, tracked and cropped as in a run."""
    verdicts: dict[str, list[Verdict]] = {}
    left_out: list[tuple[str, str]] = []
    for corpus, clips in corpora.items():
        partners = partner(clips, seed=0)
        verdicts[corpus] = []
        for clip in clips:
            try:
                crops, sound = _crops_and_sound(clip, detector, cache)
                other = partners.get(clip.id)
                speech = None if other is None else _sound(other, cache)
                verdicts[corpus].append(judge(clip, crops, sound, speech, scorer))
            except (BenchError, Undefined) as reason:
                left_out.append((clip.id, str(reason)))
            log.info("%s: %d of %d", corpus, len(verdicts[corpus]), len(clips))
    return Evaluation(verdicts, left_out)


def judge(
    clip: Clip, crops: core.Crops, sound: Sound, speech: Sound | None, scorer: SmallSync
) -> Verdict:
    """Compares one clip with its controls. speech: another clip's, or None."""
    count = core.windows(len(crops), len(sound))
    picture, own = scorer.embed(crops, sound)
    truth = core.lse(picture, own)
    frozen = scorer.see(np.repeat(crops[:1], len(crops), axis=0), count)
    wrong = np.nan
    if speech is not None:
        fitted = np.pad(speech[: len(sound)], (0, max(0, len(sound) - len(speech))))
        wrong = core.lse(picture, scorer.hear(fitted, count)).lse_c
    again = [
        abs(_offset(picture, scorer.hear(moved(sound, frames), count)) + frames - truth.offset) <= 1
        for frames in MOVES
    ]
    return Verdict(
        clip=clip,
        offset=truth.offset,
        lse_d=truth.lse_d,
        lse_c=truth.lse_c,
        mismatched=wrong,
        still=core.lse(frozen, own).lse_c,
        found_again=float(np.mean(again)),
    )


def moved(sound: Sound, frames: int) -> Sound:
    """The sound `frames` frames later (earlier if negative), filled up with silence."""
    samples = frames * SAMPLES_PER_FRAME
    silence = np.zeros(abs(samples), dtype=np.int16)
    if samples >= 0:
        return np.concatenate([silence, sound[: len(sound) - samples]])
    return np.concatenate([sound[-samples:], silence])


def _crops_and_sound(clip: Clip, detector: Detector, cache: Path) -> tuple[core.Crops, Sound]:
    video, sound = RawClip(clip, detector, cache).opened()
    return tracked(video.read(), video.faces()), sound


def _sound(clip: Clip, cache: Path) -> Sound | None:
    return Video(conform_clip(clip, cache=cache).path).sound()


def _offset(picture: core.Embeddings, sound: core.Embeddings) -> int:
    return core.lse(picture, sound).offset


def _row(name: str, verdicts: Sequence[Verdict]) -> str:
    if not verdicts:
        return f"| {name} | 0 | | | | | | | | | |"
    median = f"{np.median([v.offset for v in verdicts]):.0f}"
    shares = [f"{v:.1%}" for v in np.nanmean([v.figures[:4] for v in verdicts], axis=0)]
    means = [f"{v:.3f}" for v in np.nanmean([v.figures[4:] for v in verdicts], axis=0)]
    return f"| {name} | {len(verdicts)} | " + " | ".join([median, *shares, *means]) + " |"
