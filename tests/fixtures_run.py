"""Builds small run folders as `bench run` leaves them, with made-up numbers and drawn videos."""

from __future__ import annotations

import functools
import hashlib
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from bench.files.digests import digest
from bench.ground.types import CASE_KINDS, SAMPLES_PER_FRAME, CaseKind, Frames, Sound
from bench.records.manifest import (
    CasePart,
    DatasetPart,
    Manifest,
    MethodPart,
    MetricPart,
    OutputPart,
    PublishedPart,
    TablePart,
)
from bench.records.record import GenerationRecord, MeasurementRecord, Record
from bench.records.schema import GENERATIONS, MEASUREMENTS, SCHEMA
from bench.records.store import Store
from bench.study.answers import QuestionTitles
from bench.study.make.simulation import Crowd, Presentation, simulate
from bench.study.score.compute_scores import ScoringSettings, compute_scores
from bench.study.score.metric_values import metric_columns
from bench.study.score.scores import Scores, write_scores

QUESTIONS = ("sync_accuracy", "visual_quality", "overall_impression")
SIZE = 96  # pixels, width and height of the drawn videos
FRAMES = 30

LSE_OUTPUTS = (
    OutputPart(name="lse_d", title="LSE-D", unit="distance", better="lower"),
    OutputPart(name="lse_c", title="LSE-C", unit="distance", better="higher"),
    OutputPart(name="offset", title="AV offset", unit="frames", better="none"),
    OutputPart(name="lse_d_at_0", title="LSE-D at 0", unit="distance", better="lower"),
    OutputPart(name="lse_c_at_0", title="LSE-C at 0", unit="distance", better="higher"),
    OutputPart(name="padding_share", title="padding", unit="share", better="none"),
    OutputPart(name="distances", unit="distance", better="lower", curve=True),
    OutputPart(name="framewise_confidence", unit="distance", better="higher", curve=True),
)
MOTION_OUTPUTS = (
    OutputPart(name="motion_c", title="motion C", unit="correlation", better="higher"),
    OutputPart(name="offset", unit="frames", better="none"),
    OutputPart(name="agreement", unit="correlation", curve=True),
)
PSNR = OutputPart(name="psnr", title="PSNR", unit="dB", better="higher", low=0.0)
SSIM = OutputPart(name="ssim", title="SSIM", unit="1", better="higher", best=1.0, high=1.0)


@dataclass(frozen=True)
class FakeMethod:
    """A method and how well it does: sync by kind of case, picture with and without speech.

    motion: what a second sync judge says; by default a tenth of sync.
    """

    name: str
    control: bool = False
    sync: float = 1.0
    cross_sync: float | None = None
    motion: float | None = None
    offset: int = 0
    psnr: float = 30.0
    gain: float = 0.3
    kinds: tuple[CaseKind, ...] = CASE_KINDS
    label: str = ""
    title: str = ""
    protocol: str = ""

    @property
    def shown(self) -> str:
        """Its label."""
        return self.label or self.name

    @property
    def key(self) -> str:
        """The digest that stands for this method with its settings."""
        return digest(["method", self.name, self.label, self.sync, self.protocol])


CONTROLS = (
    FakeMethod("truth", control=True, sync=6.5, kinds=("reconstruct",)),
    FakeMethod("still", control=True, sync=0.6, psnr=26.0, gain=0.0),
    FakeMethod("shifted", control=True, sync=6.4, offset=5, psnr=99.0, kinds=("reconstruct",)),
    FakeMethod("mismatched", control=True, sync=1.2, psnr=99.0, kinds=("reconstruct",)),
)
COMPETITORS = (
    FakeMethod("wav2lip", sync=5.2, psnr=31.3, gain=0.45, title="Wav2Lip (2020)"),
    FakeMethod("copycat", sync=6.9, cross_sync=2.1, psnr=35.1, gain=0.02),
    FakeMethod("m_csawav2lip", label="M-CSAWav2Lip", sync=6.2, psnr=31.6, gain=0.9),
)
SEVEN = (  # the paper's ablation, in the paper's order
    FakeMethod("wav2lip", label="Wav2Lip", sync=5.2, psnr=31.3, protocol="reference: first"),
    FakeMethod("wav2lip", label="MFCC-Wav2Lip", sync=5.3, psnr=31.5, protocol="reference: first"),
    FakeMethod("wav2lip", label="M-Wav2Lip", sync=5.5, psnr=31.7, protocol="reference: first"),
    FakeMethod("wav2lip", label="CAT-Wav2Lip", sync=5.7, psnr=32.1, protocol="reference: first"),
    FakeMethod("wav2lip", label="SAT-Wav2Lip", sync=5.6, psnr=32.0, protocol="reference: first"),
    FakeMethod("wav2lip", label="CSA-Wav2Lip", sync=5.9, psnr=32.4, protocol="reference: first"),
    FakeMethod("wav2lip", label="M-CSAWav2Lip", sync=6.2, psnr=32.8, protocol="reference: first"),
)
IDENTICAL = "frames are identical to the reference: PSNR is infinite"
NO_FACE = (
    "no face found in any of the 30 frames by haar; check the video, try the other detector "
    "(faces: yunet or haar), or give face boxes"
)


