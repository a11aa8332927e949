"""Engines: tasks that hold all they need, who carries them out, and on which device."""

from __future__ import annotations

import itertools
import pickle
import shutil
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from unittest import mock

import pytest

from bench.contract.engine import Crew, Needs
from bench.contract.registry import load_registry
from bench.ground.cores import cores
from bench.ground.errors import BenchError, MachineFault
from bench.machine.at_once import AtOnce
from bench.machine.clock import Clock
from bench.machine.devices import devices_of
from bench.records.schema import GENERATIONS, MEASUREMENTS
from bench.records.store import Store
from bench.run import casework, runner
from bench.run.config import load_config
from bench.run.engines import make_engine
from bench.run.engines.processes import Processes
from bench.run.fitting import fitting
from bench.run.loaded_plugins import LoadedPlugins
from bench.run.plan import find_missing, make_plan
from tests.small_data import make_config, make_manifest
from tests.test_run import bench, records
from tests.toy_tasks import ToyStart, ToyTask


@pytest.mark.parametrize(("name", "workers"), [("here", None), ("processes", 2)])
def test_every_task_is_done_once(tmp_path: Path, name: str, workers: int | None) -> None:
    engine = make_engine(name, Crew(workers), {})
    tasks = [ToyTask(str(number)) for number in range(100)]
    done = list(engine.run(tasks, ToyStart(tmp_path)))
    assert sorted(record.name for record in done) == sorted(task.name for task in tasks)
    assert len({record.process for record in done}) <= (workers or 1)


@pytest.mark.parametrize("name", ["here", "processes"])
def test_nothing_to_do_is_no_error(tmp_path: Path, name: str) -> None:
    assert list(make_engine(name, Crew(), {}).run([], ToyStart(tmp_path))) == []


def test_workers_say_which_engine() -> None:
    assert make_engine(None, Crew(), {}).name == "here"
    assert make_engine(None, Crew(workers=1), {}).name == "here"
    assert make_engine(None, Crew(workers=2), {}).name == "processes"
    with pytest.raises(BenchError, match="has one worker"):
        make_engine("here", Crew(workers=2), {})
    with pytest.raises(BenchError, match="Did you mean 'processes'"):
        make_engine("proceses", Crew(), {})


def test_one_thread_gives_the_records_of_several(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_manifest(tmp_path / "data", ("one", "two", "gone"))
    (tmp_path / "data" / "gone.mp4").unlink()
    config = make_config(tmp_path)
    pools = ThreadPoolExecutor
    for threads in ("1", "2"):
        monkeypatch.setenv("OMP_NUM_THREADS", threads)
        with mock.patch.object(casework, "ThreadPoolExecutor", wraps=pools) as pool:
            assert bench("run", config, "-o", tmp_path / threads)[0] == 1
        assert pool.called == (threads == "2")
    for name in (GENERATIONS, MEASUREMENTS):
        assert records(tmp_path / "1", name) == records(tmp_path / "2", name)


def test_work_that_is_done_at_once_gives_results_and_errors() -> None:
    with AtOnce() as pool:
        assert pool.submit(divmod, 7, 2).result() == (3, 1)
        failed = pool.submit(int, "x")
        with pytest.raises(ValueError, match="invalid literal"):
            failed.result()


# ---- tasks ----------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_task_holds_all_that_it_needs(tmp_path: Path) -> None:
    make_manifest(tmp_path / "data")
    config = make_config(tmp_path)
    assert bench("run", config, "-o", tmp_path / "whole")[0] == 0
    plan = make_plan(load_config(config))
    with Store(tmp_path / "run") as store:
        missing = find_missing(plan, store)
        tasks = pickle.loads(pickle.dumps(missing.tasks))
        # Nothing of this is read again.
        config.write_text("name: another", encoding="utf-8")
        (tmp_path / "data" / "manifest.csv").unlink()
        engine = make_engine("processes", Crew(workers=2), {})
        runner.run(plan, store, replace(missing, tasks=tasks), engine=engine)
    for name in (GENERATIONS, MEASUREMENTS):
        assert records(tmp_path / "run", name) == records(tmp_path / "whole", name)


HELPED = """
import sys
from pathlib import Path
sys.path.insert(0, str(Path(__file__).parent))
import beside
import bench
"""


def test_a_task_names_every_file_that_it_reads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "path", [*sys.path])
    make_manifest(tmp_path / "data", ("one",))
    videos = tmp_path / "videos"
    videos.mkdir()
    for name in ("one.mp4", "other.mp4"):
        shutil.copy(tmp_path / "data" / "one.mp4", videos / name)
    (tmp_path / "beside.py").write_text("LEVEL = 1\n", encoding="utf-8")
    config = make_config(
        tmp_path,
        methods=[{"name": "recorded", "options": {"folder": "videos"}}, {"name": "dimmed"}],
        cases={"kinds": ["reconstruct"]},
        tables=[],
    )
    plugin = tmp_path / "brightness.py"
    helped = plugin.read_text().replace("import bench", HELPED, 1)
    plugin.write_text(helped, encoding="utf-8")
    (task,) = find_missing(make_plan(load_config(config)), Store(tmp_path / "run")).tasks
    read = {file.path.relative_to(tmp_path) for file in task.inputs()}
    named = {"brightness.py", "beside.py", "data/one.mp4", "videos/one.mp4"}
    assert read == set(map(Path, named))

    moved = task.moved(lambda path: Path("/far", *path.parts[1:]))
    assert {path for path in _paths(moved) if not path.is_relative_to("/far")} == set()
    assert moved.planned.key == task.planned.key
    assert moved.settings.methods["recorded"].key == task.settings.methods["recorded"].key


