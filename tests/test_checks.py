"""The contract checks: a good plugin passes them, and each kind of fault is found by its check."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import repeat
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest

import bench
from bench.checks import Check, CheckFailed, CheckResult, checks_for, run_checks
from bench.checks.ladders import LADDERS, Specimen, talking_patterns
from metrics.psnr import Psnr
from metrics.ssim import Ssim


@pytest.fixture(autouse=True)
def own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Some plugins here write where they must not."""
    monkeypatch.chdir(tmp_path)


def specimens() -> list[Specimen]:
    return talking_patterns(2, frames=12, size=64)


class Error(bench.ClipMetric):
    """Mean squared difference of the frames.

    Reads:  video and reference, (T, H, W, 3) uint8 RGB, equally long.
    Output: error, squared grey levels, lower is better, 0 for equal frames.
    Raises: BenchError for videos of different lengths.
    Source: defined here.
    """

    name, version, source = "error", "1", "defined here"
    reads = frozenset({"video", "reference"})
    sees = frozenset({"blur", "noise", "frozen"})
    outputs = (bench.Output("error", unit="grey^2", better="lower", best=0.0, low=0.0, high=65025),)

    def measure(self, sample: bench.Sample) -> bench.Values:
        assert sample.reference is not None
        ours, theirs = sample.video.read(), sample.reference.read()
        if len(ours) != len(theirs):
            raise bench.BenchError(f"{len(ours)} frames against {len(theirs)}")
        return {"error": float(np.square(ours.astype(float) - theirs).mean())}


class Echo(bench.Method):
    """Repeats a frame.

    Needs: a face.
    Source: defined here.
    Weights: none.
    Deviations: none.
    """

    name, version, source = "echo", "1", "defined here"

    def generate(self, job: bench.Job) -> bench.Generation:
        return bench.Generation(video=repeat(job.face.read()[0], job.frames))


def results_of(plugin: type[bench.Metric] | type[bench.Method]) -> dict[str, CheckResult]:
    return {result.name: result for result in run_checks(plugin, sample=specimens)}


def failures_of(plugin: type[bench.Metric] | type[bench.Method]) -> dict[str, str]:
    results = results_of(plugin)
    return {name: each.detail for name, each in results.items() if each.status == "failed"}


def check_of(plugin: type[bench.Metric] | type[bench.Method], name: str) -> Check:
    (check,) = [each for each in checks_for(plugin, sample=specimens) if each.name == name]
    return check


def failure_of(plugin: type[bench.Metric] | type[bench.Method], name: str) -> str:
    check = check_of(plugin, name)
    with pytest.raises(CheckFailed) as caught:
        check()
    return str(caught.value)


def test_a_sound_metric_passes_every_check() -> None:
    assert {each.status for each in results_of(Error).values()} == {"passed"}
    assert len(results_of(Error)) == 13


def test_a_sound_method_passes_every_check() -> None:
    results = results_of(Echo)
    assert [each for each in results.values() if each.status != "passed"] == []
    assert {f"makes the frames asked for in {kind}" for kind in Echo.kinds} <= set(results)


def test_checks_follow_what_the_plugin_declares() -> None:
    class WithoutReference(Error):
        reads = frozenset({"video"})
        sees = frozenset({"blur:error"})

    names = {check.name for check in checks_for(WithoutReference, sample=specimens)}
    assert "truth against itself is best" not in names
    assert "gets worse along blur in error" in names
    assert "gets worse along noise" not in names


def test_a_metric_that_declares_no_ladder_is_not_called_proven() -> None:
    class Silent(Error):
        sees = frozenset[str]()

    result = results_of(Silent)["gets worse along a ladder"]
    assert result.status == "skipped"
    assert "nothing here shows that it measures" in result.detail


class Bare(Error):
    """A metric."""


class Random(Error):
    def measure(self, sample: bench.Sample) -> bench.Values:
        return {"error": float(np.random.default_rng().random())}


class Misnamed(Error):
    def measure(self, sample: bench.Sample) -> bench.Values:
        return {"mistake": super().measure(sample)["error"]}


