"""Persons prepared once: keyed, recorded, gone on with after a kill, never from what is tested."""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from bench.data import synth
from bench.data.lasting_names import lasting_name
from bench.data.manifest import write_manifest
from bench.data.synth import CORPORA, corpus
from bench.files.digests import file_sha256
from bench.ground.errors import BenchError
from bench.ground.types import Clip
from bench.records.load import load
from bench.records.schema import GENERATIONS, PREPARATIONS
from bench.records.store import Store
from bench.run.config import load_config
from bench.run.plan import find_missing, make_plan
from bench.run.planned import generation_key
from bench.run.prepared_folder import PreparedFolder
from tests.small_data import make_clip, make_config
from tests.test_run import bench, records

# Learns the mean brightness of its clips, a clip a step; each step is kept, and told outside.
LEARNER = """
import os
import time
from pathlib import Path
import bench

TOLD = Path(__file__).parent / "told"

def tell(text):
    with TOLD.open("a") as file:
        file.write(text + "\\n")

class Learner(bench.Method):
    name, version, source = "learner", "1", "defined here"

    class Options(bench.Options):
        strength: float = 1.0

    def prepare(self, job):
        trouble = Path(__file__).parent / f"trouble-{job.person}"
        tell(f"prepare {job.person} {len(job.clips)} {job.device}")
        for number, clip in enumerate(job.clips):
            step = job.folder / f"step-{number}"
            if step.exists():
                tell(f"known {job.person} {number}")
                continue
            assert clip.sound() is not None and len(clip.faces().boxes) == len(clip.read())
            job.log.info("step %d", number)
            part = job.folder / "part"
            part.write_text(f"{clip.read().mean()} {job.seed}")
            os.replace(part, step)
            tell(f"learned {job.person} {number}")
            if trouble.exists():
                if trouble.read_text() == "hang":
                    time.sleep(600)
                raise bench.BenchError(f"cannot learn {job.person}")

    def generate(self, job):
        assert job.prepared is not None
        level = float((job.prepared / "step-0").read_text().split()[0])
        frame = job.face.read()[0].copy()
        frame[:] = min(255, level * self.options.strength)
        return bench.Generation([frame] * job.frames)

@bench.hookimpl
def register_methods():
    return [Learner]
"""


def make_data(
    folder: Path, *, persons: Sequence[str] = ("ann", "bob"), more: Sequence[Clip] = ()
) -> Path:
    """Of each person, two clips to test and two to learn from."""
    clips = [
        Clip(
            id=f"{person}-{split}-{number}",
            video=make_clip(
                folder / "data" / f"{person}-{split}-{number}.mp4",
                1000 * place + 10 * number + (split == "train"),
            ),
            speaker=person,
            split=split,
            box=(4.0, 4.0, 24.0, 24.0),
        )
        for place, person in enumerate(persons)
        for split in ("test", "train")
        for number in range(2)
    ]
    write_manifest(folder / "data" / "manifest.csv", [*clips, *more])
    return folder / "data" / "manifest.csv"


def learner_config(folder: Path, **changes: object) -> Path:
    (folder / "learner.py").write_text(LEARNER, encoding="utf-8")
    return make_config(
        folder,
        **{
            "plugins": ["learner.py"],
            "prepare": {"split": "train"},
            "methods": [{"name": "learner"}, {"name": "still"}],
            "metrics": [{"name": "psnr"}],
            "cases": {"kinds": ["reconstruct"]},
            "tables": [],
            **changes,
        },
    )