def _paths(task: object) -> list[Path]:
    """Every absolute path anywhere in a task."""
    if isinstance(task, Path):
        return [task] if task.is_absolute() else []
    if isinstance(task, dict):
        return [path for value in task.values() for path in _paths(value)]
    if isinstance(task, tuple | list | frozenset):
        return [path for value in task for path in _paths(value)]
    return _paths(vars(task)) if hasattr(task, "__dict__") else []


@pytest.mark.parametrize("engine", ["here", "processes"])
def test_code_that_changes_after_the_plan_is_no_verdict(tmp_path: Path, engine: str) -> None:
    make_manifest(tmp_path / "data")
    config = make_config(tmp_path)
    plan = make_plan(load_config(config))
    plugin = tmp_path / "brightness.py"
    with Store(tmp_path / "run") as store:
        missing = find_missing(plan, store)
        plugin.write_text(plugin.read_text(encoding="utf-8") + "\n# changed\n", encoding="utf-8")
        with pytest.raises(MachineFault, match=r"brightness\.py: the code has changed"):
            runner.run(plan, store, missing, engine=make_engine(engine, Crew(), {}))
    kept = [*records(tmp_path / "run", GENERATIONS).values()]
    assert not [record for record in kept if record["status"] == "failed"]


# ---- engines of others ----------------------------------------------------------------------

BACKWARDS = """
import bench

class Backwards(bench.Engine):
    \"\"\"Works through the tasks in this process, the last one first.\"\"\"

    name = "backwards"

    def run(self, tasks, start):
        yield from start(self.crew.device).work(reversed(tasks))

@bench.hookimpl
def register_engines():
    return [Backwards]
"""


def test_an_engine_of_others_is_one_file(tmp_path: Path) -> None:
    make_manifest(tmp_path / "data")
    (tmp_path / "backwards.py").write_text(BACKWARDS, encoding="utf-8")
    config = make_config(tmp_path, plugins=["brightness.py", "backwards.py"])
    assert bench("run", config, "-o", tmp_path / "here")[0] == 0
    code, told = bench(
        "run", config, "-o", tmp_path / "run", "--engine", "backwards", "--device", "cpu"
    )
    assert code == 0, told
    for name in (GENERATIONS, MEASUREMENTS):
        assert records(tmp_path / "run", name) == records(tmp_path / "here", name)
    first, *_ = records(tmp_path / "run", GENERATIONS).values()
    last = [*records(tmp_path / "here", GENERATIONS).values()][-1]
    assert first["case"] == last["case"]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ('"backwards"', "is no subclass of bench.Engine"),
        ("bench.Engine", "needs a `name`"),
        ("Backwards, Backwards", "there is an engine 'backwards' already"),
    ],
)
def test_an_engine_that_cannot_be_used_is_told(tmp_path: Path, text: str, problem: str) -> None:
    file = tmp_path / "backwards.py"
    file.write_text(BACKWARDS.replace("[Backwards]", f"[{text}]"), encoding="utf-8")
    with pytest.raises(BenchError, match=problem):
        load_registry([file])


# ---- devices --------------------------------------------------------------------------------


def test_each_worker_has_a_gpu_of_its_own() -> None:
    assert devices_of("cpu", 3, shared=False) == ["cpu"] * 3
    assert devices_of("cuda", 2, shared=False, cards=4) == ["cuda:0", "cuda:1"]
    assert devices_of("cuda:3", 1, shared=False, cards=4) == ["cuda:3"]
    with pytest.raises(BenchError, match=r"there is one GPU for them.*--workers 1.*--share-device"):
        devices_of("cuda", 2, shared=False, cards=1)
    with pytest.raises(BenchError, match=r"there is only cuda:1 for them"):
        devices_of("cuda:1", 2, shared=False, cards=4)
    assert devices_of("cuda", 3, shared=True, cards=2) == ["cuda:0", "cuda:1", "cuda:0"]
    assert devices_of("cuda:1", 2, shared=True, cards=2) == ["cuda:1", "cuda:1"]