class Infinite(Error):
    def measure(self, sample: bench.Sample) -> bench.Values:
        super().measure(sample)
        return {"error": float("inf")}


class OutOfRange(Error):
    def measure(self, sample: bench.Sample) -> bench.Values:
        return {"error": -1.0}


class Truncating(Error):
    def measure(self, sample: bench.Sample) -> bench.Values:
        assert sample.reference is not None
        pairs = zip(sample.video.read(), sample.reference.read(), strict=False)
        return {"error": float(np.mean([np.square(a.astype(float) - b).mean() for a, b in pairs]))}


class Spoiling(Error):
    def measure(self, sample: bench.Sample) -> bench.Values:
        values = super().measure(sample)
        faces = sample.video.faces()
        faces.boxes[0] += 1
        return values


class Writing(Error):
    def measure(self, sample: bench.Sample) -> bench.Values:
        Path("left_behind.txt").write_text("x")
        return super().measure(sample)


class WritingHome(Error):
    def measure(self, sample: bench.Sample) -> bench.Values:
        (Path.home() / ".settings").write_text("x")
        return super().measure(sample)


class Constant(Error):
    def measure(self, sample: bench.Sample) -> bench.Values:
        super().measure(sample)
        return {"error": 0.0}


class Flattered(Error):
    """Falls for strong blur."""

    def measure(self, sample: bench.Sample) -> bench.Values:
        error = super().measure(sample)["error"]
        detail = float(np.abs(np.diff(sample.video.read().astype(float), axis=2)).mean())
        assert isinstance(error, float)
        return {"error": min(65025.0, error * detail**4 / 1e4)}


class Offset(Error):
    def measure(self, sample: bench.Sample) -> bench.Values:
        error = super().measure(sample)["error"]
        assert isinstance(error, float)
        return {"error": min(65025.0, error + 1)}


class Lax(Error):
    class Options(bench.Options):
        model_config: ClassVar = {"extra": "ignore"}


class Sees(Error):
    sees = frozenset({"fog"})


class NoVersion(Error):
    version = ""


class EmptyRange(Error):
    outputs = (bench.Output("error", unit="grey^2", better="lower", low=2.0, high=1.0),)


class BestOutside(Error):
    outputs = (bench.Output("error", unit="grey^2", better="lower", best=-1.0, low=0.0),)


class Contradicted(Error):
    def independent(self, sample: bench.Sample) -> bench.Values:
        return {"error": self.measure(sample)["error"] * (1 + 3e-5)}


class Agreeing(Error):
    def independent(self, sample: bench.Sample) -> bench.Values:
        from skimage.metrics import mean_squared_error

        assert sample.reference is not None
        return {"error": float(mean_squared_error(sample.video.read(), sample.reference.read()))}


class Uncompared(Error):
    def independent(self, sample: bench.Sample) -> bench.Values | None:
        return None


class ComparedElsewhere(Error):
    def independent(self, sample: bench.Sample) -> bench.Values:
        return {"mistake": 1.0}


def test_a_metric_is_compared_with_its_independent_code_where_it_has_some() -> None:
    name = "agrees with independent code"
    assert results_of(Agreeing)[name].status == "passed"
    assert name not in results_of(Error)
    for plugin in (Psnr, Ssim):
        assert results_of(plugin)[name].status == "passed"


