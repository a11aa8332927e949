"""The work on one case: its videos are made, conformed and measured; out come records.

Stateless but for the loaded plugins, so that the same code serves one process or several. While a
method computes, finished videos are encoded and the next case's recording is decoded in threads.
"""

from __future__ import annotations

import contextlib
import logging
import math
import shutil
import traceback
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

from bench.contract.jobs import Generation, Job, Sample
from bench.contract.plugins import ClipMetric, Method, Metric, Values
from bench.contract.video import Video
from bench.data.conform import Conformed, conform_clip, fitted_sound
from bench.errors import BenchError, Undefined
from bench.features.computing import Features
from bench.features.store import FeatureStore
from bench.files.digests import digest, seed_of
from bench.files.intact import is_intact, sha256_here
from bench.files.lock import locked
from bench.files.paths import cache_dir
from bench.machine.clock import Clock, now
from bench.machine.faults import raise_full_disk, raise_machine_fault
from bench.records.record import Corners, GenerationRecord, MeasurementRecord
from bench.records.schema import SCHEMA
from bench.records.store import KnownGeneration, known
from bench.run.outputs import conform_output
from bench.run.plan import (
    Plan,
    PlannedCase,
    PlannedMethod,
    PlannedMetric,
    Task,
    generation_key,
    measurement_key,
)
from bench.types import SAMPLES_PER_FRAME, Case, Clip, Sound

_Compute = Callable[[], Values]
CellRecord = GenerationRecord | MeasurementRecord
_Record = TypeVar("_Record", GenerationRecord, MeasurementRecord)


@dataclass(frozen=True)
class _Opened:
    """A case's material, conformed: the face recording, and how long the answer must be."""

    face: Video
    speech: Sound
    other: Video | None
    frames: int
    notes: tuple[str, ...]