def told(folder: Path) -> list[str]:
    path = folder / "told"
    return path.read_text(encoding="utf-8").splitlines() if path.exists() else []


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("BENCH_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def test_every_person_is_learned_once_and_recorded(tmp_path: Path) -> None:
    make_data(tmp_path)
    config = learner_config(tmp_path)
    code, output = bench("run", config, "-o", tmp_path / "run")
    assert code == 0, output
    assert "prepared learner · ann in" in output
    assert [line for line in told(tmp_path) if line.startswith("prepare")] == [
        "prepare ann 2 cpu",
        "prepare bob 2 cpu",
    ]
    found = list(records(tmp_path / "run", PREPARATIONS).values())
    assert [(one["person"], one["status"], len(one["clips"])) for one in found] == [
        ("ann", "ok", 2),
        ("bob", "ok", 2),
    ]
    for one in found:
        assert (one["dataset"], one["device"]) == ("tiny", "cpu")
        assert "step 1" in (tmp_path / "run" / one["log"]).read_text(encoding="utf-8")
        assert (tmp_path / "run" / one["folder"] / "step-1").is_file()
    assert bench("run", config, "-o", tmp_path / "run")[0] == 0
    assert len(told(tmp_path)) == 6


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The digests of one process's run of the usual config, from nothing."""
    folder = tmp_path_factory.mktemp("undisturbed")
    make_data(folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("BENCH_CACHE", str(folder / "cache"))
        assert bench("run", learner_config(folder), "-o", folder / "run")[0] == 0
    return _digests(folder / "run")


@pytest.mark.slow
def test_two_workers_learn_every_person_once(tmp_path: Path, undisturbed: dict[str, str]) -> None:
    make_data(tmp_path)
    config = learner_config(tmp_path)
    assert bench("run", config, "-o", tmp_path / "run", "--workers", 2)[0] == 0
    asked = sorted(line for line in told(tmp_path) if line.startswith("prepare"))
    assert asked == ["prepare ann 2 cpu", "prepare bob 2 cpu"]
    assert _digests(tmp_path / "run") == undisturbed


@pytest.mark.slow
def test_a_second_run_takes_over_what_the_first_has_learned(tmp_path: Path) -> None:
    make_data(tmp_path)
    config = learner_config(tmp_path)
    assert bench("run", config, "-o", tmp_path / "one")[0] == 0
    before = told(tmp_path)
    labelled = [{"name": "learner", "label": "again"}, {"name": "still"}]
    other = learner_config(tmp_path, methods=labelled, name="other")
    code, output = bench("plan", other, "-o", tmp_path / "two")
    assert code == 0, output
    assert "persons: 0 of 2 preparations missing" in output
    assert "again: tiny · ann: ready, from another run" in output
    code, output = bench("run", other, "-o", tmp_path / "two")
    assert code == 0, output
    assert told(tmp_path) == before
    found = list(records(tmp_path / "two", PREPARATIONS).values())
    assert [(one["method"], one["status"]) for one in found] == [("again", "ok")] * 2
    shutil.rmtree(tmp_path / "cache")  # which may be deleted at any time
    shutil.rmtree(tmp_path / "two" / "videos")
    assert bench("run", other, "-o", tmp_path / "two")[0] == 0
    assert told(tmp_path) == before


def test_other_options_clips_or_seeds_are_other_preparations(tmp_path: Path) -> None:
    make_data(tmp_path)
    stronger = [{"name": "learner", "options": {"strength": 0.5}}]
    plans = {
        "first": make_plan(load_config(learner_config(tmp_path))),
        "options": make_plan(load_config(learner_config(tmp_path, methods=stronger))),
        "seed": make_plan(load_config(learner_config(tmp_path, seed=4))),
        "faces": make_plan(load_config(learner_config(tmp_path, faces="haar"))),
    }
    make_clip(tmp_path / "data" / "ann-train-1.mp4", 77)
    plans["clips"] = make_plan(load_config(learner_config(tmp_path)))
    keys = {
        name: {one.person.name: one.key for one in plan.preparations}
        for name, plan in plans.items()
    }
    assert len({each["ann"] for each in keys.values()}) == 5
    assert keys["clips"]["bob"] == keys["first"]["bob"]
    # What was learned from other clips is another video.
    videos = {name: generation_key(plan.methods[0], plan.cases[0]) for name, plan in plans.items()}
    assert plans["clips"].methods[0].key == plans["first"].methods[0].key
    assert videos["clips"] != videos["first"]


def test_a_tested_clip_is_never_learned_from_whatever_its_name(tmp_path: Path) -> None:
    data = tmp_path / "data"
    tested = data / "ann-test-0.mp4"
    copy, sound, alone = data / "copy.mp4", data / "sound.wav", data / "face.mp4"
    make_clip(tested, 0)
    shutil.copy(tested, copy)
    make_clip(alone, 500)
    shutil.copy(tested, sound)
    same = Clip("copy", copy, speaker="ann", split="train", box=(4.0, 4.0, 24.0, 24.0))
    # The same speech beside another face, and the same content under a digest of somebody's own.
    heard = dataclasses.replace(same, id="heard", video=alone, audio=sound)
    claimed = dataclasses.replace(same, id="claimed", sha256="0" * 64)
    make_data(tmp_path, more=[same, heard, claimed])
    config = learner_config(tmp_path)
    plan = make_plan(load_config(config))
    ann, bob = plan.persons
    assert [clip.id for clip in ann.clips] == ["ann-train-0", "ann-train-1"]
    assert [clip.id for clip in ann.left_out] == ["copy", "heard", "claimed"]
    assert bob.left_out == ()
    output = bench("plan", config, "-o", tmp_path / "run")[1]
    assert "ann: not learned from, for they are tested: copy, heard, claimed" in output
    # The same split as the one under test has nobody's untested clip.
    config = learner_config(tmp_path, prepare={"split": "test"})
    code, output = bench("run", config, "-o", tmp_path / "run")
    assert code == 1
    learner = _of(tmp_path / "run", "learner")
    assert {one["status"] for one in learner} == {"failed"}
    assert all("tiny has no clip of" in one["reason"] for one in learner)
    assert {one["status"] for one in _of(tmp_path / "run", "still")} == {"ok"}
    assert told(tmp_path) == []


@pytest.mark.slow
def test_a_kill_in_the_middle_is_gone_on_from_its_last_step(
    tmp_path: Path, undisturbed: dict[str, str]
) -> None:
    make_data(tmp_path)
    config = learner_config(tmp_path)
    (tmp_path / "trouble-bob").write_text("hang", encoding="utf-8")
    command = [sys.executable, "-m", "bench", "run", str(config), "-o", str(tmp_path / "run")]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parent.parent)}
    with subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL) as process:
        deadline = time.monotonic() + 60
        while "learned bob 0" not in told(tmp_path) and time.monotonic() < deadline:
            time.sleep(0.05)
        process.send_signal(signal.SIGKILL)
    (tmp_path / "trouble-bob").unlink()
    found = records(tmp_path / "run", PREPARATIONS).values()
    assert [one["person"] for one in found] == ["ann"]
    output = bench("plan", config, "-o", tmp_path / "run")[1]
    assert "learner: tiny · ann: ready, from 2 clips" in output
    assert "learner: tiny · bob: started, from 2 clips; 4 cells wait for it" in output
    code, output = bench("run", config, "-o", tmp_path / "run")
    assert code == 0, output
    assert told(tmp_path)[-3:] == ["prepare bob 2 cpu", "known bob 0", "learned bob 1"]
    assert told(tmp_path).count("prepare ann 2 cpu") == 1
    assert _digests(tmp_path / "run") == undisturbed


