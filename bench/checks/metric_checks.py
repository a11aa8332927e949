"""Contract checks of metrics: values, repeatability, the reference's value, distortion ladders."""

from __future__ import annotations

import contextlib
import hashlib
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from bench.checks.ladders import LADDERS, Ladder, Specimen
from bench.checks.subject import (
    CheckFailed,
    CheckSkipped,
    NamedCheck,
    Once,
    Subject,
    raise_if_written,
    watched,
)
from bench.contract.jobs import Sample
from bench.contract.plugins import ClipMetric, Metric, SetMetric, Values
from bench.contract.video import Video
from bench.ground.errors import BenchError, Undefined
from bench.ground.types import SAMPLES_PER_FRAME, Frames, Output, Sound

BEST_TOLERANCE = 1e-6  # of the value of the reference against itself
INDEPENDENT_TOLERANCE = 1e-5  # of the value, or of 1 where that is more: float32 has 7 digits
STEP_TOLERANCE = 0.02  # share of a ladder's range by which a step may be better than the last one
# Once frames and sound are unrelated, a sync metric cannot get worse and only fluctuates: beyond
# the first share of the range, a step may be better by the second one.
SPENT, SPENT_TOLERANCE = 0.8, 0.1


def metric_checks(subject: Subject, metric: type[Metric]) -> Iterator[NamedCheck]:
    first = Once(lambda: _first_run(subject))
    yield "gives the declared outputs", lambda: _check_values(first())
    yield "is deterministic", lambda: _check_metric_repeats(subject, first())
    yield "leaves its inputs alone", lambda: _check_inputs_kept(first())
    yield "writes no files", lambda: first().raise_if_written()
    if "reference" in metric.reads:
        yield "truth against itself is best", lambda: _check_truth_is_best(subject)
    if "reference" in metric.reads and issubclass(metric, ClipMetric):
        yield "unequal lengths raise", lambda: _check_unequal_lengths(subject)
    if issubclass(metric, ClipMetric) and metric.independent is not ClipMetric.independent:
        yield "agrees with independent code", lambda: _check_independent(subject)
    if not metric.sees:
        yield "gets worse along a ladder", _skip_ladders
    climbed = _Climbed(subject)
    for entry in sorted(metric.sees):
        ladder, _, output = entry.partition(":")
        if ladder in LADDERS:
            name = f"gets worse along {ladder}" + (f" in {output}" if output else "")
            watched = [each for each in metric.outputs if _is_watched(each, output)]
            yield name, _ladder_check(climbed, LADDERS[ladder], watched)


def _skip_ladders() -> None:
    raise CheckSkipped(
        "the metric declares no ladder in `sees`, so nothing here shows that it measures; "
        f"known ladders: {', '.join(LADDERS)}"
    )


def _distorted(clean: Specimen) -> Sample:
    return LADDERS["noise"].apply(clean, 10)


def _copied(sample: Sample) -> Sample:
    """A fresh copy of the sample, without cached results."""
    reference = None if sample.reference is None else _copied_video(sample.reference)
    face = None if sample.face is None else _copied_video(sample.face)
    return replace(sample, video=_copied_video(sample.video), reference=reference, face=face)


def _copied_video(video: Video) -> Video:
    sound = video.sound()
    try:
        track = video.faces()
    except BenchError:
        track = None
    own_sound = None if sound is None else sound.copy()
    return Video.of(video.read().copy(), own_sound, track=track)


def _scores(subject: Subject, metric: Metric, samples: Sequence[Sample]) -> list[Values]:
    """The metric's values: for each sample, or once for all of them if it measures sets."""
    computing = subject.computing()
    for sample in samples:
        for video in filter(None, (sample.video, sample.reference, sample.face)):
            video.features = computing
    if isinstance(metric, ClipMetric):
        return [metric.measure(sample) for sample in samples]
    assert isinstance(metric, SetMetric)
    own = _summary(metric, [sample.video for sample in samples])
    if "reference" not in metric.reads:
        return [metric.compute(own, None)]
    references = [sample.reference for sample in samples if sample.reference is not None]
    return [metric.compute(own, _summary(metric, references))]


def _summary(metric: SetMetric, videos: Sequence[Video]) -> object:
    summary = metric.start()
    for video in videos:
        metric.update(summary, video)
    return summary


def _defined(subject: Subject, metric: Metric, samples: Sequence[Sample]) -> list[Values]:
    """The values of samples that should have some; raises CheckSkipped if they are undefined."""
    try:
        return _scores(subject, metric, samples)
    except Undefined as undefined:
        raise CheckSkipped(f"no value on these specimens, give others: {undefined}") from undefined


