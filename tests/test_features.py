"""Features in a run: once per video for all metrics, methods and processes; keys; importers."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from bench import media
from bench.checks import run_checks
from bench.checks.ladders import talking_patterns
from bench.contract.registry import load_registry
from bench.data.manifest import read_manifest
from bench.ground.errors import BenchError
from bench.records.schema import GENERATIONS, MEASUREMENTS
from bench.run.config import load_config
from bench.run.plan import Plan, make_plan
from tests.conftest import ROOT
from tests.small_data import make_config, make_manifest
from tests.small_records import read_records
from tests.test_run import bench

COUNTED = ROOT / "tests" / "plugins" / "counted.py"
READERS = [{"name": "unrest"}, {"name": "gap"}, {"name": "contrast"}]


def prepare(folder: Path, *, floor: float = 0.0, **changes: object) -> Path:
    """A config whose metrics read a feature that notes each computation in `log`."""
    make_manifest(folder / "data")
    shutil.copy(COUNTED, folder)
    options = {"log": str(folder / "log"), "floor": floor}
    settings: dict[str, object] = {
        "plugins": ["brightness.py", "counted.py"],
        "features": [{"name": "counted", "options": options}],
        "metrics": READERS,
        "cases": {"kinds": ["reconstruct"]},
        "tables": [{"name": "comparison", "columns": ["unrest.unrest", "gap.gap"]}],
    }
    return make_config(folder, **{**settings, **changes})


def computed(folder: Path) -> Counter[str]:
    """How often the feature was computed of each video, by digest."""
    return Counter((folder / "log").read_text().split())


def digests(run: Path) -> set[str]:
    """All videos of a run, and the recordings that they are compared with."""
    records = list(read_records(run / GENERATIONS))
    return {str(each[key]) for each in records for key in ("sha256", "reference_sha256")}


@pytest.fixture
def decoded(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The files whose pictures are decoded from now on, in this process."""
    found: list[Path] = []
    real = media.read_frames

    def read_frames(path: Path, **options: int) -> object:
        found.append(path)
        return real(path, **options)

    monkeypatch.setattr(media, "read_frames", read_frames)
    return found


@pytest.mark.slow
@pytest.mark.parametrize("workers", [1, 2])
def test_a_feature_is_computed_once_per_video_for_all_metrics_methods_and_processes(
    tmp_path: Path, workers: int
) -> None:
    config = prepare(tmp_path)
    code, output = bench("run", config, "-o", tmp_path / "run", "--workers", workers)
    assert code == 0, output
    found = computed(tmp_path)
    assert set(found) == digests(tmp_path / "run")
    assert set(found.values()) == {1}
    bench("run", config, "-o", tmp_path / "again")  # nor for another run
    assert computed(tmp_path) == found
    values = [
        sorted(json.dumps(each["values"]) for each in read_records(tmp_path / run / MEASUREMENTS))
        for run in ("run", "again")
    ]
    assert values[0] == values[1]


def test_videos_that_differ_only_in_their_sound_share_what_is_seen(tmp_path: Path) -> None:
    methods = [{"name": "truth"}, {"name": "shifted", "options": {"frames": 3}}]
    config = prepare(tmp_path, methods=[*methods, {"name": "mismatched"}])
    assert bench("run", config, "-o", tmp_path / "run")[0] == 0
    assert len(digests(tmp_path / "run")) == 9
    assert len(computed(tmp_path)) == 3


def test_values_are_those_of_the_frames(tmp_path: Path) -> None:
    assert bench("run", prepare(tmp_path), "-o", tmp_path / "run")[0] == 0
    records = {
        (each["metric"], each["video_sha256"]): each["values"]
        for each in read_records(tmp_path / "run" / MEASUREMENTS)
    }
    made = list(read_records(tmp_path / "run" / GENERATIONS))
    grey: dict[str, list[float]] = {}
    for each in made:
        frames = media.read_frames(tmp_path / "run" / str(each["video"]))
        means = frames.mean(axis=(1, 2, 3), dtype=np.float32)
        grey.setdefault(str(each["method"]), []).append(float(means.mean()))
        assert records["unrest", each["sha256"]] == {"unrest": float(means.std())}
    references = [
        float(media.read_frames(clip.video).mean(dtype=np.float32))
        for clip in read_manifest(tmp_path / "data/manifest.csv")
    ]
    gaps = sorted(values["gap"] for (metric, _), values in records.items() if metric == "gap")
    expected = sorted(abs(np.mean(each) - np.mean(references)) for each in grey.values())
    np.testing.assert_allclose(gaps, expected, atol=0.01)