@dataclass(frozen=True)
class FakeRun:
    """What a run folder should hold. failing, undefined, faceless: (method label, case id).

    works: the scorer does. faceless: no face is found in any frame. second: whether a second sync
    judge was asked; second_works: it does.
    """

    name: str = "clr"
    dataset: str = "CLR"
    title: str = "CLR (Chinese Lip Reading)"
    stand_in: str | None = "synth-zh"
    methods: Sequence[FakeMethod] = CONTROLS + COMPETITORS
    speakers: int = 4
    clips_each: int = 3
    seed: int = 0
    protocol: str = "lse[lrs; shipped@1f2e3d4c]"
    works: bool = True
    failing: Sequence[tuple[str, str]] = ()
    undefined: Sequence[tuple[str, str]] = ()
    broken_metric: Sequence[tuple[str, str]] = ()
    faceless: Sequence[tuple[str, str]] = ()
    reference: str | None = "wav2lip"
    published: str | None = "clr"
    published_table: str = "comparison"
    ablation: Sequence[str] = ()
    texts: Sequence[str] = ("漓江的水清得能看见江底的沙石", "今天的新闻就到这里")
    videos: bool = False
    marks: dict[str, list[str]] = field(default_factory=dict)
    second: bool = False
    second_works: bool = True


def build_run(folder: Path, fake: FakeRun | None = None) -> Path:
    """Writes the run folder, in place of one that is there, and returns it."""
    fake = fake or FakeRun()
    manifest = _manifest(fake)
    for name in (GENERATIONS, MEASUREMENTS):
        (folder / name).unlink(missing_ok=True)
    with Store(folder) as store:
        store.manifest(manifest)
        for record in _records(folder, fake, manifest):
            store.append(record)
    (folder / ".lock").unlink()
    return folder


_REPORTS: dict[str, tempfile.TemporaryDirectory[str]] = {}


def build_report(folder: Path, fake: FakeRun | None = None, *, lang: str = "en") -> Path:
    """Puts a run and its report into `folder/run` and `folder/out`; returns the report's page.

    Both are made once in a process and copied, because many tests look at the same few.
    """
    import reports

    asked = f"{fake or FakeRun()} {lang}"
    if asked not in _REPORTS:
        made = tempfile.TemporaryDirectory(prefix="bench-report-")
        run = build_run(Path(made.name) / "run", fake)
        reports.build([run], Path(made.name) / "out", lang=lang)
        _REPORTS[asked] = made
    for name in ("run", "out"):
        shutil.copytree(Path(_REPORTS[asked].name) / name, folder / name)
    return folder / "out" / "index.html"


def _manifest(fake: FakeRun) -> Manifest:
    return Manifest(
        schema=SCHEMA,
        name=fake.name,
        title=f"Comparison on {fake.dataset}",
        created="2026-01-01T00:00:00Z",
        config={"name": fake.name, "seed": fake.seed, "cases": {"cross": 4}},
        config_path=f"configs/{fake.name}.yaml",
        seed=fake.seed,
        git={"commit": "0123456789abcdef", "dirty": False},
        versions={"numpy": "2.4.0", "python": "3.11.2"},
        hardware={"cpus": 2, "gpu": None, "memory_gb": 8},
        faces="yunet",
        datasets=(
            DatasetPart(
                name=fake.dataset,
                title=fake.title,
                manifest="manifest.csv",
                stand_in=fake.stand_in,
                split="test",
                clips=fake.speakers * fake.clips_each,
                speakers=fake.speakers,
                marks=fake.marks,
            ),
        ),
        methods=tuple(
            MethodPart(
                label=method.shown,
                name=method.name,
                version="1",
                title=method.title,
                source="defined here" if method.control else "doi 10.1145/3394171.3413532",
                licence="Apache-2.0",
                control=method.control,
                protocol=method.protocol,
                kinds=method.kinds,
                options={"frames": -method.offset} if method.name == "shifted" else {},
                key=method.key,
            )
            for method in fake.methods
        ),
        metrics=_metrics(fake),
        cases=_cases(fake),
        tables=_tables(fake),
    )