class CaseWorker:
    """Works through tasks of one plan into one run folder; plugins are loaded on first use."""

    def __init__(self, plan: Plan, folder: Path, device: str, clock: Clock) -> None:
        self._plan = plan
        self._folder = folder
        self._device = device
        self.clock = clock
        self.places = {planned.key: place for place, planned in enumerate(plan.cases)}
        store = FeatureStore(cache_dir() / "features")
        self._features = Features(plan.features, store=store, device=device)
        self._methods = {method.label: method for method in plan.methods}
        self._metrics = {metric.label: metric for metric in plan.metrics}
        self._loaded: dict[str, Method | Metric | Exception] = {}

    def work(self, tasks: Sequence[Task]) -> Iterator[CellRecord]:
        """The records of all tasks, each as soon as it is known."""
        with ThreadPoolExecutor(2, thread_name_prefix="bench") as pool:
            try:
                ahead = [self._open_later(task, pool) for task in tasks[:1]]
                for place, task in enumerate(tasks, start=1):
                    opened = _result(ahead.pop())
                    ahead += [self._open_later(later, pool) for later in tasks[place : place + 1]]
                    yield from self._case(task, opened, pool)
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)
                raise

    # ---- one case ---------------------------------------------------------------------------

    def _case(
        self, task: Task, opened: _Opened | Exception, pool: ThreadPoolExecutor
    ) -> Iterator[CellRecord]:
        planned = self._plan.cases[task.index]
        there = {
            label: video for label, video in task.made.items() if self._is_usable(video, opened)
        }
        damaged = [label for label in task.made if label not in there]
        pending = [
            (label, self._generate(self._methods[label], planned, opened, pool))
            for label in (*task.generate, *damaged)
        ]
        for label, future in pending:
            record = future.result()
            yield record
            if record.status == "ok":
                there[label] = known(record)
        done: set[str] = set()
        # What was made again is measured again as a whole: its bytes may be others than before.
        whole = dict.fromkeys(damaged, self._plan.measured(planned))
        measure = {**task.measure, **whole}
        ready = [(label, there[label]) for label in measure if label in there]
        videos = self._decoded([video for _, video in ready], planned, opened, pool)
        for (label, made), video in zip(ready, videos, strict=True):
            for name in measure[label]:
                metric = self._metrics[name]
                key = measurement_key(metric, made.sha256, made.reference_sha256, [planned])
                if key not in done:
                    done.add(key)
                    yield self._measure(metric, key, planned, made, video, opened)

    def _is_usable(self, made: KnownGeneration, opened: _Opened | Exception) -> bool:
        """Whether a video has the bytes of its record, and was made for the reference as it is."""
        if not is_intact(self._folder / made.video, made.sha256):
            return False
        return isinstance(opened, Exception) or (
            made.reference_sha256 in (None, opened.face.sha256)
        )

    def _open_later(self, task: Task, pool: ThreadPoolExecutor) -> Future[_Opened]:
        return pool.submit(self._open, self._plan.cases[task.index].case)

    def _open(self, case: Case) -> _Opened:
        """Conforms and decodes the case's material. Raises BenchError if it cannot be used."""
        with self.clock.busy():
            face = self._conformed(case.face)
            video = self._video_of(face, case.face)
            video.read()
            own = video.sound()
            if case.kind == "reconstruct":
                if own is None:
                    raise BenchError(f"{case.face.video}: has no sound, so there is no speech.")
                frames, speech = face.frames, own
            else:
                heard = self._sound(case.speech)
                if heard is None:
                    raise BenchError(f"{case.speech.video}: has no sound, so there is no speech.")
                # `probe` is scored against the own video, so it is as long as that; `cross` is as
                # long as its speech, and its last, partly filled frame keeps the speech's tail.
                whole = math.ceil(len(heard) / SAMPLES_PER_FRAME)
                frames, speech = (face.frames if case.kind == "probe" else whole), heard
            # Read only by the controls that want it: damage in it costs nobody else's cell.
            heard_from = None if case.other is None else case.other.audio or case.other.video
            longest = self._plan.loaded.config.longest
            other = None if heard_from is None else Video(heard_from, longest=longest)
        return _Opened(video, fitted_sound(speech, frames), other, frames, face.notes)

    def _conformed(self, clip: Clip) -> Conformed:
        longest = self._plan.loaded.config.longest
        return conform_clip(clip, cache=cache_dir(), longest=longest)

    def _sound(self, clip: Clip) -> Sound | None:
        return Video(self._conformed(clip).path).sound()

    def _video_of(self, conformed: Conformed, clip: Clip) -> Video:
        return self._opened(conformed.path, conformed.sha256, clip)

    def video(self, made: KnownGeneration, clip: Clip) -> Video:
        """A generated video, not yet decoded; clip: its face's."""
        return self._opened(self._folder / made.video, made.sha256, clip)

    def reference(self, case: Case) -> Video:
        """The recording that a case's videos are compared with, not yet decoded."""
        return self._video_of(self._conformed(case.face), case.face)

    def _opened(self, path: Path, sha256: str, clip: Clip) -> Video:
        return Video(path, features=self._features, sha256=sha256, box=clip.box)

    # ---- videos -----------------------------------------------------------------------------

    def _generate(
        self,
        method: PlannedMethod,
        planned: PlannedCase,
        opened: _Opened | Exception,
        pool: ThreadPoolExecutor,
    ) -> Future[GenerationRecord]:
        """Runs the method now and lets a thread conform, encode and digest what it returned."""
        case = planned.case
        place = Path(case.dataset) / method.label
        target = self._folder / "videos" / place / f"{case.id}.mp4"
        record = GenerationRecord(
            schema=SCHEMA,
            key=generation_key(method, planned),
            status="failed",
            method=method.label,
            method_key=method.key,
            method_protocol=method.protocol,
            case=case.id,
            case_key=planned.key,
            kind=case.kind,
            dataset=case.dataset,
            speaker=case.face.speaker,
            video=target.relative_to(self._folder).as_posix(),
            sha256="",
            reference_sha256=None,
            seconds={},
            started=now(),
        )
        if isinstance(opened, Exception):
            return _ready(self._failed(record, opened))
        stack = contextlib.ExitStack()
        try:
            folder = work_folder(self._folder, case.dataset, method.label, case.id)
            work = stack.enter_context(_fresh_folder(folder))
            log = stack.enter_context(_log(self._folder / "logs" / place / f"{case.id}.log"))
            seed = seed_of(self._plan.loaded.config.seed, case.dataset, case.id)
            job = Job(
                case, opened.face, opened.speech, opened.frames, work, seed, log, opened.other
            )
            plugin = self.loaded(method)
            assert isinstance(plugin, Method)
            with self.clock.busy() as span:
                generation = plugin.generate(job)
        except Exception as error:
            with stack:  # a full disk shows as long as what the method wrote is there
                return _ready(self._failed(record, error))

        def finish() -> GenerationRecord:
            with stack:
                try:
                    return self._finish(record, generation, job, span.seconds, opened)
                except Exception as error:
                    return self._failed(record, error)

        return pool.submit(finish)

    def _finish(
        self,
        record: GenerationRecord,
        generation: Generation,
        job: Job,
        seconds: float,
        opened: _Opened,
    ) -> GenerationRecord:
        target = self._folder / record.video
        with self.clock.busy() as span:
            target.parent.mkdir(parents=True, exist_ok=True)
            notes = conform_output(generation, job, target)
            sha256 = sha256_here(target)
        return replace(
            record,
            status="ok",
            sha256=sha256,
            reference_sha256=job.face.sha256 if job.case.has_reference else None,
            frames=job.frames,
            mouth=_mouth(job.face),
            conformed=(
                *(f"source: {note}" for note in opened.notes),
                *generation.notes,
                *notes,
            ),
            seconds={"generate": seconds, "encode": span.seconds},
        )

    # ---- values -----------------------------------------------------------------------------

    def _decoded(
        self,
        made: Sequence[KnownGeneration],
        planned: PlannedCase,
        opened: _Opened | Exception,
        pool: ThreadPoolExecutor,
    ) -> Iterator[Video]:
        """The videos in order, the next one being decoded while the last one is measured."""

        def decode(item: KnownGeneration) -> Video:
            if isinstance(opened, _Opened) and item.sha256 == opened.face.sha256:
                return opened.face  # the truth itself: already decoded
            video = self.video(item, planned.case.face)
            with self.clock.busy(), contextlib.suppress(BenchError):
                video.read()  # a video that cannot be read says so to each metric
                video.sound()
            return video

        ahead = [pool.submit(decode, item) for item in made[:1]]
        for place in range(1, len(made) + 1):
            video = ahead.pop().result()
            ahead += [pool.submit(decode, later) for later in made[place : place + 1]]
            yield video

    def _measure(
        self,
        metric: PlannedMetric,
        key: str,
        planned: PlannedCase,
        made: KnownGeneration,
        video: Video,
        opened: _Opened | Exception,
    ) -> MeasurementRecord:
        reference = opened.face if metric.needs_reference and isinstance(opened, _Opened) else None
        sample = Sample(planned.case, video, reference)

        def compute() -> Values:
            if metric.needs_reference and isinstance(opened, Exception):
                raise opened
            plugin = self.loaded(metric)
            assert isinstance(plugin, ClipMetric)
            return plugin.measure(sample)

        record = replace(
            measurement_of(metric, key, made.method_protocol, made.sha256),
            reference_sha256=made.reference_sha256 if metric.needs_reference else None,
            box=planned.case.face.box if metric.reads_boxes else None,
        )
        measured = self.measured(record, metric, compute)
        seen = sample.reference or sample.video
        missing = seen.missing_faces if "faces" in metric.plugin.reads else None
        return replace(measured, faces_missing=missing)

    def measured(
        self, record: MeasurementRecord, metric: PlannedMetric, compute: _Compute
    ) -> MeasurementRecord:
        """The record of a measurement: values, or why there are none, and its time."""
        with self.clock.busy() as span:
            try:
                values, curves = checked(metric.plugin, compute())
                record = replace(record, status="ok", values=values, curves=curves)
            except Undefined as error:
                record = replace(record, status="undefined", reason=str(error))
            except Exception as error:
                record = self._failed(record, error)
        return replace(record, seconds=span.seconds)

    def loaded(self, planned: PlannedMethod | PlannedMetric) -> Method | Metric:
        """The loaded plugin; if it cannot be loaded, the same error for each of its cells."""
        key = f"{type(planned).__name__} {planned.label}"
        if key not in self._loaded:
            try:
                plugin = planned.make()
                with self.clock.busy():
                    plugin.load(self._device)
                    if isinstance(plugin, Method):
                        self._prepare(plugin, planned.label)
                self._loaded[key] = plugin
            except Exception as error:
                self.raise_fault(error)
                self._loaded[key] = error
        loaded = self._loaded[key]
        if isinstance(loaded, Exception):
            raise loaded
        return loaded

    def _failed(self, record: _Record, error: Exception) -> _Record:
        """The record of a cell that failed, with the message for users and the traceback.

        Raises MachineFault where the machine failed, and neither a method nor a file.
        """
        self.raise_fault(error)
        raise_full_disk(self._folder)
        if isinstance(error, BenchError):
            return record.failed(str(error), None)
        trace = "".join(traceback.format_exception(error))
        return record.failed(f"{type(error).__name__}: {error}", trace)

    def raise_fault(self, error: Exception) -> None:
        """Raises MachineFault where an error is the machine's, and no verdict."""
        raise_machine_fault(error, ours=(self._folder, cache_dir()))

    def _prepare(self, method: Method, label: str) -> None:
        if type(method).prepare is Method.prepare:
            return
        workdir = work_folder(self._folder, "prepared", label)
        workdir.mkdir(parents=True, exist_ok=True)
        clips = {item.case.face.id: item.case.face for item in self._plan.cases}
        with locked(workdir.with_suffix(".lock")):  # one process of the run after another
            method.prepare(list(clips.values()), workdir, self._device)