def test_what_a_video_lacks_is_found_out_once_and_costs_only_its_cells(tmp_path: Path) -> None:
    config = prepare(tmp_path, floor=90)  # `dimmed` is darker
    code, output = bench("run", config, "-o", tmp_path / "run")
    assert code == 0, output
    assert set(computed(tmp_path).values()) == {1}
    records = list(read_records(tmp_path / "run" / MEASUREMENTS))
    dark = [each for each in records if each["status"] == "undefined"]
    assert len([each for each in dark if each["metric"] == "unrest"]) == 3
    assert {each["reason"] for each in dark if each["metric"] == "unrest"} == {
        "the video is darker than 90"
    }
    (gap,) = (each for each in dark if each["metric"] == "gap")
    assert gap["reason"] == "one: the video is darker than 90"  # which clip of the set


def test_set_metrics_together_decode_each_video_once(tmp_path: Path, decoded: list[Path]) -> None:
    metrics = [{"name": "contrast"}, {"name": "mean_brightness"}]
    more = {"methods": [{"name": "still"}, {"name": "dimmed"}, {"name": "shifted"}]}
    config = prepare(tmp_path, metrics=metrics, tables=[], **more)
    assert bench("run", config, "-o", tmp_path / "run")[0] == 0
    decoded.clear()
    (tmp_path / "run" / MEASUREMENTS).unlink()
    assert bench("run", config, "-o", tmp_path / "run")[0] == 0
    places = Counter("run" if "run" in path.parts else "data" for path in decoded)
    assert places == {"run": 9, "data": 3}  # two metrics, three methods, three clips


def test_set_metrics_of_features_decode_nothing_once_these_are_known(
    tmp_path: Path, decoded: list[Path]
) -> None:
    config = prepare(tmp_path, metrics=[{"name": "gap"}], tables=[])
    assert bench("run", config, "-o", tmp_path / "run")[0] == 0
    first = list(read_records(tmp_path / "run" / MEASUREMENTS))
    decoded.clear()
    (tmp_path / "run" / MEASUREMENTS).unlink()
    assert bench("run", config, "-o", tmp_path / "run")[0] == 0
    assert decoded == []
    again = list(read_records(tmp_path / "run" / MEASUREMENTS))
    assert [each["values"] for each in again] == [each["values"] for each in first]


def plan_of(folder: Path, **changes: object) -> Plan:
    return make_plan(load_config(prepare(folder, **changes)))


def keys(plan: Plan) -> dict[str, str]:
    return {metric.label: metric.key for metric in plan.metrics}


def test_a_features_options_enter_the_keys_and_protocols_of_its_readers_alone(
    tmp_path: Path,
) -> None:
    plain, other = plan_of(tmp_path), plan_of(tmp_path, floor=5)
    changed = {label for label in keys(plain) if keys(plain)[label] != keys(other)[label]}
    assert changed == {"unrest", "gap"}
    assert other.metrics[0].protocol == "unrest[counted above 5]"


def test_a_changed_feature_file_enters_the_keys_too(tmp_path: Path) -> None:
    before = keys(plan_of(tmp_path))
    config = prepare(tmp_path)
    text = COUNTED.read_text(encoding="utf-8")
    separate = (
        text.split("class Unrest")[0] + text[text.index("@bench.hookimpl") :].split("\n\n\n")[0]
    )
    (tmp_path / "feature.py").write_text(separate, encoding="utf-8")
    readers = text.replace("    return [Counted]", "    return []")
    (tmp_path / "counted.py").write_text(readers, encoding="utf-8")
    named = config.read_text(encoding="utf-8").replace("- counted.py", "- counted.py\n- feature.py")
    config.write_text(named, encoding="utf-8")
    apart = keys(make_plan(load_config(config)))
    (tmp_path / "feature.py").write_text(separate + "# changed\n", encoding="utf-8")
    changed = keys(make_plan(load_config(config)))
    assert before["unrest"] != apart["unrest"] != changed["unrest"]
    assert apart["contrast"] == changed["contrast"]