@pytest.mark.parametrize(
    ("plugin", "check", "told"),
    [
        (Contradicted, "agrees with independent code", "and independent code gives"),
        (Uncompared, "agrees with independent code", "no value for any specimen"),
        (ComparedElsewhere, "agrees with independent code", "mistake is ()"),
        (Bare, "docstring has its sections", "no section Reads, Output, Raises, Source"),
        (Random, "is deterministic", "the same instance gives"),
        (Misnamed, "gives the declared outputs", "declare ['error'], the values have ['mistake']"),
        (Infinite, "gives the declared outputs", "raises Undefined"),
        (OutOfRange, "gives the declared outputs", "outside its declared range [0.0, 65025]"),
        (Truncating, "unequal lengths raise", "one frame shorter"),
        (Spoiling, "leaves its inputs alone", "changed the frames, the sound or the track"),
        (Writing, "writes no files", "here/left_behind.txt"),
        (WritingHome, "writes no files", "home/.settings"),
        (Constant, "gets worse along noise", "no worse than the first"),
        (Flattered, "gets worse along blur", "a step is better than the one before"),
        (Offset, "truth against itself is best", "is 1.0; best is 0.0"),
        (Lax, "options forbid unknown keys", "accepts an unknown key"),
        (Sees, "declarations are complete", "sees has 'fog'"),
        (NoVersion, "declarations are complete", "version is ''"),
        (EmptyRange, "declarations are complete", "range is [2.0, 1.0]"),
        (BestOutside, "declarations are complete", "best is -1.0"),
    ],
)
def test_a_fault_of_a_metric_is_found(plugin: type[bench.Metric], check: str, told: str) -> None:
    assert told in failure_of(plugin, check)


class Scripted(Error):
    """Gives the values of `path`, one for each set of specimens, in the order of the calls."""

    sees = frozenset({"shifted"})
    path: ClassVar[tuple[float, ...]] = ()

    def load(self, device: str) -> None:
        self.calls = 0

    def measure(self, sample: bench.Sample) -> bench.Values:
        self.calls += 1
        return {"error": self.path[(self.calls - 1) // len(specimens())]}


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ((0.0, 50.0, 99.0, 100.0), ""),
        ((0.0, 49.0, 48.0, 100.0), ""),  # by 1 %
        ((0.0, 49.0, 46.0, 100.0), "a step is better"),  # by 3 %
        ((0.0, 50.0, 105.0, 100.0), ""),  # at chance, by 5 %
        ((0.0, 50.0, 112.0, 100.0), "a step is better"),
        ((0.0, 83.0, 78.0, 100.0), "a step is better"),  # it leaves where tolerance is wide
        ((1.0, 50.0, 60.0, 1.0), "no worse than the first"),
    ],
)
def test_a_step_may_be_better_by_little_and_by_more_only_where_all_is_lost(
    values: tuple[float, ...], told: str
) -> None:
    class Climbing(Scripted):
        path = values

    if told:
        assert told in failure_of(Climbing, "gets worse along shifted")
    else:
        check_of(Climbing, "gets worse along shifted")()


class Short(Echo):
    def generate(self, job: bench.Job) -> bench.Generation:
        return bench.Generation(video=list(job.face.read()[: job.frames]))


class Endless(Echo):
    def generate(self, job: bench.Job) -> bench.Generation:
        return bench.Generation(video=repeat(job.face.read()[0]))


class Floating(Echo):
    def generate(self, job: bench.Job) -> bench.Generation:
        return bench.Generation(video=[np.zeros((64, 64, 3))] * job.frames)  # type: ignore[list-item]


class Unseeded(Echo):
    def generate(self, job: bench.Job) -> bench.Generation:
        random = np.random.default_rng()
        shape = (job.frames, *job.face.read().shape[1:])
        return bench.Generation(video=list(random.integers(0, 255, shape, dtype=np.uint8)))


class Littering(Echo):
    def generate(self, job: bench.Job) -> bench.Generation:
        (job.workdir / "fine.txt").write_text("x")
        Path("temp").mkdir(exist_ok=True)
        Path("temp/result.avi").write_text("x")
        return super().generate(job)


class Overwriting(Echo):
    def generate(self, job: bench.Job) -> bench.Generation:
        generation = super().generate(job)
        assert job.face.path is not None
        with job.face.path.open("ab") as file:
            file.write(b"more")
        return generation


class Nothing(Echo):
    def generate(self, job: bench.Job) -> bench.Generation:
        return None  # type: ignore[return-value]


