"""Measures finished videos one by one, without a config: what `bench score` and `measure` share.

A video is conformed as the video of a method is, and measured by the same code, so its values are
those of a run, to the last bit. One thing differs: a run knows the speech of its cases and puts it
under every video, and here a video keeps its own sound, unless `sound` is "reference".
"""

from __future__ import annotations

import contextlib
import logging
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, TypeAlias, get_args

import numpy as np

from bench.contract.jobs import Generation, Job, Sample
from bench.contract.plugins import ClipMetric, Values
from bench.contract.video import Video
from bench.data.conform import SMALLEST, conform_clip, fitted_sound, length_notes
from bench.data.manifest import plain_id
from bench.files.digests import file_sha256
from bench.files.paths import cache_dir
from bench.ground.errors import BenchError
from bench.ground.types import LONGEST, SAMPLES_PER_FRAME, Case, Clip, Fit, Frames, Sound
from bench.machine.clock import Clock
from bench.machine.devices import present_device
from bench.records.record import MeasurementRecord
from bench.records.store import KnownGeneration
from bench.run.asked_metrics import AskedMetrics, asked, plan_asked
from bench.run.casework import CaseWorker, failed, measurement_of
from bench.run.outputs import conform_output
from bench.run.planned import PlannedCase, PlannedMetric
from bench.run.set_measuring import PlannedSet, measure_sets

SoundChoice: TypeAlias = Literal["own", "reference"]
Source: TypeAlias = str | Path | Frames | tuple[Frames, Sound | None]
NO_REFERENCE = "compares with a reference, and none is given"


@dataclass(frozen=True)
class Pair:
    """A video to measure, and what it is compared with, each a file or arrays. name: in results."""

    name: str
    video: Source
    reference: Source | None = None


@dataclass(frozen=True)
class MeasuredVideo:
    """What all metrics said of one video.

    records: by label; empty for what is left out. notes: what conforming changed. sha256: of the
    conformed video; empty for arrays and where the video cannot be conformed. frames: their count.
    """

    pair: Pair
    records: Mapping[str, MeasurementRecord]
    notes: tuple[str, ...] = ()
    sha256: str = ""
    frames: int = 0

    @property
    def has_failed(self) -> bool:
        """Whether any value is missing that is defined."""
        return any(record.status == "failed" for record in self.records.values())


@dataclass(frozen=True)
class _Opened:
    """A pair, conformed. made: the file, for what opens it again; None for arrays."""

    case: Case
    video: Video
    reference: Video | None
    notes: tuple[str, ...]
    made: KnownGeneration | None