KEYS_BEFORE_FEATURES = {
    "psnr": "c26e680ab387",
    "ssim": "a5f7a492d7f1",
    "sharpness": "3e0fcb5e2023",
}


def test_keys_of_metrics_that_read_no_feature_but_faces_are_as_they_were(tmp_path: Path) -> None:
    make_manifest(tmp_path / "data")
    metrics = [{"name": "psnr"}, {"name": "ssim"}, {"name": "sharpness"}]
    config = make_config(tmp_path, metrics=metrics, tables=[], faces="haar")
    found = {label: key[:12] for label, key in keys(make_plan(load_config(config))).items()}
    assert found == KEYS_BEFORE_FEATURES


def named(name: str, *, times: int = 1, **options: str) -> dict[str, object]:
    return {"features": [{"name": name, "options": options}] * times}


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"plugins": ["brightness.py", "typo.py"]}, "no feature 'countde' to read. Did you mean"),
        (
            named("conted"),
            "features[0].name: there is no feature 'conted'. Did you mean 'counted'?",
        ),
        (named("counted", lgo="x"), "features[0].options.lgo: unknown key. Did you mean 'log'?"),
        (
            named("counted", times=2, log="x"),
            "features[1]: 'counted' is already used at features[0]",
        ),
        (
            named("faces"),
            "features[0].name: the keys `faces` and `face` of the config set how faces",
        ),
    ],
)
def test_a_wrong_name_is_told_with_its_place(
    tmp_path: Path, changes: dict[str, object], said: str
) -> None:
    text = COUNTED.read_text(encoding="utf-8")
    (tmp_path / "typo.py").write_text(
        text.replace('frozenset({"counted"})', 'frozenset({"countde"})')
    )
    code, output = bench("plan", prepare(tmp_path, **changes))
    assert code == 2
    assert said in " ".join(output.split())


def test_a_required_option_that_nobody_gives_is_told(tmp_path: Path) -> None:
    code, output = bench("plan", prepare(tmp_path, features=[]))
    assert code == 2
    assert "metric 'unrest' reads the feature 'counted', which needs the option `log`" in " ".join(
        output.split()
    )


CIRCLE = """
import bench

class One(bench.Feature):
    name, version, source = "one", "1", "here"
    reads = frozenset({"two"})
    arrays = {"x": "()"}
    def compute(self, video):
        return dict(video.feature("two"))

class Two(One):
    name = "two"
    reads = frozenset({"one"})

class Reader(bench.ClipMetric):
    name, version, source = "follower", "1", "here"
    reads = frozenset({"one"})
    outputs = (bench.Output("x", unit="", better="none"),)
    def measure(self, sample):
        return {"x": float(sample.video.feature("one")["x"])}

@bench.hookimpl
def register_features():
    return [One, Two]

@bench.hookimpl
def register_metrics():
    return [Reader]
"""


def with_plugin(folder: Path, text: str, metric: str) -> Path:
    (folder / "mine.py").write_text(text, encoding="utf-8")
    make_manifest(folder / "data")
    return make_config(
        folder,
        plugins=["brightness.py", "mine.py"],
        metrics=[{"name": metric}],
        tables=[],
        cases={"kinds": ["reconstruct"]},
    )


def test_features_that_read_each_other_in_a_circle_are_told(tmp_path: Path) -> None:
    code, output = bench("plan", with_plugin(tmp_path, CIRCLE, "follower"))
    assert code == 2
    assert "features read each other in a circle: one reads two reads one" in output