def _cases(fake: FakeRun) -> tuple[CasePart, ...]:
    clips = [
        (f"s{speaker:02d}_{clip:03d}", f"s{speaker:02d}")
        for speaker in range(fake.speakers)
        for clip in range(fake.clips_each)
    ]
    joints: dict[CaseKind, str] = {"reconstruct": "", "probe": "~", "cross": "+"}
    cases: list[CasePart] = []
    for index, (clip, speaker) in enumerate(clips):
        other = clips[(index + fake.clips_each) % len(clips)][0]
        for kind, joint in joints.items():
            name = f"{clip}{joint}{other}" if joint else clip
            case = CasePart(
                dataset=fake.dataset,
                id=name,
                kind=kind,
                key=digest(["case", fake.dataset, name]),
                face=clip,
                speech=clip if kind == "reconstruct" else other,
                speaker=speaker,
                text=fake.texts[index % len(fake.texts)],
            )
            cases.append(case)
    return tuple(cases)


def _metrics(fake: FakeRun) -> tuple[MetricPart, ...]:
    def metric(
        label: str,
        name: str,
        protocol: str,
        outputs: tuple[OutputPart, ...],
        reads: tuple[str, ...],
        options: dict[str, object],
    ) -> MetricPart:
        return MetricPart(
            label=label,
            name=name,
            version="1",
            protocol=protocol,
            source="doi 10.1145/3394171.3413532",
            reads=reads,
            options=options,
            outputs=outputs,
            key=digest(["metric", label, protocol]),
        )

    picture = ("video", "reference", "faces")
    face: dict[str, object] = {"region": "face"}
    mouth: dict[str, object] = {"region": "mouth"}
    lse = {"front_end": "lrs"}
    heard = ("landmarks", "faces", "sound")
    motion = metric("lip_motion", "lip_motion", "lip_motion[small]", MOTION_OUTPUTS, heard, {})
    return (
        metric("lse", "lse", fake.protocol, LSE_OUTPUTS, ("video", "sound"), {**lse}),
        metric("ssim", "ssim", "ssim[face@yunet; rgb; native]", (SSIM,), picture, face),
        metric("psnr", "psnr", "psnr[face@yunet; rgb; native]", (PSNR,), picture, face),
        metric("ssim_mouth", "ssim", "ssim[mouth@yunet; rgb; native]", (SSIM,), picture, mouth),
        metric("psnr_mouth", "psnr", "psnr[mouth@yunet; rgb; native]", (PSNR,), picture, mouth),
        *((motion,) if fake.second else ()),
    )


def _tables(fake: FakeRun) -> tuple[TablePart, ...]:
    columns = ("lse.lse_d", "lse.lse_c", "ssim.ssim", "psnr.psnr")
    published = fake.published and PublishedPart(
        table=fake.published_table, data={fake.dataset: fake.published}
    )
    comparison = TablePart(
        name="comparison",
        rows=tuple(method.shown for method in fake.methods),
        columns=columns,
        reference=fake.reference,
        published=published or None,
    )
    if not fake.ablation:
        return (comparison,)
    ablation = TablePart(
        name="ablation",
        kind="ablation",
        rows=tuple(fake.ablation),
        columns=columns,
        reference=fake.reference,
        published=PublishedPart(table="ablation", data={fake.dataset: "clr"}),
    )
    return comparison, ablation


