"""Set metrics: opens each video once for all of them, and summarises a set's references once.

The sets of a data set are summarised side by side, case by case, so that no video is decoded twice,
and none at all if the metrics read features that are on disk.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from bench.contract.plugins import SetMetric, Values
from bench.contract.video import Video
from bench.files.digests import set_digest
from bench.files.paths import cache_dir
from bench.ground.errors import Undefined
from bench.machine.faults import raise_machine_fault
from bench.records.record import MeasurementRecord
from bench.records.store import KnownGeneration
from bench.run.casework import CaseWorker, measurement_of
from bench.run.planned import PlannedCase, PlannedMetric, RunSettings


@dataclass(frozen=True)
class PlannedSet:
    """The finished videos of one method on one kind of case in one data set, for one metric.

    asked: how many videos there should be, with those that the config does not ask of the method.
    """

    metric: PlannedMetric
    key: str
    videos: tuple[tuple[PlannedCase, KnownGeneration], ...]
    asked: int

    @property
    def references(self) -> tuple[str | None, ...]:
        """The digests of the videos' references."""
        return tuple(made.reference_sha256 for _, made in self.videos)


@dataclass(frozen=True)
class _Feed:
    """One video to be added to one summary; `open` opens it without decoding."""

    sha256: str
    open: Callable[[], Video]
    summary: _Summary


def measure_sets(
    worker: CaseWorker,
    settings: RunSettings,
    sets: Sequence[PlannedSet],
    places: Mapping[str, int],
) -> Iterator[MeasurementRecord]:
    """The record of each set, data set by data set.

    places: each case's place in the order in which videos are opened, by case key.
    """
    by_dataset: dict[str, list[PlannedSet]] = {}
    for one in sets:
        by_dataset.setdefault(one.videos[0][0].case.dataset, []).append(one)
    for together in by_dataset.values():
        yield from _measured_together(worker, settings, together, places)


def _measured_together(
    worker: CaseWorker,
    settings: RunSettings,
    sets: Sequence[PlannedSet],
    places: Mapping[str, int],
) -> Iterator[MeasurementRecord]:
    """The records of one data set's sets, summarised side by side."""
    feeds: dict[PlannedCase, list[_Feed]] = {}
    references: dict[tuple[str, tuple[str | None, ...]], _Summary] = {}
    for one in sets:
        shared = one.metric.label, one.references
        if one.metric.needs_reference and shared not in references:
            references[shared] = _Summary(worker, settings, one.metric)
            for planned, made in one.videos:
                opener = partial(worker.reference_of, made, planned.case.face, settings)
                feed = _Feed(str(made.reference_sha256), opener, references[shared])
                feeds.setdefault(planned, []).append(feed)
    summaries = [_Summary(worker, settings, one.metric) for one in sets]
    for one, summary in zip(sets, summaries, strict=True):
        for planned, made in one.videos:
            opener = partial(worker.video, made, planned.case.face, settings)
            feeds.setdefault(planned, []).append(_Feed(made.sha256, opener, summary))
    _feed(feeds, places)
    for one, summary in zip(sets, summaries, strict=True):
        yield _record(
            worker, settings, one, summary, references.get((one.metric.label, one.references))
        )


def _feed(feeds: Mapping[PlannedCase, Sequence[_Feed]], places: Mapping[str, int]) -> None:
    """Opens each video once, for all summaries that take it in.

    Keeps one video and its reference in memory: the video of `truth` is often the same file, and
    the next case may have the same face.
    """
    held: dict[str, Video] = {}
    for planned in sorted(feeds, key=lambda planned: places[planned.key]):
        by_digest: dict[str, list[_Feed]] = {}
        for feed in feeds[planned]:
            by_digest.setdefault(feed.sha256, []).append(feed)
        first = next(iter(by_digest))  # a reference, where any is read
        held = {sha256: video for sha256, video in held.items() if sha256 == first}
        for sha256, wanted in by_digest.items():
            for feed in wanted:
                feed.summary.take_in(planned, held, feed)
            if sha256 != first:
                held.pop(sha256, None)


class _Summary:
    """The summary of one set, or the error that it met, and the time that it took."""

    def __init__(self, worker: CaseWorker, settings: RunSettings, metric: PlannedMetric) -> None:
        self.seconds = 0.0
        self._worker = worker
        self._settings = settings
        self._metric = metric
        self._summary: Any = None
        self._error: Exception | None = None
        self._attempt(self._start)

    def take_in(self, planned: PlannedCase, held: dict[str, Video], feed: _Feed) -> None:
        """Adds a video to the summary, unless an earlier step failed. held: the open videos."""

        def update() -> None:
            if feed.sha256 not in held:
                held[feed.sha256] = feed.open()
            try:
                self._plugin.update(self._summary, held[feed.sha256])
            except Undefined as reason:
                raise Undefined(f"{planned.case.id}: {reason}") from reason

        if self._error is None:
            self._attempt(update)

    def whole(self) -> Any:
        """The finished summary; raises the error that the set met."""
        if self._error is not None:
            raise self._error
        return self._summary

    def values(self, references: _Summary | None) -> Values:
        """The values of the set; raises Undefined, or whatever else the metric raises."""
        own = self.whole()
        return self._plugin.compute(own, None if references is None else references.whole())

    @property
    def _plugin(self) -> SetMetric:
        plugin = self._worker.plugins.metric(self._metric, self._settings)
        assert isinstance(plugin, SetMetric)
        return plugin

    def _start(self) -> None:
        self._summary = self._plugin.start()

    def _attempt(self, step: Callable[[], None]) -> None:
        with self._worker.clock.busy() as span:
            try:
                step()
            except Exception as error:  # a plugin's or a file's: it costs only this set
                raise_machine_fault(error, ours=(self._settings.folder, cache_dir()))
                self._error = error
        self.seconds += span.seconds


def _record(
    worker: CaseWorker,
    settings: RunSettings,
    one: PlannedSet,
    summary: _Summary,
    references: _Summary | None,
) -> MeasurementRecord:
    together = set_digest(made.sha256 for _, made in one.videos)
    record = measurement_of(one.metric, one.key, one.videos[0][1].method_protocol, together)

    def compute() -> Values:
        missing = one.asked - len(one.videos)
        if missing and one.metric.needs_whole_set:
            raise Undefined(
                f"{missing} of {one.asked} videos are missing, and a value over other cases could "
                "not be compared"
            )
        return summary.values(references)

    measured = worker.measured(record, one.metric, settings, compute)
    return replace(measured, seconds=summary.seconds + measured.seconds)