def test_a_feature_may_read_another(tmp_path: Path) -> None:
    chain = CIRCLE.replace('reads = frozenset({"one"})\n\nclass Reader', "pass\n\nclass Reader")
    chain = chain.replace(
        '    name = "two"\n    pass',
        '    name = "two"\n    reads = frozenset({"faces"})\n    def compute(self, video):\n'
        '        return {"x": video.faces().boxes[0, 0]}',
    )
    config = with_plugin(tmp_path, chain, "follower")
    code, output = bench("run", config, "-o", tmp_path / "run")
    assert code == 0, output
    values = [each["values"] for each in read_records(tmp_path / "run" / MEASUREMENTS)]
    assert values == [{"x": 4.0}] * 9  # the manifests' boxes begin there
    plan = make_plan(load_config(config))
    assert plan.metrics[0].reads_boxes  # another box is another measurement
    yaml = config.read_text(encoding="utf-8").replace("faces: given", "faces: haar")
    config.write_text(yaml, encoding="utf-8")
    assert keys(make_plan(load_config(config))) != keys(plan)


@pytest.mark.parametrize(
    ("arrays", "said"),
    [
        ('{"y": 1}', "feature one gave ['y'], but declares ['x']"),
        ("[1, 2]", "feature one gave [1, 2], but declares ['x']"),
        ('{"x": object()}', "x holds Python objects"),
        ("1 / 0", "ZeroDivisionError"),
    ],
)
def test_a_feature_that_breaks_its_word_costs_its_readers_cells(
    tmp_path: Path, arrays: str, said: str
) -> None:
    broken = CIRCLE.replace('reads = frozenset({"two"})', 'reads = frozenset({"video"})')
    broken = broken.replace('return dict(video.feature("two"))', f"return {arrays}")
    config = with_plugin(tmp_path, broken, "follower")
    code, output = bench("run", config, "-o", tmp_path / "run")
    assert code == 1, output
    records = list(read_records(tmp_path / "run" / MEASUREMENTS))
    assert {each["status"] for each in records} == {"failed"}
    assert all(said in str(each["reason"]) for each in records)


def test_a_feature_that_is_not_declared_is_not_given(tmp_path: Path) -> None:
    secret = CIRCLE.replace('    name = "two"\n    reads = frozenset({"one"})', '    name = "two"')
    secret = secret.replace('reads = frozenset({"two"})', 'reads = frozenset({"video"})')
    config = with_plugin(tmp_path, secret, "follower")
    assert bench("run", config, "-o", tmp_path / "run")[0] == 1
    (record, *_) = read_records(tmp_path / "run" / MEASUREMENTS)
    assert "the feature 'two' is not among those of this run" in str(record["reason"])


@pytest.mark.parametrize("workers", [1, 2])
def test_a_limit_that_is_no_size_stops_a_run_before_it_begins(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, workers: int
) -> None:
    monkeypatch.setenv("BENCH_FEATURES_GIB", "much")
    code, output = bench("run", prepare(tmp_path), "-o", tmp_path / "run", "--workers", workers)
    assert code == 2
    assert "BENCH_FEATURES_GIB: 'much' is no size" in output
    assert not list(read_records(tmp_path / "run" / GENERATIONS))


# ---- names ---------------------------------------------------------------------------------------


def test_a_feature_cannot_have_the_name_of_what_is_read_anyway(tmp_path: Path) -> None:
    file = tmp_path / "mine.py"
    file.write_text(CIRCLE.replace('"one", "1"', '"video", "1"'), encoding="utf-8")
    with pytest.raises(BenchError, match="a feature cannot be called 'video'"):
        load_registry([file])


def test_no_two_plugins_of_any_kind_share_a_name(tmp_path: Path) -> None:
    file = tmp_path / "mine.py"
    file.write_text(
        CIRCLE.replace('name, version, source = "follower"', 'name, version, source = "one"')
    )
    with pytest.raises(BenchError, match=r"the name 'one' is taken by .*mine\.py"):
        load_registry([file])


def test_a_misspelt_hook_is_answered_with_all_four(tmp_path: Path) -> None:
    file = tmp_path / "mine.py"
    file.write_text(CIRCLE.replace("register_features", "register_feature"))
    with pytest.raises(BenchError) as error:
        load_registry([file])
    for hook in ("methods", "metrics", "features", "importers"):
        assert f"register_{hook}()" in str(error.value)


