"""Fits the predictor; `bench train configs/train/lip_motion.yaml` runs it.

There is nothing to iterate: one system of linear equations over all frames. The figures of `val`
are written for the reader; nothing is chosen by them.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bench.files.one_move import in_one_move
from bench.files.paths import cache_dir
from bench.files.spreadsheets import OwnText, csv_text
from bench.ground.errors import BenchError
from bench.ground.types import Clip, Sound
from bench.train.ready_clips import Arrays, Detector, RawClip, ReadyClip, all_ready
from bench.train.trainable import TrainJob
from metrics.lip_motion.agreement import LEAST_FRAMES, agree
from metrics.lip_motion.mouth_curves import mouth_curves, quick_part
from metrics.lip_motion.predictor import Example, Predictor, fit, heard_rows
from metrics.lip_motion.settings import Settings
from metrics.lip_motion.speech_bands import heard

FILE = "lip_motion.safetensors"
CURVES_VERSION = "1"  # raise it when what is stored changes
LEAST_SEEN = 0.9  # share of frames with a face in a clip to fit to


class MotionClip(ReadyClip):
    """A clip made ready: how its mouth moves, and its sound."""

    def curves(self) -> NDArray[np.float64]:
        """(T, 4), the quick part, in eye distances."""
        return np.asarray(self.array("curves"))

    def seen(self) -> NDArray[np.bool_]:
        """(T,), the frames with a face."""
        return np.asarray(self.array("seen"))

    def sound(self) -> Sound:
        """(S,) int16."""
        return np.asarray(self.array("sound"))


def train(job: TrainJob[Settings]) -> Path:
    """Fits the map to the clips of `train`; writes it, and `val.csv` with the figures of `val`."""
    target = job.folder / FILE
    if job.resume and target.is_file():
        return target
    job.folder.mkdir(parents=True, exist_ok=True)
    clips = _ready(evenly(job.train, job.settings.clips), job, split="train")
    settings = job.settings
    examples = [example(one) for one in clips]
    predictor = fit(examples, ridge=settings.ridge, weights=settings.weights)
    val = _ready(evenly(job.val, job.settings.clips), job, split="val")
    _write_figures(job.folder / "val.csv", predictor, val, job.log)
    return predictor.save(target)


def example(clip: MotionClip) -> Example:
    """The frames of a clip in which its sound is heard."""
    curves = clip.curves()
    known = heard(clip.sound(), len(curves))
    if not known.any():
        raise BenchError(f"{clip.id}: its sound is digitally silent")
    return Example(heard_rows(clip.sound(), known), curves[known], clip.dataset)


def evenly(clips: Sequence[Clip], count: int | None) -> list[Clip]:
    """At most `count` clips of each data set, evenly spaced."""
    by_dataset: dict[str, list[Clip]] = {}
    for clip in clips:
        by_dataset.setdefault(clip.speaker.rpartition("/")[0], []).append(clip)
    taken: list[Clip] = []
    for own in by_dataset.values():
        wanted = len(own) if count is None else min(count, len(own))
        taken += own[:: len(own) // wanted][:wanted]
    return taken


def _ready(clips: Sequence[Clip], job: TrainJob[Settings], *, split: str) -> list[MotionClip]:
    faces: Detector = job.settings.faces
    raw = [RawClip(clip, faces, cache_dir(), landmarks="small") for clip in clips]
    return all_ready(raw, _made, split=split, log=job.log)


def _made(raw: RawClip) -> MotionClip:
    return raw.ready("lip_motion", _arrays, version=CURVES_VERSION, of=MotionClip)


def _arrays(raw: RawClip) -> Arrays:
    video, sound = raw.opened()
    curves, seen = mouth_curves(video.feature("landmarks"))
    if len(curves) < LEAST_FRAMES:
        raise BenchError(f"it has fewer than {LEAST_FRAMES} frames")
    if seen.mean() < LEAST_SEEN:
        raise BenchError(f"it shows a face in less than {LEAST_SEEN:.0%} of its frames")
    return {"curves": quick_part(curves, seen), "seen": seen, "sound": sound}


def _write_figures(
    path: Path, predictor: Predictor, clips: Sequence[MotionClip], log: logging.Logger
) -> None:
    """By data set: share of offsets within a frame of 0, mean agreement at 0, mean confidence."""
    found: dict[str, list[tuple[float, float, float]]] = {}
    for clip in clips:
        curves = clip.curves()
        expected, known = predictor.expect(clip.sound(), len(curves))
        one = agree(expected, curves / predictor.usual, known=known, seen=clip.seen())
        figures = float(abs(one.offset) <= 1), one.at_0, one.confidence
        found.setdefault(clip.dataset, []).append(figures)
    rows: list[list[object]] = [["dataset", "clips", "in_step", "motion_at_0", "motion_c"]]
    for name, values in found.items():
        means = np.mean(values, axis=0)
        rows.append([name, len(values), *(OwnText(f"{mean:.4f}") for mean in means)])
        log.info("%s: in step %.3f, at 0 %.3f, confidence %.3f", name, *means)
    with in_one_move(path) as part:
        part.write_text(csv_text(rows), encoding="utf-8")