class VideoMeter:
    """Measures videos with the metrics that are asked for; plugins are loaded on first use.

    sound: what is heard under a video that has a reference: its own sound, or the reference's.
    fit: what becomes of a file whose aspect ratio is not the reference's.
    """

    def __init__(
        self,
        metrics: AskedMetrics,
        *,
        device: str = "auto",
        sound: SoundChoice = "own",
        fit: Fit = "refuse",
    ) -> None:
        if sound not in ("own", "reference"):
            raise BenchError(f"sound: {sound!r}; expected 'own' or 'reference'.")
        if fit not in get_args(Fit):
            raise BenchError(f"fit: {fit!r}; expected one of {', '.join(get_args(Fit))}.")
        self.metrics = metrics
        self.clip_metrics = tuple(one for one in metrics.metrics if not one.is_set)
        self.set_metrics = tuple(one for one in metrics.metrics if one.is_set)
        self._worker = CaseWorker(present_device(device), Clock())
        self._settings = metrics.settings
        self._sound = sound
        self._fit = fit
        self._kept: list[tuple[PlannedCase, KnownGeneration]] = []
        self._lost = 0  # files that could not be opened

    def measured(
        self, pair: Pair, *, notify: Callable[[str], None] = lambda _label: None
    ) -> MeasuredVideo:
        """The values of one video; a video that cannot be conformed has failed records only.

        notify: told each metric that is done. Raises MachineFault where the machine fails.
        """
        try:
            opened = self.opened(pair)
        except Exception as error:
            self._lost += 1
            records = {}
            for metric in self._asked_of(pair):
                record = measurement_of(metric, "", "", "")
                records[metric.label] = failed(record, error, self._settings.folder)
                notify(metric.label)
            return MeasuredVideo(pair, records)
        return self.values(pair, opened, notify=notify)

    def values(
        self, pair: Pair, opened: _Opened, *, notify: Callable[[str], None] = lambda _label: None
    ) -> MeasuredVideo:
        """The values of an opened video."""
        records: dict[str, MeasurementRecord] = {}
        for metric in self._asked_of(pair):
            records[metric.label] = self._record(metric, opened)
            notify(metric.label)
        frames = 0
        with contextlib.suppress(BenchError):
            frames = len(opened.video.read())
        if opened.made is not None:
            if self.set_metrics:
                self._kept.append((PlannedCase(opened.case, pair.name), opened.made))
            else:
                (self._settings.folder / opened.made.video).unlink(missing_ok=True)
        return MeasuredVideo(pair, records, opened.notes, opened.video.sha256, frames)

    def sets(self) -> Iterator[MeasurementRecord]:
        """The values of the metrics of sets, over all videos that were measured, in their order.

        Those that compare with a reference take the videos that have one.
        """
        sets: list[PlannedSet] = []
        for metric in self.set_metrics:
            videos = tuple(
                (planned, made)
                for planned, made in self._kept
                if made.reference_sha256 or not metric.needs_reference
            )
            if videos:
                asked = len(videos) + self._lost
                sets.append(PlannedSet(metric, metric.label, videos, asked))
        places = {planned.key: place for place, (planned, _) in enumerate(self._kept)}
        yield from measure_sets(self._worker, self._settings, sets, places)

    def opened(self, pair: Pair) -> _Opened:
        """The pair in the one form that metrics read. Raises BenchError where it has none."""
        notes: list[str] = []
        reference: Video | None = None
        if isinstance(pair.reference, str | Path):
            clip = _clip(pair.name, Path(pair.reference))
            conformed = conform_clip(clip, cache=cache_dir(), longest=self._settings.longest)
            notes += [f"reference: {note}" for note in conformed.notes]
            reference = self._worker.reference(clip, self._settings)
        elif pair.reference is not None:
            reference = self._of_arrays(pair.reference, "the reference", notes)
        if isinstance(pair.video, str | Path):
            return self._opened_file(pair, Path(pair.video), reference, notes)
        video = self._of_arrays(pair.video, "the video", notes)
        if reference is not None:
            if video.read().shape != reference.read().shape:
                raise BenchError(
                    f"the video's frames are {video.read().shape} and the reference's "
                    f"{reference.read().shape}; arrays must have the same shape. Give files, and "
                    "they are conformed."
                )
            sound = self._heard(video.sound(), reference, notes)
            if sound is not video.sound():
                fitted = None if sound is None else fitted_sound(sound, len(video.read()))
                video = self._of_arrays((video.read(), fitted), "the video", notes)
        clip = _clip(pair.name, Path(pair.name))
        return _Opened(Case("", "reconstruct", clip, clip), video, reference, tuple(notes), None)

    def _opened_file(
        self, pair: Pair, path: Path, reference: Video | None, notes: list[str]
    ) -> _Opened:
        from bench import media

        if not path.is_file():
            raise BenchError(f"{path}: does not exist; expected a video file")
        own = media.read_sound(path, longest=self._settings.longest)
        face = reference if reference is not None else self._alone(path)
        frames = len(face.read())
        sound = own if reference is None else self._heard(own, reference, notes)
        # Where nothing is heard at all, the file gets silence, which no metric is shown.
        silence = np.zeros(frames * SAMPLES_PER_FRAME, dtype=np.int16)
        speech = silence if sound is None else sound
        clip = _clip(pair.name, path if reference is None or not reference.path else reference.path)
        case = Case("", "reconstruct", clip, clip)
        folder = self._settings.folder
        with tempfile.NamedTemporaryFile(suffix=".mp4", dir=folder, delete=False) as file:
            target = Path(file.name)
        job = Job(
            case, face, fitted_sound(speech, frames), frames, folder, 0, logging.Logger("score")
        )
        try:
            changed = conform_output(Generation(path, sound=speech, fit=self._fit), job, target)
            sha256 = file_sha256(target)
        except BaseException:
            target.unlink(missing_ok=True)
            raise
        made = KnownGeneration(
            status="ok",
            video=target.name,
            sha256=sha256,
            reference_sha256=None if reference is None else reference.sha256,
            mouth=None,
            method_protocol="",
        )
        video = self._worker.video(made, clip, self._settings)
        kept = sound is own
        changed = tuple(note for note in changed if not (kept and _is_of_another_sound(note)))
        if sound is None:
            changed = (*changed, "no sound")
            video = Video.of(video.read())
            video.features = self._worker.features_of(self._settings)
        return _Opened(case, video, reference, (*notes, *changed), made)

    def _alone(self, path: Path) -> Video:
        """What a method would have been shown: as many frames of the same size, all black."""
        from bench import media

        count, height, width = 0, 0, 0
        for frame in media.Resampled(path, longest=self._settings.longest):
            count += 1
            height, width = (side // 2 * 2 for side in frame.shape[:2])
        if count == 0:
            raise BenchError(f"{path}: no frame can be decoded")
        if min(height, width) < SMALLEST:
            raise BenchError(
                f"{path}: the frames are {width}x{height}; expected at least {SMALLEST}x{SMALLEST}"
            )
        black = np.zeros((1, 1, 1, 1), dtype=np.uint8)
        return Video.of(np.broadcast_to(black, (count, height, width, 3)))

    def _heard(self, own: Sound | None, reference: Video, notes: list[str]) -> Sound | None:
        """The sound under a video that has a reference; a note tells what a run would do."""
        theirs = reference.sound()
        if self._sound == "reference":
            if theirs is None:
                raise BenchError("sound: reference, but the reference has no sound")
            return theirs
        if own is None:
            return theirs
        if theirs is not None and not np.array_equal(
            fitted_sound(own, len(reference.read())), theirs
        ):
            notes.append(
                "own sound kept, which differs from the reference's; sound: reference replaces it, "
                "as a run does"
            )
        return own

    def _of_arrays(
        self, arrays: Frames | tuple[Frames, Sound | None], what: str, notes: list[str]
    ) -> Video:
        frames, sound = arrays if isinstance(arrays, tuple) else (arrays, None)
        is_video = isinstance(frames, np.ndarray) and frames.dtype == np.uint8
        if not is_video or frames.ndim != 4 or frames.shape[3] != 3 or not frames.size:
            shape = getattr(frames, "shape", type(frames).__name__)
            raise BenchError(
                f"{what} is {getattr(frames, 'dtype', '')} {shape}; "
                "expected frames (T, H, W, 3) uint8 RGB at 25 fps"
            )
        if sound is not None:
            is_sound = isinstance(sound, np.ndarray) and sound.dtype == np.int16
            if not is_sound or sound.ndim != 1:
                raise BenchError(
                    f"{what}'s sound is {getattr(sound, 'dtype', type(sound).__name__)} "
                    f"{getattr(sound, 'shape', '')}; expected (S,) int16 mono at 16 kHz, which is "
                    f"{SAMPLES_PER_FRAME} samples a frame"
                )
            notes += [f"{what}: {note}" for note in length_notes(sound, len(frames))]
            sound = fitted_sound(sound, len(frames))
        video = Video.of(frames, sound)
        video.features = self._worker.features_of(self._settings)
        return video

    def _asked_of(self, pair: Pair) -> list[PlannedMetric]:
        has_reference = pair.reference is not None
        return [one for one in self.clip_metrics if has_reference or not needs_real_video(one)]

    def _record(self, metric: PlannedMetric, opened: _Opened) -> MeasurementRecord:
        reference = opened.reference if metric.needs_reference else None
        # The reference is the recording of the case's own face.
        face = opened.reference if metric.needs_face else None
        sample = Sample(opened.case, opened.video, reference, face)

        def compute() -> Values:
            plugin = self._worker.plugins.metric(metric, self._settings)
            assert isinstance(plugin, ClipMetric)
            return plugin.measure(sample)

        record = measurement_of(metric, "", "", opened.video.sha256)
        if reference is not None:
            record = replace(record, reference_sha256=reference.sha256)
        measured = self._worker.measured(record, metric, self._settings, compute)
        seen = sample.reference or sample.video
        return replace(
            measured, faces_missing=seen.missing_faces if "faces" in metric.reads else None
        )


def measure(
    video: Source,
    reference: Source | None = None,
    metrics: Sequence[str] | None = None,
    *,
    features: Sequence[str] = (),
    faces: Literal["haar", "yunet"] = "haar",
    face: Literal["largest", "central"] = "largest",
    sound: SoundChoice = "own",
    fit: Fit = "refuse",
    device: str = "auto",
    plugins: Sequence[str | Path] = (),
    longest: float = LONGEST,
) -> dict[str, dict[str, object]]:
    """What each metric says of one video: the values of a run, to the last bit.

    video, reference: a file, frames (T, H, W, 3) uint8 RGB at 25 fps, or frames with their sound
    (S,) int16 mono at 16 kHz. Files are conformed as a run conforms a method's videos; arrays are
    measured as they are. metrics: names, with options as in "psnr:region=mouth"; None: all metrics
    of clips whose weights are here. features: options of features, in the same form. sound: what
    is heard under a video that has a reference. fit: what becomes of a file whose aspect ratio is
    not the reference's: it is refused, or fitted by "pad", "crop" or "stretch". plugins: local
    plugin files.

    By the text of each metric: `status` ("ok", "undefined", "failed"; "missing" for one that needs
    a reference and has none), `reason`, `protocol` (numbers are comparable where it is equal),
    `values` and `curves` by output, `notes` on what conforming changed.

    Raises BenchError for a video that cannot be read or conformed, and for unknown metrics.
    """
    with tempfile.TemporaryDirectory(prefix="bench-score-") as folder:
        wanted = plan_asked(
            None if metrics is None else asked(_texts(metrics, "metrics")),
            Path(folder),
            features=asked(_texts(features, "features")),
            faces=faces,
            face=face,
            plugins=[Path(plugin) for plugin in plugins],
            longest=longest,
        )
        meter = VideoMeter(wanted, device=device, sound=sound, fit=fit)
        name = Path(video).stem if isinstance(video, str | Path) else "video"
        pair = Pair(name, video, reference)
        measured = meter.values(pair, meter.opened(pair))
        records = dict(measured.records)
        records.update({record.metric: record for record in meter.sets()})
        return as_dict(wanted, measured, records)


def as_dict(
    wanted: AskedMetrics, measured: MeasuredVideo, records: Mapping[str, MeasurementRecord]
) -> dict[str, dict[str, object]]:
    """The records of one video in plain Python, by label, with what is left out."""
    found: dict[str, dict[str, object]] = {}
    for metric in wanted.metrics:
        record = records.get(metric.label)
        found[metric.label] = {
            "status": "missing" if record is None else record.status,
            "reason": _why_missing(metric, measured.pair) if record is None else record.reason,
            "protocol": metric.protocol,
            "values": {} if record is None else dict(record.values),
            "curves": {} if record is None else {k: list(v) for k, v in record.curves.items()},
            "notes": list(measured.notes),
        }
    return found


def needs_real_video(metric: PlannedMetric) -> bool:
    """Whether it compares with the real video, as a reference or as a recording of the face."""
    return metric.needs_reference or metric.needs_face


def _why_missing(metric: PlannedMetric, pair: Pair) -> str:
    if pair.reference is None and needs_real_video(metric):
        return NO_REFERENCE
    return "a metric of sets takes files, not arrays"


def _is_of_another_sound(note: str) -> bool:
    """Whether conforming tells how it replaced a sound, which here was the video's own."""
    return note.startswith(("own sound of", "the video had no sound"))


def _texts(given: Sequence[str], what: str) -> list[str]:
    if isinstance(given, str):
        raise BenchError(f"{what}: {given!r} is one text; give a list, [{given!r}]")
    return list(given)


def _clip(name: str, path: Path) -> Clip:
    return Clip(plain_id(name), path.absolute())