def work_folder(run_folder: Path, *names: str) -> Path:
    """A folder for the work that these names name, called by their digest.

    Names come from manifests, and paths into this folder are handed to programs, some of them
    through a shell: nothing in a name may end up in a path there.
    """
    return run_folder / "work" / digest(names)[:20]


def measurement_of(
    metric: PlannedMetric, key: str, method_protocol: str, video_sha256: str
) -> MeasurementRecord:
    """The record of a measurement that is not yet made, with no reference and no box."""
    return MeasurementRecord(
        schema=SCHEMA,
        key=key,
        status="failed",
        metric=metric.label,
        metric_key=metric.key,
        protocol=metric.protocol,
        method_protocol=method_protocol,
        video_sha256=video_sha256,
        reference_sha256=None,
        box=None,
        values={},
        curves={},
        seconds=0.0,
    )


def checked(
    metric: type[Metric], values: Values
) -> tuple[dict[str, float], dict[str, tuple[float, ...]]]:
    """The values and the curves as the record keeps them.

    Raises BenchError where they break the metric's declaration.
    """
    declared = {output.name: output for output in metric.outputs}
    if set(values) != set(declared):
        raise BenchError(
            f"metric {metric.name} returned {sorted(values)}, but declares {sorted(declared)}."
        )
    kept: dict[str, float] = {}
    curves: dict[str, tuple[float, ...]] = {}
    for name, value in values.items():
        numbers = [float(v) for v in value] if isinstance(value, Sequence) else [float(value)]
        if not all(map(math.isfinite, numbers)):
            raise BenchError(
                f"metric {metric.name}: {name} is not finite. Raise Undefined, with the reason, "
                "where a sample has no value."
            )
        if declared[name].curve:
            curves[name] = tuple(numbers)
        else:
            kept[name] = numbers[0]
    return kept, curves