def test_a_person_that_cannot_be_learned_costs_its_own_cells(tmp_path: Path) -> None:
    make_data(tmp_path)
    config = learner_config(tmp_path)
    (tmp_path / "trouble-bob").write_text("fail", encoding="utf-8")
    assert bench("run", config, "-o", tmp_path / "run")[0] == 1
    found = {one["person"]: one for one in records(tmp_path / "run", PREPARATIONS).values()}
    assert found["ann"]["status"] == "ok"
    assert (found["bob"]["status"], found["bob"]["reason"]) == ("failed", "cannot learn bob")
    lines = (tmp_path / "run" / PREPARATIONS).read_text("utf-8").splitlines()
    assert all(json.loads(line)["seconds"] > 0 for line in lines)
    for one in _of(tmp_path / "run", "learner"):
        is_bob = one["case"].startswith("bob")
        assert one["status"] == ("failed" if is_bob else "ok")
        if is_bob:
            assert one["reason"] == "learner did not learn bob: cannot learn bob"
    # Once is enough, until it is asked for again; then it goes on.
    (tmp_path / "trouble-bob").unlink()
    before = told(tmp_path)
    assert bench("run", config, "-o", tmp_path / "run")[0] == 1
    assert told(tmp_path) == before
    assert bench("run", config, "-o", tmp_path / "run", "--retry")[0] == 0
    assert told(tmp_path)[-3:] == ["prepare bob 2 cpu", "known bob 0", "learned bob 1"]