@dataclass(frozen=True)
class _FirstRun:
    """What one run on noisy specimens showed. content: of the samples, before and after it.

    written: the files that it wrote, as a failure; None if there are none.
    """

    metric: Metric
    values: list[Values]
    content: tuple[list[str], list[str]]
    written: CheckFailed | None

    def raise_if_written(self) -> None:
        if self.written is not None:
            raise self.written


def _first_run(subject: Subject) -> _FirstRun:
    metric = subject.metric()
    samples = [_copied(_distorted(each)) for each in subject.specimens()]
    before, written = [_content(sample) for sample in samples], None
    with watched() as root:
        values = _defined(subject, metric, samples)
        try:
            raise_if_written(root, allowed=())
        except CheckFailed as failure:
            written = failure
    return _FirstRun(metric, values, (before, [_content(each) for each in samples]), written)


def _check_values(run: _FirstRun) -> None:
    for values in run.values:
        _check_mapping(run.metric.outputs, values)


def _check_mapping(outputs: Sequence[Output], values: Values) -> None:
    declared, given = {output.name for output in outputs}, set(values)
    if declared != given:
        raise CheckFailed(f"outputs declare {sorted(declared)}, the values have {sorted(given)}")
    for output in outputs:
        value = values[output.name]
        if isinstance(value, Sequence) != output.curve:
            kind = "a sequence" if output.curve else "a number"
            raise CheckFailed(f"{output.name} is {value!r:.80}; declared as {kind}")
        for number in value if isinstance(value, Sequence) else [value]:
            _check_number(output, number)


def _check_number(output: Output, number: float) -> None:
    if not math.isfinite(number):
        raise CheckFailed(f"{output.name} is {number}; a sample without a value raises Undefined")
    low = -math.inf if output.low is None else output.low
    high = math.inf if output.high is None else output.high
    if not low <= number <= high:
        raise CheckFailed(f"{output.name} is {number}, outside its declared range [{low}, {high}]")


def _check_metric_repeats(subject: Subject, run: _FirstRun) -> None:
    samples = [_distorted(each) for each in subject.specimens()]
    again = _scores(subject, run.metric, [_copied(sample) for sample in samples])
    fresh = _scores(subject, subject.metric(), [_copied(sample) for sample in samples])
    for name, other in (("the same instance", again), ("a fresh instance", fresh)):
        if run.values != other:
            raise CheckFailed(f"{name} gives {other!r:.300} after {run.values!r:.300}")


def _check_inputs_kept(run: _FirstRun) -> None:
    before, after = run.content
    if after != before:
        raise CheckFailed("the metric changed the frames, the sound or the track that it was given")


def _content(sample: Sample) -> str:
    running = hashlib.sha256()
    for video in (sample.video, sample.reference):
        if video is None:
            continue
        arrays: list[Frames | Sound | None] = [video.read(), video.sound()]
        for array in arrays:
            running.update(b"none" if array is None else array.tobytes())
        with contextlib.suppress(BenchError):  # no track that could change
            running.update(video.faces().boxes.tobytes() + video.faces().mouths.tobytes())
    return running.hexdigest()


def _check_truth_is_best(subject: Subject) -> None:
    metric = subject.metric()
    samples = [
        replace(each.sample, video=each.sample.video, reference=_copied_video(each.sample.video))
        for each in subject.specimens()
    ]
    try:
        scores = _scores(subject, metric, samples)
    except Undefined as undefined:
        if not str(undefined).strip():
            raise CheckFailed("truth against itself raises Undefined without a reason") from None
        return
    for values in scores:
        _check_best(metric.outputs, values)


def _check_best(outputs: Sequence[Output], values: Values) -> None:
    for output in outputs:
        value = values[output.name]
        if output.best is None or isinstance(value, Sequence):
            continue
        if abs(value - output.best) > BEST_TOLERANCE:
            raise CheckFailed(
                f"{output.name} of the truth against itself is {value}; best is {output.best}"
            )


def _check_unequal_lengths(subject: Subject) -> None:
    metric = subject.metric()
    shorter = []
    for each in subject.specimens():
        video = each.sample.video
        frames = video.read()[:-1].copy()
        sound = video.sound()
        cut = None if sound is None else sound[:-SAMPLES_PER_FRAME].copy()
        track = _copied_video(video)
        shorter.append(replace(each.sample, video=_shortened(track, frames, cut)))
    try:
        values = _scores(subject, metric, shorter)
    except (BenchError, Undefined, ValueError):
        return
    raise CheckFailed(
        f"a video one frame shorter than its reference gives {values!r:.200}; expected an error, "
        "for cutting one of the two would hide a fault of the method"
    )