def _records(folder: Path, fake: FakeRun, manifest: Manifest) -> Iterator[Record]:
    for number, case in enumerate(manifest.cases):
        for place, method in enumerate(fake.methods):
            if case.kind not in method.kinds:
                continue
            generator = np.random.default_rng([fake.seed, number, place])
            made = _generation(folder, fake, case, method, number)
            yield made
            if made.status != "ok":
                continue
            for metric in manifest.metrics:
                if "reference" in metric.reads and case.kind == "cross":
                    continue
                unfinished = MeasurementRecord(
                    schema=SCHEMA,
                    key=digest([metric.key, made.sha256, number]),
                    status="ok",
                    metric=metric.label,
                    metric_key=metric.key,
                    protocol=metric.protocol,
                    method_protocol=method.protocol,
                    video_sha256=made.sha256,
                    reference_sha256=made.reference_sha256 if "reference" in metric.reads else None,
                    box=None,
                    values={},
                    curves={},
                    faces_missing=0.04 if number % 5 == 0 else 0.0,
                    seconds=0.1,
                )
                yield _measured(unfinished, fake, metric, case, method, generator)


def _generation(
    folder: Path, fake: FakeRun, case: CasePart, method: FakeMethod, number: int
) -> GenerationRecord:
    fails = (method.shown, case.id) in fake.failing
    video = f"videos/{fake.dataset}/{method.shown}/{case.id}.mp4"
    sha256 = digest(["video", fake.dataset, method.shown, case.id, method.sync])
    if fake.videos and not fails:
        (folder / video).parent.mkdir(parents=True, exist_ok=True)
        # A box that readers skip tells apart videos that show the same.
        own = b"\0\0\0\x48free" + sha256.encode()
        content = encoded(number % 2, method.sync) + own
        (folder / video).write_bytes(content)
        sha256 = hashlib.sha256(content).hexdigest()
    reference = digest(["reference", fake.dataset, case.face])
    record = GenerationRecord(
        schema=SCHEMA,
        key=digest(["generation", method.key, case.key]),
        status="failed",
        method=method.shown,
        method_key=method.key,
        method_protocol=method.protocol,
        case=case.id,
        case_key=case.key,
        kind=case.kind,
        dataset=fake.dataset,
        speaker=case.speaker,
        video=video,
        sha256="",
        reference_sha256=None,
        seconds={},
        started="2026-01-01T00:00:00Z",
    )
    if fails:
        trace = "Traceback (most recent call last):\n  <it>"
        return record.failed("RuntimeError: out of ideas", trace)
    return replace(
        record,
        status="ok",
        sha256=sha256,
        reference_sha256=None if case.kind == "cross" else reference,
        frames=FRAMES,
        conformed=() if method.control else ("size 128x128 -> 96x96",),
        seconds={"generate": 0.5, "encode": 0.1},
    )


def _measured(
    record: MeasurementRecord,
    fake: FakeRun,
    metric: MetricPart,
    case: CasePart,
    method: FakeMethod,
    generator: np.random.Generator,
) -> MeasurementRecord:
    pair = (method.shown, case.id)
    if pair in fake.broken_metric:
        return record.failed("ValueError: the metric broke", "Traceback: <metric>")
    if pair in fake.undefined:
        return replace(record, status="undefined", reason="no sound")
    if pair in fake.faceless and metric.name == "lse":
        return replace(record, status="undefined", reason=NO_FACE, faces_missing=1.0)
    if metric.name == "lse":
        values, curves = _lse(fake, case, method, generator)
        return replace(record, values=values, curves=curves)
    if metric.name == "lip_motion":
        works = fake.second_works or method.name not in ("truth", "mismatched")
        strength = method.sync / 10 if method.motion is None else method.motion
        motion = (strength if works else 0.3) + float(generator.normal(0, 0.03))
        values = {"motion_c": motion, "offset": float(method.offset)}
        return replace(record, values=values, curves={"agreement": (motion,) * 31})
    same = method.psnr >= 99.0 or method.name == "truth"
    if metric.name == "psnr":
        if same:
            return replace(record, status="undefined", reason=IDENTICAL)
        loss = method.gain if case.kind == "probe" else 0.0
        value = method.psnr - loss + float(generator.normal(0, 0.05 if loss else 0.1))
        return replace(record, values={"psnr": method.psnr if method.gain == 0.0 else value})
    value = 1.0 if same else 0.75 + method.psnr / 250 + float(generator.normal(0, 0.01))
    value -= 0.02 * method.gain if case.kind == "probe" else 0.0
    return replace(record, values={"ssim": min(1.0, value)})