def _mouth(face: Video) -> Corners | None:
    """The mean mouth region, x0 y0 x1 y1, for the report's pictures; None if no face is found."""
    try:
        mean = face.faces().mouths.mean(axis=0)
    except BenchError as error:
        raise_machine_fault(error)
        return None
    x0, y0, x1, y1 = (round(float(edge), 1) for edge in mean)
    return x0, y0, x1, y1


def _ready(record: GenerationRecord) -> Future[GenerationRecord]:
    future: Future[GenerationRecord] = Future()
    future.set_result(record)
    return future


def _result(future: Future[_Opened]) -> _Opened | Exception:
    try:
        return future.result()
    except Exception as error:
        return error


@contextlib.contextmanager
def _log(path: Path) -> Iterator[logging.Logger]:
    """A logger that writes to the job's own file, which is made with its first line."""
    path.parent.mkdir(parents=True, exist_ok=True)
    logger = logging.Logger(path.stem)
    handler = logging.FileHandler(path, mode="w", encoding="utf-8", delay=True)
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    logger.addHandler(handler)
    try:
        yield logger
    finally:
        handler.close()


@contextlib.contextmanager
def _fresh_folder(path: Path) -> Iterator[Path]:
    """An empty folder that is gone afterwards."""
    shutil.rmtree(path, ignore_errors=True)
    path.mkdir(parents=True)
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)