def _shortened(video: Video, frames: Frames, sound: Sound | None) -> Video:
    try:
        track = video.faces()
    except BenchError:
        return Video.of(frames, sound)
    kept = replace(track, boxes=track.boxes[:-1], mouths=track.mouths[:-1], found=track.found[:-1])
    return Video.of(frames, sound, track=kept)


def _check_independent(subject: Subject) -> None:
    metric = subject.metric()
    assert isinstance(metric, ClipMetric)
    samples = [_distorted(each) for each in subject.specimens()]
    compared = 0
    for sample, own in zip(samples, _defined(subject, metric, samples), strict=True):
        other = metric.independent(sample) or {}
        for name, value in other.items():
            _check_close(name, own.get(name, ()), value)
        compared += len(other)
    if not compared:
        raise CheckFailed("`independent` gives no value for any specimen, so nothing is compared")


def _check_close(name: str, own: float | Sequence[float], other: float | Sequence[float]) -> None:
    numbers, wanted = np.atleast_1d(own), np.atleast_1d(other)
    close = INDEPENDENT_TOLERANCE * np.maximum(1.0, np.abs(wanted))
    # Negated, so that NaN fails as well.
    if numbers.shape != wanted.shape or not (np.abs(numbers - wanted) <= close).all():
        raise CheckFailed(f"{name} is {own!r:.80}, and independent code gives {other!r:.80}")


class _Climbed:
    """A metric's mean values along ladders; each ladder is measured once for all outputs."""

    def __init__(self, subject: Subject) -> None:
        self._subject = subject
        self._known: dict[str, list[dict[str, float]]] = {}

    def __call__(self, ladder: Ladder) -> list[dict[str, float]]:
        """By output, the means over the specimens: clean ones first, then each step's."""
        if ladder.name not in self._known:
            metric, specimens = self._subject.metric(), self._subject.specimens()
            if "" not in self._known:
                self._known[""] = [
                    _means(self._subject, metric, [each.sample for each in specimens])
                ]
            steps = ([ladder.apply(each, step) for each in specimens] for step in ladder.steps)
            found = [_means(self._subject, metric, samples) for samples in steps]
            self._known[ladder.name] = [*self._known[""], *found]
        return self._known[ladder.name]


def _ladder_check(
    climbed: _Climbed, ladder: Ladder, watched: Sequence[Output]
) -> Callable[[], None]:
    def check() -> None:
        means = climbed(ladder)
        if not watched:
            raise CheckFailed(f"no output has a direction, so none can see {ladder.name}")
        for output in watched:
            _check_descent(output, ladder, [values.get(output.name) for values in means])

    return check


def _is_watched(output: Output, wanted: str) -> bool:
    if wanted:
        return output.name == wanted
    return output.better != "none" and not output.curve


def _means(subject: Subject, metric: Metric, samples: Sequence[Sample]) -> dict[str, float]:
    """The mean of each number over the samples; empty where the samples have no value."""
    try:
        scores = _scores(subject, metric, samples)
    except Undefined:
        return {}
    names = [output.name for output in metric.outputs if not output.curve]
    return {name: float(np.mean([values[name] for values in scores])) for name in names}


def _check_descent(output: Output, ladder: Ladder, values: Sequence[float | None]) -> None:
    """Raises CheckFailed if a value is better than the one before; the clean one comes first."""
    clean, steps = values[0], values[1:]
    numbers = [value for value in steps if value is not None]
    if len(numbers) < len(steps):
        raise CheckFailed(f"{output.name} has no value along {ladder.name}: {list(values)}")
    path = numbers if clean is None else [clean, *numbers]
    losses = [_loss(output, value, start=path[0]) for value in path]
    span = losses[-1] - losses[0]
    told = ", ".join(f"{value:.6g}" for value in path)
    where = f"{output.name} along {ladder.name} ({ladder.unit}: 0 and {ladder.steps}) is {told}"
    if clean is None:
        where = f"{output.name} along {ladder.name} ({ladder.unit}: {ladder.steps}) is {told}"
    if span <= 0:
        raise CheckFailed(f"{where}: the last step is no worse than the first")
    for before, after in pairwise(losses):
        is_spent = min(before, after) - losses[0] >= SPENT * span
        tolerance = SPENT_TOLERANCE if is_spent else STEP_TOLERANCE
        if after < before - tolerance * span:
            raise CheckFailed(f"{where}: a step is better than the one before")


def _loss(output: Output, value: float, *, start: float) -> float:
    """How bad a value is; for an output without a direction, its distance from the start."""
    if output.better == "none":
        return abs(value - start)
    return value if output.better == "lower" else -value