# ---- contract checks -----------------------------------------------------------------------------


def test_the_example_keeps_the_contract(tmp_path: Path) -> None:
    registry = load_registry([COUNTED])
    counted = registry.features["counted"].plugin
    results = run_checks(counted, counted.Options(log=tmp_path / "log"))
    assert {each.name: each.detail for each in results if each.status == "failed"} == {}
    assert "gives the declared arrays" in {each.name for each in results}
    unrest = run_checks(registry.metric("unrest").plugin)
    skipped = {each.detail for each in unrest if each.status == "skipped"}
    assert any("the feature counted needs options: log" in detail for detail in skipped)


WRONG = """
import bench, numpy as np
from pathlib import Path

class Wrong(bench.Feature):
    name, version, source = "wrong", "1", "here"
    reads = frozenset({"vidoe"})
    arrays = {"x": ""}
    calls = 0
    def compute(self, video):
        type(self).calls += 1
        Path("left").write_text("here")
        frames = video.read()
        frames.flags.writeable = True
        frames[0] = 0
        return {"x": np.array(type(self).calls)}

@bench.hookimpl
def register_features():
    return [Wrong]
"""


def test_a_feature_that_breaks_the_contract_is_told_where(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "wrong.py").write_text(WRONG, encoding="utf-8")
    plugin = load_registry([tmp_path / "wrong.py"]).features["wrong"].plugin
    failed = {one.name: one.detail for one in run_checks(plugin) if one.status == "failed"}
    assert "Reads, Gives, Raises, Source" in failed["docstring has its sections"]
    assert "reads has 'vidoe'. Did you mean 'video'?" in failed["declarations are complete"]
    (tmp_path / "wrong.py").write_text(WRONG.replace("vidoe", "video"), encoding="utf-8")
    plugin = load_registry([tmp_path / "wrong.py"]).features["wrong"].plugin
    failed = {one.name: one.detail for one in run_checks(plugin) if one.status == "failed"}
    assert "each with words" in failed["declarations are complete"]
    assert "the same instance gives other arrays" in failed["is deterministic"]
    assert "changed the frames" in failed["leaves its inputs alone"]
    assert "left" in failed["writes no files"]
    undeclared = WRONG.replace('{"x": ""}', '{"y": "()"}').replace("vidoe", "video")
    (tmp_path / "wrong.py").write_text(undeclared, encoding="utf-8")
    plugin = load_registry([tmp_path / "wrong.py"]).features["wrong"].plugin
    failed = {one.name: one.detail for one in run_checks(plugin) if one.status == "failed"}
    assert "gave ['x'], but declares ['y']" in failed["gives the declared arrays"]


# ---- importers -----------------------------------------------------------------------------------

IMPORTER = '''
import bench

class Flat(bench.Importer):
    """A folder of videos named SPEAKER_NUMBER.mp4.

    Layout: anna_01.mp4, anna_02.mp4, ben_01.mp4.
    Source: defined here.
    """

    name, source = "flat", "defined here"

    class Options(bench.Options):
        """speaker: only clips of this one."""

        speaker: str = ""

    options: Options

    def read(self, root):
        files = sorted(root.glob("*_*.mp4"))
        if not files:
            raise bench.BenchError(f"{root}: has no videos named SPEAKER_NUMBER.mp4")
        clips = [
            bench.Clip(file.stem, file, speaker=file.stem.partition("_")[0], split="test")
            for file in files
            if self.options.speaker in file.stem
        ]
        return bench.Imported(clips)

@bench.hookimpl
def register_importers():
    return [Flat]
'''


@pytest.fixture
def flat(tmp_path: Path) -> Path:
    """A data set in a layout that only the plugin beside it knows."""
    make_manifest(tmp_path / "data")
    for number, name in enumerate(("anna_01", "anna_02", "ben_01")):
        target = tmp_path / "flat" / f"{name}.mp4"
        target.parent.mkdir(exist_ok=True)
        shutil.copy(tmp_path / "data" / f"{('one', 'two', 'three')[number]}.mp4", target)
    (tmp_path / "mine.py").write_text(IMPORTER, encoding="utf-8")
    return tmp_path