@pytest.mark.parametrize(
    ("plugin", "check", "told"),
    [
        (Short, "makes the frames asked for in cross", "12 frames; the job asks for 15"),
        (Endless, "makes the frames asked for in cross", "more than the 15 frames"),
        (Floating, "makes the frames asked for in probe", "expected uint8 RGB"),
        (Unseeded, "is deterministic", "different frames"),
        (Littering, "writes only in its workdir", "here/temp/result.avi"),
        (Overwriting, "leaves its inputs alone", "changed its inputs"),
        (Nothing, "makes the frames asked for in reconstruct", "returned None"),
    ],
)
def test_a_fault_of_a_method_is_found(plugin: type[bench.Method], check: str, told: str) -> None:
    assert told in failure_of(plugin, check)


def test_a_known_failure_is_shown_with_its_reason() -> None:
    class Known(Truncating):
        known_failures: ClassVar = {"unequal lengths raise": "the paper cuts, and so do we"}

    result = results_of(Known)["unequal lengths raise"]
    assert (result.status, result.detail) == ("known failure", "the paper cuts, and so do we")


def test_a_known_failure_that_passes_is_a_failure() -> None:
    class Mended(Error):
        known_failures: ClassVar = {"unequal lengths raise": "the paper cuts"}

    assert "passes, but is a known failure" in failures_of(Mended)["unequal lengths raise"]


def test_a_known_failure_of_no_check_is_a_failure() -> None:
    class Mistyped(Error):
        known_failures: ClassVar = {"unequal length raises": "mistyped"}

    assert "['unequal length raises']" in failures_of(Mistyped)["known failures are checks"]


def test_a_plugin_without_the_options_that_it_needs_is_skipped_and_says_so() -> None:
    class Needy(Error):
        class Options(bench.Options):
            folder: Path

    result = results_of(Needy)["is deterministic"]
    assert (result.status, result.detail) == ("skipped", "needs options: folder")


def test_a_plugin_that_raises_in_load_fails_its_checks() -> None:
    class Broken(Error):
        def load(self, device: str) -> None:
            raise RuntimeError("no such layer")

    assert failures_of(Broken)["is deterministic"] == "RuntimeError: no such layer"


def test_an_import_of_torch_at_the_top_of_a_file_is_found(tmp_path: Path) -> None:
    from bench.contract.registry import load_registry

    file = tmp_path / "heavy.py"
    source = Path(__file__).read_text(encoding="utf-8").split("class Error")[1]
    source = source.split("class Echo")[0].replace("pytest", "bench")
    hook = "@bench.hookimpl\ndef register_metrics():\n    return [Error]\n"
    file.write_text(f"import bench, cv2\nimport numpy as np\n\nclass Error{source}\n{hook}")
    plugin = load_registry([file]).metric("error").plugin
    assert "loads ['cv2']" in failure_of(plugin, "import loads nothing heavy")


class Spread(bench.SetMetric):
    """How far apart the clips' mean colours are.

    Reads:  video (T, H, W, 3) uint8 RGB.
    Output: spread, grey levels, higher is better.
    Raises: Undefined for fewer than two clips.
    Source: defined here.
    """

    name, version, source = "spread", "1", "defined here"
    reads = frozenset({"video"})
    outputs = (bench.Output("spread", unit="grey levels", better="higher", low=0.0, high=255.0),)

    def start(self) -> list[float]:
        return []

    def update(self, summary: list[float], video: bench.Video) -> None:
        summary.append(float(video.read().mean()))

    def compute(self, summary: list[float], references: None) -> bench.Values:
        if len(summary) < 2:
            raise bench.Undefined("needs two clips")
        return {"spread": max(summary) - min(summary)}


def test_a_set_metric_is_measured_on_the_set() -> None:
    assert failures_of(Spread) == {}
    assert results_of(Spread)["gives the declared outputs"].status == "passed"


@bench.checks.parametrize_with_checks([Error, (Echo, Echo.Options())], sample=specimens)
def test_contract_of_the_examples(check: bench.checks.Check) -> None:
    check()