def test_the_plan_shows_what_waits_for_which_person(tmp_path: Path) -> None:
    make_data(tmp_path)
    code, output = bench("plan", learner_config(tmp_path), "-o", tmp_path / "run")
    assert code == 0, output
    assert "persons: 2 of 2 preparations missing" in output
    assert "learner: tiny · ann: missing, from 2 clips; 4 cells wait for it" in output
    config = learner_config(tmp_path, methods=[{"name": "still"}])
    assert "preparations" not in bench("plan", config, "-o", tmp_path / "run")[1]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"prepare": None}, r"methods\[0\]: method 'learner' .*`prepare: \{split: train\}`"),
        ({"prepare": {}}, r"prepare\.split"),
        ({"prepare": {"split": "train", "clips": 3}}, r"prepare\.clips"),
        ({"prepare": {"split": "trian"}}, r"prepare\.split: .*no clip has the split 'trian'"),
    ],
)
def test_a_config_must_say_what_is_learned_from(
    tmp_path: Path, changes: dict[str, object], words: str
) -> None:
    make_data(tmp_path)
    config = learner_config(tmp_path, **changes)
    with pytest.raises(BenchError, match=words):
        make_plan(load_config(config))


def test_a_speaker_must_have_a_name(tmp_path: Path) -> None:
    manifest = make_data(tmp_path)
    manifest.write_text(manifest.read_text(encoding="utf-8").replace(",bob,", ",,"), "utf-8")
    assert bench("run", learner_config(tmp_path), "-o", tmp_path / "run")[0] == 1
    failed = [one for one in _of(tmp_path / "run", "learner") if one["status"] == "failed"]
    assert [one["case"] for one in failed] == ["bob-test-0", "bob-test-1"]
    assert all("names no speaker" in one["reason"] for one in failed)


def test_a_clip_that_cannot_be_used_costs_its_person(tmp_path: Path) -> None:
    make_data(tmp_path)
    (tmp_path / "data" / "ann-train-1.mp4").write_bytes(b"no video")
    assert bench("run", learner_config(tmp_path), "-o", tmp_path / "run")[0] == 1
    found = {one["person"]: one for one in records(tmp_path / "run", PREPARATIONS).values()}
    assert found["ann"]["status"] == "failed"
    assert "ann-train-1.mp4" in found["ann"]["reason"]
    assert found["bob"]["status"] == "ok"


def test_a_clip_that_the_method_does_not_ask_for_is_not_even_conformed(tmp_path: Path) -> None:
    make_data(tmp_path)
    (tmp_path / "data" / "ann-train-1.mp4").write_bytes(b"no video")
    config = learner_config(tmp_path)
    plugin = LEARNER.replace("enumerate(job.clips)", "enumerate(job.clips[:1])")
    (tmp_path / "learner.py").write_text(plugin, encoding="utf-8")
    assert bench("run", config, "-o", tmp_path / "run")[0] == 0
    found = {one["person"]: one for one in records(tmp_path / "run", PREPARATIONS).values()}
    assert {name: one["status"] for name, one in found.items()} == {"ann": "ok", "bob": "ok"}


def test_clips_have_names_that_last(tmp_path: Path) -> None:
    make_data(tmp_path)
    plugin = LEARNER.replace("len(job.clips)", "' '.join(job.names)")
    config = learner_config(tmp_path)
    (tmp_path / "learner.py").write_text(plugin, encoding="utf-8")
    assert bench("run", config, "-o", tmp_path / "run")[0] == 0
    clips = [tmp_path / "data" / f"ann-train-{number}.mp4" for number in range(2)]
    assert f"prepare ann {' '.join(map(file_sha256, clips))} cpu" in told(tmp_path)
    here = Clip(
        id="zh-m01-p0000", video=clips[0], speaker="zh-m01", split="person", sha256=64 * "a"
    )
    version = CORPORA["synth-zh"]
    assert lasting_name(here) == f"synth-zh-{version}/zh-m01-p0000"
    assert lasting_name(dataclasses.replace(here, split="test")) == 64 * "a"
    assert lasting_name(dataclasses.replace(here, id="zh-m02-p0000")) == 64 * "a"
    assert lasting_name(dataclasses.replace(here, id="mine", sha256="")) == file_sha256(clips[0])


Builds = list[tuple[str, str | None]]