def test_an_importer_of_one_file_is_known_to_the_command(flat: Path) -> None:
    target = flat / "flat.csv"
    options = ("--plugin", flat / "mine.py", "-o", target)
    code, output = bench("data", "import", "flat", flat / "flat", *options)
    assert code == 0, output
    assert [clip.speaker for clip in read_manifest(target)] == ["anna", "anna", "ben"]
    code, output = bench("data", "import", "flta", flat / "flat", "--plugin", flat / "mine.py")
    assert code == 2
    assert "there is no importer 'flta'. Did you mean 'flat'?" in output
    code, output = bench("list", "flat", "--plugin", flat / "mine.py")
    assert "Layout: anna_01.mp4" in output
    code, output = bench("check", "flat", "--plugin", flat / "mine.py")
    assert code == 0, output
    assert "passed an empty folder is refused" in output


def test_an_importer_of_one_file_is_known_to_a_config(flat: Path) -> None:
    data = {"name": "flat", "importer": "flat", "root": "flat"}
    changes: dict[str, object] = {"plugins": ["brightness.py", "mine.py"], "faces": "haar"}
    changes |= {
        "metrics": [{"name": "brightness"}],
        "tables": [],
        "cases": {"kinds": ["reconstruct"]},
    }
    config = make_config(flat, data=[{**data, "options": {"speaker": "anna"}}], **changes)
    code, output = bench("run", config, "-o", flat / "run")
    assert code == 0, output
    cases = {each["case"] for each in read_records(flat / "run" / GENERATIONS)}
    assert cases == {"anna_01", "anna_02"}
    config = make_config(flat, data=[{**data, "options": {"speakr": "anna"}}], **changes)
    code, output = bench("plan", config)
    assert code == 2
    assert "data[0].options.speakr: unknown key. Did you mean 'speaker'?" in " ".join(
        output.split()
    )


@pytest.mark.parametrize(
    ("clips", "said"),
    [
        ("clips", "expected bench.Imported"),
        ("bench.Imported(files)", "expected bench.Imported"),
        ("bench.Imported([bench.Clip('../up', files[0])])", "id '../up'"),
        ("bench.Imported([clips[0], clips[0]])", "two clips have the id 'anna_01'"),
        ("1 / 0", "importer flat: ZeroDivisionError"),
    ],
)
def test_a_broken_importer_is_one_clear_error(flat: Path, clips: str, said: str) -> None:
    broken = IMPORTER.replace("bench.Imported(clips)", clips)
    (flat / "mine.py").write_text(broken, encoding="utf-8")
    data = [{"name": "flat", "importer": "flat", "root": "flat"}]
    config = make_config(flat, data=data, plugins=["brightness.py", "mine.py"])
    code, output = bench("plan", config)
    assert code == 2
    assert "data[0].root" in output
    assert said in output
    code, output = bench("data", "import", "flat", flat / "flat", "--plugin", flat / "mine.py")
    assert code == 2
    assert said in output


def test_an_importer_that_takes_an_empty_folder_fails_its_check(tmp_path: Path) -> None:
    file = tmp_path / "mine.py"
    file.write_text(IMPORTER.replace("if not files", "if False"), encoding="utf-8")
    results = run_checks(load_registry([file]).importer("flat").plugin)
    failed = {one.name: one.detail for one in results if one.status == "failed"}
    assert list(failed) == ["an empty folder is refused"]


@pytest.mark.parametrize("name", ["grid", "lrs2", "lrs3", "cmlr", "folder"])
def test_every_built_in_importer_keeps_the_contract(name: str) -> None:
    results = run_checks(load_registry().importer(name).plugin)
    assert {one.name: one.status for one in results if one.status != "passed"} == {}


def test_specimens_have_faces_that_nobody_computed() -> None:
    track = talking_patterns(1)[0].sample.video.feature("faces")
    assert set(track) == {"boxes", "mouths", "found", "detector"}