def strengths(name: str) -> Sequence[float]:
    clean = specimens()[0]
    video, sound = clean.sample.video.read().astype(float), clean.sample.video.sound()
    changes = []
    for step in LADDERS[name].steps:
        distorted = LADDERS[name].apply(clean, step)
        assert distorted.reference is clean.sample.reference
        assert distorted.video.read().shape == video.shape
        other = distorted.video.sound()
        assert other is not None
        assert sound is not None
        assert other.shape == sound.shape
        heard = np.count_nonzero(other != sound)
        changes.append(float(np.abs(distorted.video.read() - video).mean()) + heard)
    return changes


@pytest.mark.parametrize("name", ["blur", "noise", "frozen", "exchanged"])
def test_each_step_of_a_ladder_changes_more_than_the_one_before(name: str) -> None:
    changes = strengths(name)
    assert changes[0] > 0
    assert changes == sorted(set(changes))


def test_the_shifted_ladder_makes_the_sound_late() -> None:
    clean = specimens()[0]
    sound = clean.sample.video.sound()
    late = LADDERS["shifted"].apply(clean, 2).video.sound()
    assert sound is not None
    assert late is not None
    assert np.array_equal(late[1280:], sound[:-1280])
    assert not late[:1280].any()


def test_specimens_are_the_same_on_every_call() -> None:
    first, again = specimens(), specimens()
    for one, two in zip(first, again, strict=True):
        assert np.array_equal(one.sample.video.read(), two.sample.video.read())
        assert np.array_equal(one.other_speech, two.other_speech)


class Rote(Echo):
    """Echo: repeats a frame that it has learned.

    Needs: clips of the person.
    Source: defined here.
    Weights: none.
    Deviations: none.
    """

    name = "rote"

    def prepare(self, job: bench.PrepareJob) -> None:
        for number, clip in enumerate(job.clips):
            np.save(job.folder / f"{number}.npy", clip.read()[0])

    def generate(self, job: bench.Job) -> bench.Generation:
        assert job.prepared is not None
        return bench.Generation(video=repeat(np.load(job.prepared / "0.npy"), job.frames))


LEARNING = {"learns a person", "learns on where it was stopped"}


def test_a_method_that_learns_a_person_is_checked_with_a_toy_person() -> None:
    results = results_of(Rote)
    assert [each for each in results.values() if each.status != "passed"] == []
    assert set(results) >= LEARNING
    assert LEARNING.isdisjoint(check.name for check in checks_for(Echo, sample=specimens))


def test_a_method_that_keeps_what_it_learned_in_itself_is_found() -> None:
    class Forgetful(Rote):
        def prepare(self, job: bench.PrepareJob) -> None:
            self.frame = job.clips[0].read()[0]

        def generate(self, job: bench.Job) -> bench.Generation:
            return bench.Generation(video=repeat(self.frame, job.frames))

    assert "left no file in job.folder" in failure_of(Forgetful, "learns a person")


def test_a_preparation_that_writes_elsewhere_is_found() -> None:
    class Untidy(Rote):
        def prepare(self, job: bench.PrepareJob) -> None:
            super().prepare(job)
            Path("elsewhere").write_text("written", encoding="utf-8")

    assert "elsewhere" in failure_of(Untidy, "learns a person")


def test_a_preparation_that_cannot_go_on_is_found() -> None:
    class Abrupt(Rote):
        __doc__ = Rote.__doc__

        def prepare(self, job: bench.PrepareJob) -> None:
            for number, clip in enumerate(job.clips):
                with (job.folder / f"{number}.npy").open("xb") as file:  # refuses what is there
                    np.save(file, clip.read()[0])

    assert failures_of(Abrupt).keys() == {"learns on where it was stopped"}


def test_a_method_that_spoils_what_it_learned_is_found() -> None:
    class Spoiling(Rote):
        def generate(self, job: bench.Job) -> bench.Generation:
            assert job.prepared is not None
            (job.prepared / "notes").write_text("written", encoding="utf-8")
            return super().generate(job)

    assert "job.prepared" in failure_of(Spoiling, "leaves its inputs alone")
