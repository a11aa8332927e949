"""The work on one case: generates its videos, conforms and measures them, and yields records.

Its only state is the loaded plugins, so the same code serves one process or several. While a method
computes, threads encode finished videos and decode the next case's face clip; with one thread to
compute with, all is done in turn, since threads would only take it from each other.
"""

from __future__ import annotations

import contextlib
import itertools
import logging
import math
import shutil
import threading
import time
import traceback
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

from bench.contract.jobs import Generation, Job, Sample
from bench.contract.plugins import ClipMetric, Metric, Values
from bench.contract.video import Video
from bench.data.conform import Conformed, conform_clip, fitted_sound
from bench.features.computing import Features
from bench.features.store import FeatureStore
from bench.files.digests import seed_of
from bench.files.intact import is_intact, sha256_here
from bench.files.paths import cache_dir
from bench.ground.errors import BenchError, Undefined
from bench.ground.types import SAMPLES_PER_FRAME, Box, Case, Clip, Frame, Sound
from bench.machine.at_once import AtOnce
from bench.machine.clock import Clock, now
from bench.machine.devices import computing_threads
from bench.machine.faults import raise_full_disk, raise_machine_fault
from bench.records.record import (
    Corners,
    GenerationRecord,
    MeasurementRecord,
    OwnReference,
    PreparationRecord,
)
from bench.records.schema import SCHEMA
from bench.records.store import KnownGeneration, known
from bench.run.loaded_plugins import LoadedPlugins
from bench.run.output_form import OutputForm
from bench.run.outputs import conform_output, write_reference
from bench.run.planned import (
    PlannedMethod,
    PlannedMetric,
    RunSettings,
    Task,
    generation_key,
    measurement_key,
)
from bench.run.prepared_folder import PreparedFolder
from bench.run.work_folder import work_folder

_Compute = Callable[[], Values]
CellRecord = GenerationRecord | MeasurementRecord
_Record = TypeVar("_Record", GenerationRecord, MeasurementRecord, PreparationRecord)


class _TimedFrames:
    """Frames of a method; seconds: how long it took to make those that were read.

    A method may return a generator, whose networks run while the video is written; that time is the
    method's, and the encoder's is the rest.
    """

    def __init__(self, frames: Iterable[Frame]) -> None:
        self._frames = frames
        self.seconds = 0.0

    def __iter__(self) -> Iterator[Frame]:
        start = time.perf_counter()
        for frame in self._frames:
            self.seconds += time.perf_counter() - start
            yield frame
            start = time.perf_counter()
        self.seconds += time.perf_counter() - start


@dataclass(frozen=True)
class _Opened:
    """A case's clips, conformed, and the number of frames that its videos must have."""

    face: Video
    speech: Sound
    other: Video | None
    frames: int
    notes: tuple[str, ...]


@dataclass(frozen=True)
class StartCaseWorker:
    """Starts workers for a run into `folder`, in this process or another."""

    folder: Path
    clock: Clock

    def __call__(self, device: str) -> CaseWorker:
        """A worker on that device."""
        return CaseWorker(device, self.clock)


