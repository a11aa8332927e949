"""Preparations: a method learns one person, in a folder that survives a kill; yields records."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import overload

from bench.contract.jobs import PrepareJob
from bench.contract.video import Video
from bench.data import synth
from bench.data.lasting_names import lasting_name
from bench.files.digests import seed_of
from bench.files.lock import locked
from bench.files.paths import cache_dir
from bench.ground.types import Clip
from bench.machine.clock import Clock, now
from bench.records.record import PreparationRecord
from bench.records.schema import SCHEMA
from bench.run.casework import CaseWorker, failed, job_log
from bench.run.planned import PreparationTask, RunSettings
from bench.run.prepared_folder import PreparedFolder


@dataclass(frozen=True)
class StartPersonWorker:
    """Starts workers that prepare for a run into `folder`, in this process or another."""

    folder: Path
    clock: Clock

    def __call__(self, device: str) -> PersonWorker:
        """A worker on that device."""
        return PersonWorker(device, self.clock)


class PersonWorker:
    """Works through preparations; plugins are loaded on first use."""

    def __init__(self, device: str, clock: Clock) -> None:
        self._device = device
        self._worker = CaseWorker(device, clock)

    def work(self, tasks: Iterable[PreparationTask]) -> Iterator[PreparationRecord]:
        """The record of each preparation, as soon as it has ended."""
        for task in tasks:
            # Wait for another run that prepares the same, and take its result.
            with locked(PreparedFolder(cache_dir(), task.key).lock, lasting=False):
                yield prepared_before(task) or self._prepare(task)

    def _prepare(self, task: PreparationTask) -> PreparationRecord:
        settings, planned = task.settings, task.planned
        folder = PreparedFolder(settings.folder, task.key)
        folder.clear_damaged()
        folder.files.mkdir(parents=True, exist_ok=True)
        record = PreparationRecord(
            schema=SCHEMA,
            key=task.key,
            status="failed",
            method=task.method,
            method_key=planned.key,
            person=task.person,
            dataset=task.dataset,
            clips=tuple(clip.sha256 or lasting_name(clip) for clip in task.clips),
            seconds=0.0,
            started=now(),
            device=self._device,
            log=folder.log.relative_to(settings.folder).as_posix(),
            folder=folder.files.relative_to(settings.folder).as_posix(),
        )
        with self._worker.clock.busy() as span, job_log(folder.log, goes_on=True) as log:
            try:
                clips = _Clips(self._worker, task.clips, settings)
                features = self._worker.features_of(settings).protocols
                seed = seed_of(settings.seed, "prepare", task.person)
                plugin = self._worker.plugins.method(planned, settings)
                names = tuple(map(lasting_name, task.clips))
                plugin.prepare(
                    PrepareJob(
                        task.person, clips, folder.files, seed, self._device, log, names, features
                    )
                )
                folder.check()
                record = dataclasses.replace(record, status="ok")
            except Exception as error:
                record = failed(record, error, settings.folder)
        record = dataclasses.replace(record, seconds=span.seconds)
        if record.status == "ok":
            folder.finish(record)
            folder.copy_to(cache_dir())
        return record


def prepared_before(task: PreparationTask) -> PreparationRecord | None:
    """The record of a preparation that this or another run has finished; else None."""
    folder = PreparedFolder(task.settings.folder, task.key)
    if folder.record() is None and PreparedFolder(cache_dir(), task.key).record() is not None:
        PreparedFolder(cache_dir(), task.key).copy_to(task.settings.folder)
    record = folder.record()
    if record is None:
        return None
    # The other run may have other labels for the method and the data set.
    return dataclasses.replace(record, method=task.method, dataset=task.dataset)


class _Clips(Sequence[Video]):
    """A person's clips; each access conforms the clip, if that was not done, and opens it anew.

    Those of an embedded corpus are rendered now, if that was not done.
    """

    def __init__(self, worker: CaseWorker, clips: Sequence[Clip], settings: RunSettings) -> None:
        self._worker = worker
        self._clips = clips
        self._settings = settings

    def __len__(self) -> int:
        return len(self._clips)

    @overload
    def __getitem__(self, index: int) -> Video: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Video]: ...
    def __getitem__(self, index: int | slice) -> Video | Sequence[Video]:
        if isinstance(index, slice):
            return _Clips(self._worker, self._clips[index], self._settings)
        clip = self._clips[index]
        known = clip if clip.sha256 else synth.rendered(clip)
        return self._worker.reference(known, self._settings)