@pytest.fixture
def builds(monkeypatch: pytest.MonkeyPatch, own_cache: Path) -> Builds:
    """The splits and speakers of synth-zh that were rendered; small clips take their place."""
    made: Builds = []

    def build(
        name: str,
        split: str,
        *,
        clips: int | None = None,
        speaker: str | None = None,
        **_how: object,
    ) -> Path:
        manifest = own_cache / "small" / f"{name}-{split}-{clips}-{speaker}" / "manifest.csv"
        if not manifest.exists():
            made.append((split, speaker))
            plans = corpus.plan_clips("zh", split, clips or corpus.clips_of("zh", split))
            wanted = [plan for plan in plans if speaker in (None, plan.who)]
            write_manifest(manifest, [_small(plan, manifest.parent) for plan in wanted])
        return manifest

    monkeypatch.setattr(corpus, "PERSON_CLIPS", 2)
    monkeypatch.setattr(synth, "build", build)
    return made


def _small(plan: corpus.ClipPlan, folder: Path) -> Clip:
    video = make_clip(folder / f"{plan.id}.mp4", 100 * plan.seed[1] + plan.seed[2])
    return Clip(
        id=plan.id,
        video=video,
        speaker=plan.who,
        language="zh",
        split=plan.split,
        box=(4.0, 4.0, 24.0, 24.0),
        sha256=file_sha256(video),
    )


def embedded_config(folder: Path, **changes: object) -> Path:
    """Tests the first clip of synth-zh, which is of zh-m01."""
    data = {"name": "zh", "manifest": "$NOWHERE", "stand_in": "synth-zh", "limit": 1}
    chosen = {"split": "train", "stand_in_split": "person"}
    return learner_config(folder, **{"data": [data], "prepare": chosen, **changes})