class CaseWorker:
    """Works through tasks; plugins are loaded on first use."""

    def __init__(self, device: str, clock: Clock) -> None:
        self.clock = clock
        self.plugins = LoadedPlugins(device, clock)
        self._device = device
        self._store = FeatureStore(cache_dir() / "features")
        self._features: dict[tuple[str, ...], Features] = {}
        self._lock = threading.Lock()

    def work(self, tasks: Iterable[Task]) -> Iterator[CellRecord]:
        """The records of all tasks, each as soon as it is known."""
        with self._pool() as pool:
            try:
                coming = ((task, self._open_later(task, pool)) for task in tasks)
                ahead = deque(itertools.islice(coming, 1))
                while ahead:
                    task, opening = ahead.popleft()
                    opened = _result(opening)
                    ahead.extend(itertools.islice(coming, 1))
                    yield from self._case(task, opened, pool)
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)
                raise

    def _pool(self) -> Executor:
        """What encodes and decodes; a GPU leaves the processor free while it computes."""
        if self._device == "cpu" and computing_threads() == 1:
            return AtOnce()
        return ThreadPoolExecutor(2, thread_name_prefix="bench")

    # ---- one case ---------------------------------------------------------------------------

    def _case(
        self, task: Task, opened: _Opened | Exception, pool: Executor
    ) -> Iterator[CellRecord]:
        planned, settings = task.planned, task.settings
        there = {
            label: video
            for label, video in task.made.items()
            if _is_usable(video, opened, settings.folder)
        }
        damaged = [label for label in task.made if label not in there]
        pending = [
            (label, self._generate(settings.methods[label], task, opened, pool))
            for label in (*task.generate, *damaged)
        ]
        for label, future in pending:
            record = future.result()
            yield record
            if record.status == "ok":
                there[label] = known(record)
        done: set[str] = set()
        # All metrics measure a regenerated video again: its bytes may have changed.
        whole = dict.fromkeys(damaged, settings.measured(planned.case))
        measure = {**task.measure, **whole}
        ready = [(label, there[label]) for label in measure if label in there]
        videos = self._decoded([video for _, video in ready], task, opened, pool)
        for (label, made), video in zip(ready, videos, strict=True):
            recorded = self._reference(made, task, opened)
            for name in measure[label]:
                metric = settings.metrics[name]
                key = measurement_key(metric, made.sha256, made.reference_sha256, [planned])
                if key not in done:
                    done.add(key)
                    yield self._measure(metric, key, task, made, video, recorded, opened)

    def _open_later(self, task: Task, pool: Executor) -> Future[_Opened]:
        return pool.submit(self._open, task.planned.case, task.settings)

    def _open(self, case: Case, settings: RunSettings) -> _Opened:
        """Conforms and decodes the case's clips. Raises BenchError if one cannot be used."""
        with self.clock.busy():
            face = _conformed(case.face, settings)
            video = self._video_of(face.path, face.sha256, case.face.box, settings)
            video.read()
            own = video.sound()
            if case.kind == "reconstruct":
                if own is None:
                    raise BenchError(f"{case.face.video}: has no sound, so there is no speech.")
                frames, speech = face.frames, own
            else:
                heard = Video(_conformed(case.speech, settings).path).sound()
                if heard is None:
                    raise BenchError(f"{case.speech.video}: has no sound, so there is no speech.")
                # A `probe` video is as long as its reference. A `cross` video is as long as its
                # speech, rounded up to a whole frame so that the end of the speech is kept.
                whole = math.ceil(len(heard) / SAMPLES_PER_FRAME)
                frames, speech = (face.frames if case.kind == "probe" else whole), heard
            # Only the controls that use it read it, so damage in it costs only their cells.
            other = None
            if case.other is not None:
                audio = case.other.audio
                other = Video(case.other.video, longest=settings.longest, audio=audio)
        return _Opened(video, fitted_sound(speech, frames), other, frames, face.notes)

    def video(self, made: KnownGeneration, face: Clip, settings: RunSettings) -> Video:
        """A generated video, not yet decoded; face: the clip that it shows."""
        box = face.box if made.cut is None else made.cut.box
        return self._video_of(settings.folder / made.video, made.sha256, box, settings)

    def reference(self, face: Clip, settings: RunSettings) -> Video:
        """The reference for videos of this face, not yet decoded."""
        conformed = _conformed(face, settings)
        return self._video_of(conformed.path, conformed.sha256, face.box, settings)

    def reference_of(self, made: KnownGeneration, face: Clip, settings: RunSettings) -> Video:
        """The reference for one video, not yet decoded: its own, or the recording of this face."""
        own = made.own_reference
        if own is None:
            return self.reference(face, settings)
        box = face.box if made.cut is None else made.cut.box
        path = settings.folder / own.video
        return self._video_of(path, made.reference_sha256 or "", box, settings)

    def _video_of(self, path: Path, sha256: str, box: Box | None, settings: RunSettings) -> Video:
        return Video(path, features=self.features_of(settings), sha256=sha256, box=box)

    def features_of(self, settings: RunSettings) -> Features:
        """The features of a run, whose plugins are loaded once."""
        keys = tuple(feature.key for feature in settings.features.values())
        with self._lock:
            if keys not in self._features:
                chosen = {name: one.chosen() for name, one in settings.features.items()}
                self._features[keys] = Features(chosen, store=self._store, device=self._device)
            return self._features[keys]

    # ---- videos -----------------------------------------------------------------------------

    def _generate(
        self,
        method: PlannedMethod,
        task: Task,
        opened: _Opened | Exception,
        pool: Executor,
    ) -> Future[GenerationRecord]:
        """Runs the method now and lets a thread conform, encode and digest what it returned."""
        planned, settings = task.planned, task.settings
        case, run_folder = planned.case, settings.folder
        place = Path(case.dataset) / method.label
        target = run_folder / "videos" / place / f"{case.id}.mp4"
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
            video=target.relative_to(run_folder).as_posix(),
            sha256="",
            reference_sha256=None,
            seconds={},
            started=now(),
        )
        if isinstance(opened, Exception):
            return _ready(failed(record, opened, run_folder))
        stack = contextlib.ExitStack()
        try:
            folder = work_folder(run_folder, case.dataset, method.label, case.id)
            work = stack.enter_context(_fresh_folder(folder))
            log = stack.enter_context(job_log(run_folder / "logs" / place / f"{case.id}.log"))
            seed = seed_of(settings.seed, case.dataset, case.id)
            job = Job(
                case,
                opened.face,
                opened.speech,
                opened.frames,
                work,
                seed,
                log,
                opened.other,
                _prepared(method, case, settings),
            )
            plugin = self.plugins.method(method, settings)
            with self.clock.busy() as span:
                generation = plugin.generate(job)
        except Exception as error:
            with stack:  # `failed` sees a full disk only while the method's files are there
                return _ready(failed(record, error, run_folder))

        def finish() -> GenerationRecord:
            with stack:
                try:
                    return self._finish(record, generation, job, run_folder, span.seconds, opened)
                except Exception as error:
                    return failed(record, error, run_folder)

        return pool.submit(finish)

    def _finish(
        self,
        record: GenerationRecord,
        generation: Generation,
        job: Job,
        run_folder: Path,
        seconds: float,
        opened: _Opened,
    ) -> GenerationRecord:
        target = run_folder / record.video
        own: OwnReference | None = None
        reference_sha256 = job.face.sha256 if job.case.has_reference else None
        with self.clock.busy() as span:
            target.parent.mkdir(parents=True, exist_ok=True)
            form = OutputForm.of(generation, job)
            timed = generation.video
            if not isinstance(timed, Path):
                timed = _TimedFrames(timed)
                generation = replace(generation, video=timed)
            notes = conform_output(generation, job, target)
            sha256 = sha256_here(target)
            if form.is_own and job.case.has_reference:
                name = record.video.replace("videos", "references", 1)
                path = run_folder / name
                path.parent.mkdir(parents=True, exist_ok=True)
                write_reference(form, job, path)
                own = OwnReference(video=name, source_sha256=job.face.sha256)
                reference_sha256 = sha256_here(path)
        late = timed.seconds if isinstance(timed, _TimedFrames) else 0.0
        return replace(
            record,
            status="ok",
            sha256=sha256,
            reference_sha256=reference_sha256,
            own_reference=own,
            cut=form.part(job.case.face.box),
            frames=len(form.made),
            asked=job.frames,
            first=form.made.start,
            mouth=form.placed(_mouth(job.face)),
            conformed=(
                *(f"source: {note}" for note in opened.notes),
                *generation.notes,
                *form.notes,
                *notes,
            ),
            seconds={"generate": seconds + late, "encode": span.seconds - late},
        )

    # ---- values -----------------------------------------------------------------------------

    def _decoded(
        self,
        made: Sequence[KnownGeneration],
        task: Task,
        opened: _Opened | Exception,
        pool: Executor,
    ) -> Iterator[Video]:
        """The videos in order, the next one being decoded while the last one is measured."""

        def decode(item: KnownGeneration) -> Video:
            if isinstance(opened, _Opened) and item.sha256 == opened.face.sha256:
                return opened.face  # the reference itself, already decoded
            video = self.video(item, task.planned.case.face, task.settings)
            with self.clock.busy(), contextlib.suppress(BenchError):
                video.read()  # a video that cannot be read says so to each metric
                video.sound()
            return video

        ahead = [pool.submit(decode, item) for item in made[:1]]
        for place in range(1, len(made) + 1):
            video = ahead.pop().result()
            ahead += [pool.submit(decode, later) for later in made[place : place + 1]]
            yield video

    def _reference(
        self, made: KnownGeneration, task: Task, opened: _Opened | Exception
    ) -> Video | None:
        if isinstance(opened, Exception):
            return None
        if made.own_reference is None:
            return opened.face
        return self.reference_of(made, task.planned.case.face, task.settings)

    def _measure(
        self,
        metric: PlannedMetric,
        key: str,
        task: Task,
        made: KnownGeneration,
        video: Video,
        recorded: Video | None,
        opened: _Opened | Exception,
    ) -> MeasurementRecord:
        """recorded: the reference of this video, if its clip could be opened."""
        case = task.planned.case
        face = opened.face if isinstance(opened, _Opened) else None
        reference = recorded if metric.needs_reference else None
        sample = Sample(case, video, reference, face if metric.needs_face else None)

        def compute() -> Values:
            if (metric.needs_reference or metric.needs_face) and isinstance(opened, Exception):
                raise opened
            plugin = self.plugins.metric(metric, task.settings)
            assert isinstance(plugin, ClipMetric)
            return plugin.measure(sample)

        record = replace(
            measurement_of(metric, key, made.method_protocol, made.sha256),
            reference_sha256=made.reference_sha256 if metric.needs_reference else None,
            box=case.face.box if metric.reads_boxes else None,
        )
        measured = self.measured(record, metric, task.settings, compute)
        if measured.reason and made.cut is not None:
            size = f"{made.cut.width}x{made.cut.height}"
            told = f"{measured.reason} (the video shows a cut of the frames alone, {size} pixels)"
            measured = replace(measured, reason=told)
        seen = sample.reference or sample.video
        missing = seen.missing_faces if "faces" in metric.reads else None
        return replace(measured, faces_missing=missing)

    def measured(
        self,
        record: MeasurementRecord,
        metric: PlannedMetric,
        settings: RunSettings,
        compute: _Compute,
    ) -> MeasurementRecord:
        """The record of a measurement: values, or why there are none, and its time."""
        with self.clock.busy() as span:
            try:
                values, curves = checked(metric.plugin, compute())
                record = replace(record, status="ok", values=values, curves=curves)
            except Undefined as error:
                record = replace(record, status="undefined", reason=str(error))
            except Exception as error:
                record = failed(record, error, settings.folder)
        return replace(record, seconds=span.seconds)


