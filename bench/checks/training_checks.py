"""Contract check of trainable plugins: they train, and continue where they were stopped."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from bench.checks.ladders import Specimen, talking_patterns
from bench.checks.subject import CheckFailed, NamedCheck, Subject, raise_if_written, watched
from bench.ground.types import Clip
from bench.train.loop import CHECKPOINT
from bench.train.trainable import Trainable, TrainJob

SEED = 7
NAME = "trains and goes on where it was stopped"


def training_checks(subject: Subject, plugin: type[Trainable]) -> Iterator[NamedCheck]:
    if plugin.quick is not None:
        yield NAME, lambda: _check_training(subject, plugin)


def training_job(
    plugin: type[Trainable], folder: Path, *, resume: bool = False, **settings: object
) -> TrainJob[Any]:
    """A training on two talking patterns, in `folder`. settings: in place of those of `quick`."""
    clips = _written(talking_patterns(2), folder / "clips")
    return _job(plugin, clips, folder, resume=resume, **settings)


def _check_training(subject: Subject, plugin: type[Trainable]) -> None:
    specimens = subject.specimens()[:2]  # from the usual cache, where they may be already
    with watched() as root:
        os.environ["BENCH_CACHE"] = str(root / "cache")  # `watched` puts the old one back
        clips = _written(specimens, root / "inputs")
        whole = plugin.train(_job(plugin, clips, root / "whole"))
        if not whole.is_file() or root / "whole" not in whole.parents:
            raise CheckFailed(f"train() returned {whole}; expected a file in the job's folder")
        stopped = _job(plugin, clips, root / "stopped")
        stopped.log.addHandler(_Stopping())
        try:
            plugin.train(stopped)
        except KeyboardInterrupt:
            stopped.log.handlers.clear()
        else:
            raise CheckFailed("quick: there is no second report; report_every has to be smaller")
        if not list((root / "stopped").rglob(CHECKPOINT)):
            raise CheckFailed(
                "quick: there is no checkpoint before the second report; save_every has to be "
                "report_every"
            )
        resumed = plugin.train(_job(plugin, clips, root / "stopped", resume=True))
        if resumed.read_bytes() != whole.read_bytes():
            raise CheckFailed(
                "a training that was stopped and resumed ends with different weights: the state "
                "given to `run` is incomplete, or a batch depends on more than its step and seed"
            )
        raise_if_written(root, allowed=("inputs", "whole", "stopped", "cache"))


def _job(
    plugin: type[Trainable],
    clips: tuple[Clip, ...],
    folder: Path,
    *,
    resume: bool = False,
    **settings: object,
) -> TrainJob[Any]:
    log = logging.Logger("bench.checks.training")  # for this job only
    return TrainJob(
        train=clips,
        val=clips,
        settings=plugin.Settings.model_validate({**(plugin.quick or {}), **settings}),
        folder=folder,
        seed=SEED,
        resume=resume,
        device="cpu",
        log=log,
    )


def _written(specimens: Sequence[Specimen], folder: Path) -> tuple[Clip, ...]:
    """The specimens written to files, as clips with the boxes of their faces."""
    from bench import media

    folder.mkdir(parents=True, exist_ok=True)
    clips = []
    for clean in specimens:
        video, name = clean.sample.video, clean.sample.case.id
        path = folder / f"{name}.mp4"
        media.write_video(path, video.read(), sound=video.sound())
        left, top, right, bottom = (float(edge) for edge in video.faces().boxes[0])
        box = (left, top, right - left, bottom - top)
        clips.append(Clip(name, path, speaker=f"checks/{name}", box=box))
    return tuple(clips)


class _Stopping(logging.Handler):
    """Ends a training at its second report, as a second Ctrl-C would."""

    def __init__(self) -> None:
        super().__init__()
        self.reports = 0

    def emit(self, record: logging.LogRecord) -> None:
        self.reports += record.getMessage().startswith("step ")
        if self.reports == 2:
            raise KeyboardInterrupt
