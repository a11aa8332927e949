"""Contract checks of methods: number of frames, repeatability, no files outside the workdir."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from bench.checks.ladders import Specimen
from bench.checks.subject import (
    CheckFailed,
    CheckSkipped,
    NamedCheck,
    Once,
    Subject,
    digests,
    raise_if_written,
    watched,
)
from bench.checks.toy_person import SEED, ToyPerson, half_of
from bench.contract.jobs import Generation, Job
from bench.contract.plugins import Method
from bench.contract.video import Video
from bench.ground.types import CASE_KINDS, SAMPLES_PER_FRAME, Case, CaseKind, Clip, Frame, Frames
from bench.run.output_form import OutputForm


def method_checks(subject: Subject, method: type[Method]) -> Iterator[NamedCheck]:
    toy = ToyPerson(subject)
    if method.learns_persons():
        yield "learns a person", lambda: _check_learning(toy)
    kind: CaseKind = "reconstruct" if "reconstruct" in method.kinds else min(method.kinds)
    first = Once(lambda: _first_run(subject, toy, kind))
    for each in CASE_KINDS:
        if each in method.kinds:
            known = first if each == kind else None
            yield f"makes the frames asked for in {each}", _frames_check(subject, toy, each, known)
    if method.learns_persons():
        yield "learns on where it was stopped", lambda: _check_learning_on(subject, toy, kind)
    yield "is deterministic", lambda: _check_method_repeats(subject, toy, kind, first())
    yield "leaves its inputs alone", lambda: _check_job_kept(first())
    yield "writes only in its workdir", lambda: first().raise_if_written()


def _job(clean: Specimen, toy: ToyPerson, *, kind: CaseKind, root: Path, workdir: str) -> Job:
    """A job on the specimen, whose face clip is a file in `root/inputs`."""
    own, other = clean.sample.case.face, Clip(id="other", video=Path("other.mp4"))
    face = toy.opened(clean, root / "inputs" / f"{own.id}.mp4")
    sound = clean.sample.video.sound() if kind == "reconstruct" else clean.other_speech
    if sound is None:
        raise CheckSkipped(f"the specimen {own.id!r} has no sound for a job")
    frames = len(sound) // SAMPLES_PER_FRAME
    folder = root / workdir
    folder.mkdir()
    return Job(
        case=Case("checks", kind, face=own, speech=own if kind == "reconstruct" else other),
        face=face,
        speech=sound[: frames * SAMPLES_PER_FRAME],
        frames=frames,
        workdir=folder,
        seed=SEED,
        log=logging.getLogger(__name__),
        other=Video.of(clean.sample.video.read(), clean.other_speech),
        prepared=toy.prepared(root),
    )


def _generated(method: Method, job: Job, target: Path) -> tuple[Frames, OutputForm]:
    """The frames, conformed and read back from the file, (T, H, W, 3) uint8, and their form."""
    from bench import media
    from bench.run.outputs import conform_output

    generation = method.generate(job)
    if not isinstance(generation, Generation):
        raise CheckFailed(f"generate() returned {generation!r:.80}; expected bench.Generation")
    form = OutputForm.of(generation, job)
    if not isinstance(generation.video, Path):
        generation = replace(generation, video=_counted(generation.video, form))
    conform_output(generation, job, target)
    return media.read_frames(target), form


def _counted(frames: Iterable[Frame], form: OutputForm) -> Iterator[Frame]:
    """Passes the frames on; raises CheckFailed for a wrong number or type, or a changing size."""
    count, shape = 0, None
    for frame in frames:
        count += 1
        if frame.dtype != np.uint8 or frame.ndim != 3 or frame.shape[2] != 3:
            raise CheckFailed(f"frame {count} is {frame.dtype} {frame.shape}; expected uint8 RGB")
        if shape is not None and frame.shape != shape:
            raise CheckFailed(f"frame {count} is {frame.shape}, the ones before are {shape}")
        if count > len(form.made):
            raise CheckFailed(f"more than the {len(form.made)} frames that the job asks for")
        shape = frame.shape
        yield frame
    if count != len(form.made):
        raise CheckFailed(f"{count} frames; the job asks for {len(form.made)}")


@dataclass(frozen=True)
class _FirstRun:
    """What one run on the first specimen showed. content: of the inputs, before and after it.

    written: the files that it wrote outside its folder, as a failure; None if there are none.
    """

    frames: Frames
    form: OutputForm
    content: tuple[object, object]
    written: CheckFailed | None

    def raise_if_written(self) -> None:
        if self.written is not None:
            raise self.written


def _first_run(subject: Subject, toy: ToyPerson, kind: CaseKind) -> _FirstRun:
    method, written = subject.method(), None
    with watched() as root:
        job = _job(subject.specimens()[0], toy, kind=kind, root=root, workdir="work")
        job = replace(job, speech=job.speech.copy())
        before = _content(job, root)
        frames, form = _generated(method, job, root / "target.mp4")
        try:
            raise_if_written(root, allowed=("work", "inputs", "prepared", "target.mp4"))
        except CheckFailed as failure:
            written = failure
        return _FirstRun(frames, form, (before, _content(job, root)), written)


def _content(job: Job, root: Path) -> object:
    """The digests of what a method is given."""
    folders = [root / "inputs", *([job.prepared] if job.prepared else [])]
    return [digests(folder) for folder in folders], job.speech.tobytes()


def _frames_check(
    subject: Subject, toy: ToyPerson, kind: CaseKind, first: Once[_FirstRun] | None
) -> Callable[[], None]:
    """first: the run on the first specimen, if it was of this kind."""

    def check() -> None:
        if first is not None:
            _check_shape(first().frames, first().form)
        method = subject.method()
        with watched() as root:
            for index, clean in enumerate(subject.specimens()[0 if first is None else 1 :]):
                job = _job(clean, toy, kind=kind, root=root, workdir=f"work-{index}")
                _check_shape(*_generated(method, job, root / f"{index}.mp4"))

    return check


def _check_shape(frames: Frames, form: OutputForm) -> None:
    wanted = (len(form.made), *form.size, 3)
    if frames.shape != wanted:
        raise CheckFailed(f"frames (T, H, W, C) are {frames.shape}, not {wanted}")


def _check_method_repeats(
    subject: Subject, toy: ToyPerson, kind: CaseKind, first: _FirstRun
) -> None:
    with watched() as root:
        job = _job(subject.specimens()[0], toy, kind=kind, root=root, workdir="work")
        again, _ = _generated(subject.method(), job, root / "target.mp4")
    if not np.array_equal(first.frames, again):
        raise CheckFailed("two runs of one job with the same seed give different frames")


def _check_job_kept(run: _FirstRun) -> None:
    before, after = run.content
    if after != before:
        raise CheckFailed(
            "the method changed its inputs: the face clip, the speech, or job.prepared"
        )


def _check_learning(toy: ToyPerson) -> None:
    with watched() as root:
        toy.write_clips(root)
        before = digests(root / "inputs")
        toy.learn(root, root / "prepared")
        raise_if_written(root, allowed=("inputs", "prepared"))
        if digests(root / "inputs") != before:
            raise CheckFailed("prepare() changed the clips that it was given")


def _check_learning_on(subject: Subject, toy: ToyPerson, kind: CaseKind) -> None:
    """Prepares again in a folder with all files, and in one with only the older half of them."""
    for part in ("all", "half"):
        with watched() as root:
            job = _job(subject.specimens()[0], toy, kind=kind, root=root, workdir="work")
            assert job.prepared is not None
            if part == "half":
                half_of([path for path in job.prepared.rglob("*") if path.is_file()])
            toy.learn(root, job.prepared)
            _generated(subject.method(), job, root / "target.mp4")