def _conformed(clip: Clip, settings: RunSettings) -> Conformed:
    return conform_clip(clip, cache=cache_dir(), longest=settings.longest)


def _prepared(method: PlannedMethod, case: Case, settings: RunSettings) -> Path | None:
    """What a method learned of the case's person; None if it learns no persons.

    Raises BenchError, with the reason, if the preparation is missing.
    """
    key = method.preparation(case)
    if key is None:
        return None
    person = case.face.speaker
    if not person:
        raise BenchError(
            f"{method.label} learns each person first, but the clip {case.face.id} names no "
            "speaker. Fill in the column `speaker` of the manifest."
        )
    if not key:
        raise BenchError(
            f"{method.label} learns each person first, but {case.dataset} has no clip of {person} "
            "to learn from: the split that the config's `prepare` names has only tested clips of "
            "this person, or none."
        )
    if key in settings.unprepared:
        raise BenchError(f"{method.label} did not learn {person}: {settings.unprepared[key]}")
    folder = PreparedFolder(settings.folder, key)
    if folder.record() is None:
        raise BenchError(
            f"{folder.path}: what {method.label} learned of {person} is incomplete. "
            "`bench run --retry` prepares it again."
        )
    return folder.files


def _is_usable(made: KnownGeneration, opened: _Opened | Exception, run_folder: Path) -> bool:
    """Whether a video and a reference of its own have the digests of the record.

    The reference that it was generated for, or cut from, must be the present one.
    """
    if not all(is_intact(run_folder / name, sha256) for name, sha256 in made.files.items()):
        return False
    own = made.own_reference
    source = made.reference_sha256 if own is None else own.source_sha256
    return isinstance(opened, Exception) or source in (None, opened.face.sha256)