def test_processes_work_on_the_devices_that_they_are_given(tmp_path: Path) -> None:
    engine = Processes(Crew(workers=2))
    engine.devices = ["cuda:0", "cuda:1"]  # toy workers compute nothing
    tasks = [ToyTask(str(number), seconds=0.2) for number in range(40)]
    done = list(engine.run(tasks, ToyStart(tmp_path)))
    by_process = {(record.process, record.device) for record in done}
    assert {device for _, device in by_process} == {"cuda:0", "cuda:1"}
    assert len(by_process) == 2


def test_each_worker_has_cores_of_its_own(tmp_path: Path) -> None:
    tasks = [ToyTask(str(number), seconds=0.2) for number in range(20)]
    done = list(Processes(Crew(workers=2)).run(tasks, ToyStart(tmp_path)))
    used = {record.process: record.cores for record in done}
    assert len(used) == 2
    if len(cores()) == 1:
        assert {*used.values()} == {tuple(cores())}
    else:
        assert sorted(itertools.chain(*used.values())) == cores()
        assert min(map(len, used.values())) == len(cores()) // 2


LARGE = """
import bench

class First(bench.Method):
    \"\"\"Says which models are loaded beside it.\"\"\"

    name, version, source = "first", "1", "defined here"
    memory = 600
    loaded = []

    def load(self, device):
        First.loaded.append(self.name)

    def __del__(self):
        if self.name in First.loaded:
            First.loaded.remove(self.name)

    def generate(self, job):
        return bench.Generation(job.face.path, notes=(" ".join(First.loaded),))

class Second(First):
    \"\"\"Another one.\"\"\"

    name = "second"

@bench.hookimpl
def register_methods():
    return [First, Second]
"""


@pytest.mark.parametrize(("memory", "beside"), [(1000, False), (2000, True)])
def test_models_that_do_not_fit_in_together_are_loaded_in_turn(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, memory: int, beside: bool
) -> None:
    make_manifest(tmp_path / "data")
    (tmp_path / "large.py").write_text(LARGE, encoding="utf-8")
    config = make_config(
        tmp_path,
        plugins=["large.py"],
        methods=[{"name": "first"}, {"name": "second"}],
        metrics=[{"name": "psnr"}],
        cases={"kinds": ["reconstruct"]},
        tables=[],
    )
    monkeypatch.setattr("bench.run.engines.here.model_memory", lambda _device: memory)
    monkeypatch.setattr("bench.run.loaded_plugins.model_memory", lambda _device: memory)
    assert bench("run", config, "-o", tmp_path / "run", "--device", "cpu")[0] == 0
    made = records(tmp_path / "run", GENERATIONS)
    order = [str(record["method"]) for record in made.values()]
    loaded = {" ".join(note for note in record["conformed"]) for record in made.values()}
    if beside:
        assert order == ["first", "second"] * 3
        assert "first second" in loaded
    else:
        assert order == ["first"] * 3 + ["second"] * 3
        assert loaded == {"first", "second"}


def test_tasks_are_split_only_where_memory_says_so(tmp_path: Path) -> None:
    make_manifest(tmp_path / "data")
    plan = make_plan(load_config(make_config(tmp_path)))
    tasks = find_missing(plan, Store(tmp_path / "run")).tasks
    assert fitting(tasks, None) is tasks
    assert fitting(tasks, 1) is tasks  # nothing declares anything
    assert sum(task.cells for task in fitting(tasks, 1)) == sum(task.cells for task in tasks)


def test_a_task_needs_what_its_plugins_declare(tmp_path: Path) -> None:
    make_manifest(tmp_path / "data")
    (tmp_path / "large.py").write_text(
        LARGE.replace("memory = 600", "memory, cpus, gpus = 600, 2, 1"), encoding="utf-8"
    )
    config = make_config(
        tmp_path,
        plugins=["large.py"],
        methods=[{"name": "first"}, {"name": "second"}],
        metrics=[{"name": "psnr"}],
        tables=[],
    )
    task, *_ = find_missing(make_plan(load_config(config)), Store(tmp_path / "run")).tasks
    assert task.needs == Needs(cpus=2, gpus=1, memory=1200)
    assert replace(task, generate=("first",), measure={}).needs.memory == 600
    assert not Needs().covers(task.needs)
    assert Needs(2, 1, 1200).covers(task.needs)


def test_a_large_metric_makes_room_too(tmp_path: Path) -> None:
    make_manifest(tmp_path / "data")
    plan = make_plan(load_config(make_config(tmp_path)))
    settings = plan.settings(tmp_path / "run")
    plugins = LoadedPlugins("cpu", Clock(), memory=1000)
    metric = replace(settings.metrics["psnr"], needs=Needs(memory=600))
    first = plugins.metric(metric, settings)
    assert plugins.metric(metric, settings) is first
    plugins.method(replace(settings.methods["still"], needs=Needs(memory=300)), settings)
    assert plugins.metric(metric, settings) is first
    plugins.method(replace(settings.methods["dimmed"], needs=Needs(memory=300)), settings)
    assert plugins.metric(metric, settings) is not first