def test_what_is_learned_from_is_rendered_when_a_method_asks_for_it(
    tmp_path: Path, builds: Builds, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("NOWHERE", raising=False)
    config = embedded_config(tmp_path)
    plan = make_plan(load_config(config))
    assert builds == [("test", None)]
    (ann,) = plan.persons
    names = [f"synth-zh-{CORPORA['synth-zh']}/zh-m01-p{number:04d}" for number in (0, 11)]
    assert list(map(lasting_name, ann.clips)) == names
    knows = LEARNER.replace("job.clips)", "job.names)").replace(
        "assert clip", "(job.folder / 'step-0').write_text('9'); return; assert clip"
    )
    (tmp_path / "learner.py").write_text(knows, encoding="utf-8")
    assert bench("run", config, "-o", tmp_path / "known")[0] == 0
    assert builds == [("test", None)]
    (record,) = records(tmp_path / "known", PREPARATIONS).values()
    assert list(record["clips"]) == names
    config = embedded_config(tmp_path)
    assert bench("run", config, "-o", tmp_path / "run")[0] == 0
    assert builds == [("test", None), ("person", "zh-m01")]
    assert told(tmp_path)[-3:] == ["prepare zh-m01 2 cpu", "learned zh-m01 0", "learned zh-m01 1"]
    again = make_plan(load_config(config))  # rendered or not, the key is the same
    assert [one.key for one in again.preparations] == [one.key for one in plan.preparations]
    assert bench("run", config, "-o", tmp_path / "run")[0] == 0
    assert len(builds) == 2


def test_a_tested_clip_of_an_embedded_corpus_is_never_learned_from(
    tmp_path: Path, builds: Builds
) -> None:
    whole = {"name": "zh", "corpus": "synth-zh", "split": "person", "limit": 1}
    config = embedded_config(tmp_path, data=[whole], prepare={"split": "person"})
    (person,) = make_plan(load_config(config)).persons
    assert [clip.id for clip in person.clips] == ["zh-m01-p0011"]
    assert [clip.id for clip in person.left_out] == ["zh-m01-p0000"]
    assert builds == [("person", None)]  # the tested one
    # Beside another data set, a clip is known by its content, whatever its name.
    plan = corpus.plan_clips("zh", "person", 12)[11]
    copy = _small(plan, tmp_path / "data")
    other = dataclasses.replace(copy, id="copy", speaker="ann", split="test", sha256="")
    write_manifest(
        tmp_path / "data" / "manifest.csv",
        [other, dataclasses.replace(other, id="learn", split="person")],
    )
    mine = {"name": "mine", "manifest": "data/manifest.csv", "split": "test"}
    test = {"name": "zh", "corpus": "synth-zh", "split": "test", "limit": 1}
    config = embedded_config(tmp_path, data=[test, mine], prepare={"split": "person"})
    zh, ann = make_plan(load_config(config)).persons
    assert [clip.id for clip in zh.left_out] == ["zh-m01-p0011"]
    assert [clip.id for clip in ann.left_out] == ["learn"]


def test_a_damaged_preparation_is_made_again(tmp_path: Path, own_cache: Path) -> None:
    make_data(tmp_path)
    config = learner_config(tmp_path)
    assert bench("run", config, "-o", tmp_path / "run")[0] == 0
    plan = make_plan(load_config(config))
    shutil.rmtree(own_cache / "prepared")
    folder = PreparedFolder(tmp_path / "run", plan.preparations[0].key)
    (folder.files / "step-1").unlink()
    store = Store(tmp_path / "run")
    store.read()
    assert find_missing(plan, store).preparations == ()  # no cell waits for it
    shutil.rmtree(tmp_path / "run" / "videos")
    assert bench("run", config, "-o", tmp_path / "run")[0] == 0
    assert told(tmp_path)[-3:] == ["prepare ann 2 cpu", "learned ann 0", "learned ann 1"]


def test_a_preparation_that_leaves_nothing_has_failed(tmp_path: Path) -> None:
    make_data(tmp_path)
    config = learner_config(tmp_path)
    head = "    def prepare(self, job):\n"
    code = LEARNER.replace(head, f"{head}        return\n")
    (tmp_path / "learner.py").write_text(code, encoding="utf-8")
    assert bench("run", config, "-o", tmp_path / "run")[0] == 1
    reasons = {one["reason"] for one in records(tmp_path / "run", PREPARATIONS).values()}
    assert ["left no file in job.folder" in reason for reason in reasons] == [True]


def test_a_preparation_that_leaves_a_link_has_failed(tmp_path: Path) -> None:
    make_data(tmp_path)
    config = learner_config(tmp_path)
    head = "    def prepare(self, job):\n"
    code = LEARNER.replace(head, f"{head}        (job.folder / 'clip').symlink_to(__file__)\n")
    (tmp_path / "learner.py").write_text(code, encoding="utf-8")
    assert bench("run", config, "-o", tmp_path / "run")[0] == 1
    reasons = {one["reason"] for one in records(tmp_path / "run", PREPARATIONS).values()}
    assert ["left a link in job.folder, clip" in str(reason) for reason in reasons] == [True]
    assert os.access(tmp_path / "learner.py", os.W_OK)


def test_a_run_shows_what_was_learned_from_todays_clips(tmp_path: Path) -> None:
    make_data(tmp_path, persons=("ann",))
    config, train = learner_config(tmp_path), tmp_path / "data" / "ann-train-0.mp4"
    shutil.copy(train, tmp_path / "first.mp4")

    def values() -> list[float]:
        assert bench("run", config, "-o", tmp_path / "run")[0] == 0
        table = load(tmp_path / "run")
        return list(table[table["method"] == "learner"]["value"])

    first = values()
    make_clip(train, 99)
    other = values()
    assert other != first
    shutil.copy(tmp_path / "first.mp4", train)  # nothing is left to do, and other lines come last
    assert values() == first


def test_a_preparation_can_be_sent_to_another_machine(tmp_path: Path) -> None:
    make_data(tmp_path)
    config = learner_config(tmp_path)
    plan = make_plan(load_config(config))
    tasks = find_missing(plan, Store(tmp_path / "run")).preparations
    sent = {file.path.relative_to(tmp_path).as_posix() for file in tasks[0].inputs()}
    assert sent == {"learner.py", "data/ann-train-0.mp4", "data/ann-train-1.mp4"}
    far = tasks[0].moved(lambda path: Path("/far", *path.parts[1:]))
    assert all(clip.video.is_relative_to("/far") for clip in far.clips)
    assert bench("run", config, "-o", tmp_path / "run")[0] == 0
    shutil.rmtree(tmp_path / "run" / "videos")
    with Store(tmp_path / "run") as store:
        (task, *_) = find_missing(plan, store).tasks
    names = {file.path.name for file in task.inputs() if "run" in file.path.parts}
    assert names == {"done.json", "step-0", "step-1"}


def _of(run: Path, method: str) -> list[dict[str, str]]:
    every = [json.loads(line) for line in (run / GENERATIONS).read_text("utf-8").splitlines()]
    return [one for one in every if one["method"] == method]


def _digests(run: Path) -> dict[str, str]:
    return {one["key"]: one["sha256"] for one in _of(run, "learner")}