def _lse(
    fake: FakeRun, case: CasePart, method: FakeMethod, generator: np.random.Generator
) -> tuple[dict[str, float], dict[str, tuple[float, ...]]]:
    strength = method.sync
    if case.kind == "cross":
        strength = method.sync if method.cross_sync is None else method.cross_sync
    strength = max(0.2, strength + float(generator.normal(0, 0.35)))
    offset = method.offset
    if not fake.works or method.name in ("still", "mismatched"):
        offset = int(generator.integers(-15, 16))
        strength = 0.5 + 0.5 * float(generator.random()) if not fake.works else strength
    shifts = 15 - np.arange(31)  # distances[k] belongs to the offset 15 - k
    distances = 14.5 - strength * np.exp(-0.5 * ((shifts - offset) / 1.6) ** 2)
    distances = distances + generator.normal(0, 0.05, 31)
    best = int(np.argmin(distances))
    middle = float(np.median(distances))
    framewise = strength + np.cumsum(generator.normal(0, 0.3, FRAMES - 5))
    values = {
        "lse_d": float(distances.min()),
        "lse_c": middle - float(distances.min()),
        "offset": float(15 - best),
        "lse_d_at_0": float(distances[15]),
        "lse_c_at_0": middle - float(distances[15]),
        "padding_share": 0.1,
    }
    curves = {
        "distances": tuple(float(one) for one in distances),
        "framewise_confidence": tuple(float(one) for one in framewise),
    }
    return values, curves


@functools.cache
def encoded(number: int, strength: float) -> bytes:
    """The bytes of a drawn video; encoded once, because many runs show the same few."""
    from bench import media

    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / "drawn.mp4"
        frames, sound = draw(number, strength)
        media.write_video(path, frames, sound=sound)
        return path.read_bytes()


def draw(number: int, strength: float) -> tuple[Frames, Sound]:
    """A drawn face that opens its mouth with a humming sound: (T, H, W, 3) and (640 T,)."""
    across = np.arange(SIZE)[None, :]
    down = np.arange(SIZE)[:, None]
    frames = np.zeros((FRAMES, SIZE, SIZE, 3), dtype=np.uint8)  # (T, H, W, 3)
    frames[:] = (60 + 10 * (number % 5), 90, 120)
    skin = ((across - 48) / 28) ** 2 + ((down - 50) / 36) ** 2 < 1
    frames[:, skin] = (214, 170 - 6 * (number % 4), 140)
    for eye in (37, 59):
        frames[:, ((across - eye) / 4) ** 2 + ((down - 40) / 2.5) ** 2 < 1] = (30, 30, 40)
    opening = np.abs(np.sin(np.arange(FRAMES) * 0.55 + number))
    for index in range(FRAMES):
        lips = ((across - 48) / 11) ** 2 + ((down - 68) / (2.5 + 5 * opening[index])) ** 2
        frames[index, lips < 1] = (150, 40, 50)
        frames[index, lips < 0.45] = (40 + int(10 * strength), 10, 15)
    time = np.arange(FRAMES * SAMPLES_PER_FRAME)
    loud = np.repeat(opening, SAMPLES_PER_FRAME)
    sound = 9000 * loud * np.sin(2 * np.pi * (140 + 20 * (number % 3)) * time / 16_000)
    return frames, sound.astype(np.int16)


def add_study(run: Path, fake: FakeRun, *, simulated: bool = True) -> Scores:
    """Writes the scores of a small study of the run's methods into the run folder."""
    methods = [method.shown for method in fake.methods if not method.control]
    cases = [case.id for case in _cases(fake) if case.kind == "reconstruct"][:6]
    questions = [QuestionTitles(name, f"{name}, in full?", f"{name}，完整") for name in QUESTIONS]
    shown: list[Presentation] = []
    for rater in (f"r{number:02d}" for number in range(8)):
        shown += [Presentation(rater, fake.dataset, c, m) for c in cases for m in methods]
        for case in cases[:3]:
            shown.append(Presentation(rater, fake.dataset, case, "truth", "truth"))
            shown.append(Presentation(rater, fake.dataset, case, "mismatched", "low"))
    means = {(m, q): 2.2 + 0.7 * i for i, m in enumerate(methods) for q in QUESTIONS}
    answers, _ = simulate(shown, QUESTIONS, means, Crowd(careless=0.13, seed=3))
    scores = compute_scores(
        answers,
        name="pilot",
        title="Pilot",
        simulated=simulated,
        questions=questions,
        methods=methods,
        columns={fake.name: metric_columns(run)},
        settings=ScoringSettings(resamples=60),
    )
    write_scores(run / "studies/pilot.json", scores)
    return scores