def failed(record: _Record, error: Exception, run_folder: Path) -> _Record:
    """The record of a cell that failed, with the message for users and the traceback.

    Raises MachineFault if the machine failed rather than a plugin or a file.
    """
    raise_machine_fault(error, ours=(run_folder, cache_dir()))
    raise_full_disk(run_folder)
    if isinstance(error, BenchError):
        return record.failed(str(error), None)
    trace = "".join(traceback.format_exception(error))
    return record.failed(f"{type(error).__name__}: {error}", trace)


def measurement_of(
    metric: PlannedMetric, key: str, method_protocol: str, video_sha256: str
) -> MeasurementRecord:
    """The record of a measurement to come, without reference and box."""
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

    Raises BenchError if they break the metric's declaration.
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
                "for a sample without a value."
            )
        if declared[name].curve:
            curves[name] = tuple(numbers)
        else:
            kept[name] = numbers[0]
    return kept, curves


def _mouth(face: Video) -> Corners | None:
    """The mean mouth region, x0 y0 x1 y1 in pixels, for the report; None if no face is found."""
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
def job_log(path: Path, *, goes_on: bool = False) -> Iterator[logging.Logger]:
    """A logger that writes to the job's own file, which the first line creates.

    goes_on: append to the file rather than replace it.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    logger = logging.Logger(path.stem)
    mode = "a" if goes_on else "w"
    handler = logging.FileHandler(path, mode=mode, encoding="utf-8", delay=True)
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    logger.addHandler(handler)
    try:
        yield logger
    finally:
        handler.close()


@contextlib.contextmanager
def _fresh_folder(path: Path) -> Iterator[Path]:
    """An empty folder, deleted at the end."""
    shutil.rmtree(path, ignore_errors=True)
    path.mkdir(parents=True)
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)
