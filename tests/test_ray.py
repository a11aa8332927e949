"""The Ray engine on a real cluster of two nodes on this machine."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bench.contract.engine import Crew, Needs
from bench.ground.errors import BenchError
from bench.records.schema import GENERATIONS, MEASUREMENTS, PREPARATIONS
from bench.run.engines import make_engine
from tests.conftest import ROOT
from tests.small_data import make_config, make_manifest
from tests.test_prepare import learner_config, make_data
from tests.test_run import bench, records
from tests.toy_tasks import ToyStart, ToyTask

pytest.importorskip("ray", reason="Ray is not installed (the extra `ray`)")

# One worker runs these: a cluster takes ten seconds to start.
pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]
STORE = 100 << 20


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """Two nodes with one processor each, whose workers keep a cache of their own."""
    from ray.cluster_utils import Cluster

    before = dict(os.environ)
    os.environ.update(
        BENCH_CACHE=str(tmp_path_factory.mktemp("cache")),
        PYTHONPATH=os.pathsep.join(filter(None, [str(ROOT), before.get("PYTHONPATH")])),
        OMP_NUM_THREADS="1",
    )
    made = Cluster()
    try:
        made.add_node(num_cpus=1, object_store_memory=STORE, include_dashboard=False)
        made.add_node(num_cpus=1, object_store_memory=STORE)
        yield made
    finally:
        made.shutdown()
        os.environ.clear()
        os.environ.update(before)


def on_ray(cluster: Any, config: Path, folder: Path, *more: object) -> tuple[int, str]:
    """A run on the cluster, whose exit code and output come back."""
    return bench(
        *("run", config, "-o", folder, "--device", "cpu"),
        *("--engine", "ray", "--address", cluster.address, *more),
    )


def assert_equal_records(one: Path, other: Path) -> None:
    for name in (GENERATIONS, MEASUREMENTS):
        assert records(one, name) == records(other, name)


def test_a_cluster_gives_the_records_of_one_process(cluster: Any, tmp_path: Path) -> None:
    make_manifest(tmp_path / "data", ("one", "two", "gone"))
    (tmp_path / "data" / "gone.mp4").unlink()
    config = make_config(tmp_path)
    assert bench("run", config, "-o", tmp_path / "here")[0] == 1
    code, told = on_ray(cluster, config, tmp_path / "run")
    assert code == 1, told
    assert "Traceback" not in told
    assert_equal_records(tmp_path / "run", tmp_path / "here")


APART = """
import bench

class Apart(bench.Method):
    \"\"\"Sees to it that nothing is read where the driver has it.\"\"\"

    name, version, source = "apart", "1", "defined here"

    def generate(self, job):
        for path in (job.case.face.video, job.case.speech.video, job.workdir, __file__):
            if not str(path).count("talking-face-bench"):
                raise bench.BenchError(f"{path} is the driver's")
        job.log.info("done")
        if job.case.face.id == "two":
            raise bench.BenchError(f"cannot do {job.case.face.video}")
        return bench.Generation([frame // 2 for frame in job.face.read()])

@bench.hookimpl
def register_methods():
    return [Apart]
"""


def test_a_node_that_does_not_see_our_folders_is_sent_what_it_needs(
    cluster: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_manifest(tmp_path / "data")
    (tmp_path / "apart.py").write_text(APART, encoding="utf-8")
    config = make_config(
        tmp_path,
        plugins=["brightness.py", "apart.py"],
        methods=[
            {"name": "truth"},
            {"name": "dimmed"},
            {"name": "apart"},
            {"name": "recorded", "options": {"folder": "data"}},
        ],
        cases={"kinds": ["reconstruct"]},
    )
    assert bench("run", config, "-o", tmp_path / "here")[0] == 1
    # No node has a file of that name.
    monkeypatch.setattr("bench.run.engines.ray.probes_of", lambda *_: [Path("/nowhere")])
    code, told = on_ray(cluster, config, tmp_path / "run")
    assert code == 1, told
    own = records(tmp_path / "run", GENERATIONS)
    reasons = [r["reason"] for r in own.values() if r["status"] == "failed"]
    assert reasons == [f"cannot do {tmp_path}/data/two.mp4"]
    for record in own.values():
        if record["status"] == "ok":
            assert (tmp_path / "run" / str(record["video"])).is_file()
    assert (tmp_path / "run" / "logs" / "tiny" / "apart" / "one.log").is_file()
    kept = records(tmp_path / "here", GENERATIONS)
    assert own.keys() == kept.keys()
    for key, record in own.items():
        if record["method"] != "apart":
            assert record == kept[key]


def test_what_a_node_learned_of_a_person_comes_back_and_is_sent_on(
    cluster: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_data(tmp_path)
    config = learner_config(tmp_path)
    monkeypatch.setattr("bench.run.engines.ray.probes_of", lambda *_: [Path("/nowhere")])
    code, told = on_ray(cluster, config, tmp_path / "run")
    assert code == 0, told
    learned = records(tmp_path / "run", PREPARATIONS).values()
    assert sorted(str(record["person"]) for record in learned) == ["ann", "bob"]
    for record in learned:
        assert (tmp_path / "run" / str(record["folder"]) / "step-1").is_file()
        assert "step 1" in (tmp_path / "run" / str(record["log"])).read_text(encoding="utf-8")
    monkeypatch.undo()
    monkeypatch.setenv("BENCH_CACHE", str(tmp_path / "cache"))
    assert bench("run", config, "-o", tmp_path / "here")[0] == 0
    assert_equal_records(tmp_path / "run", tmp_path / "here")


def test_videos_that_are_there_are_sent_to_be_measured(
    cluster: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_manifest(tmp_path / "data")
    config = make_config(tmp_path)
    assert bench("run", config, "-o", tmp_path / "here")[0] == 0
    assert (
        on_ray(
            cluster, make_config(tmp_path, metrics=[{"name": "psnr"}], tables=[]), tmp_path / "run"
        )[0]
        == 0
    )
    monkeypatch.setattr("bench.run.engines.ray.probes_of", lambda *_: [Path("/nowhere")])
    made = (tmp_path / "run" / GENERATIONS).read_bytes()
    damaged = next(iter(records(tmp_path / "run", GENERATIONS).values()))
    (tmp_path / "run" / str(damaged["video"])).write_bytes(b"damaged")
    code, told = on_ray(cluster, make_config(tmp_path), tmp_path / "run")
    assert code == 0, told
    more = (tmp_path / "run" / GENERATIONS).read_bytes().removeprefix(made)
    assert more.count(b"\n") == 1  # the damaged one was made again
    assert_equal_records(tmp_path / "run", tmp_path / "here")


def test_large_files_come_in_pieces(
    cluster: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bench.run.engines.ray.probes_of", lambda *_: [Path("/nowhere")])
    sizes = {"none": 0, "small": 3, "whole": 8 << 20, "large": (16 << 20) + 5}
    for name, size in sizes.items():
        (tmp_path / name).write_bytes(os.urandom(size))
    run = tmp_path / "run"
    tasks = [ToyTask(name, path=tmp_path / name, target=run / "videos" / name) for name in sizes]
    engine = make_engine("ray", Crew(address=cluster.address), {})
    done = list(engine.run(tasks, ToyStart(run)))
    assert sorted(record.said for record in done) == sorted(f"read {tmp_path}/{n}" for n in sizes)
    for name in sizes:
        assert (run / "videos" / name).read_bytes() == (tmp_path / name).read_bytes()[::-1]


def test_a_node_that_is_lost_costs_its_tasks_one_more_try(cluster: Any, tmp_path: Path) -> None:
    node = cluster.add_node(num_cpus=2, object_store_memory=STORE)
    tasks = [ToyTask(str(number), seconds=0.5) for number in range(30)]
    engine = make_engine("ray", Crew(workers=4, address=cluster.address), {})
    came: list[str] = []
    for record in engine.run(tasks, ToyStart(tmp_path)):
        came.append(record.name)
        if len(came) == 12:
            threading.Thread(target=cluster.remove_node, args=(node,)).start()
    assert sorted(came) == sorted(task.name for task in tasks)


def test_a_worker_that_dies_costs_its_task_one_more_try(cluster: Any, tmp_path: Path) -> None:
    (tmp_path / "deadly").touch()
    tasks = [ToyTask("deadly", deadly=tmp_path / "deadly"), ToyTask("other", seconds=0.1)]
    engine = make_engine("ray", Crew(address=cluster.address), {})
    done = list(engine.run(tasks, ToyStart(tmp_path)))
    assert sorted(record.name for record in done) == ["deadly", "other"]


FATAL = """
import os, signal
import bench

class Fatal(bench.Method):
    \"\"\"Takes its process down on one clip, as a crash in native code does.\"\"\"

    name, version, source = "fatal", "1", "defined here"

    def generate(self, job):
        if job.case.face.id == "two":
            os.kill(os.getpid(), signal.SIGKILL)
        return bench.Generation(job.face.path)

@bench.hookimpl
def register_methods():
    return [Fatal]
"""


def test_a_task_that_kills_every_worker_ends_the_run_with_a_clear_word(
    cluster: Any, tmp_path: Path
) -> None:
    make_manifest(tmp_path / "data")
    (tmp_path / "fatal.py").write_text(FATAL, encoding="utf-8")
    config = make_config(
        tmp_path,
        plugins=["fatal.py"],
        methods=[{"name": "fatal"}],
        metrics=[{"name": "psnr"}],
        tables=[],
    )
    code, told = on_ray(cluster, config, tmp_path / "run")
    assert code == 2
    assert "worker processes died, one after another, on the same case" in told
    assert "Traceback" not in told
    assert len(records(tmp_path / "run", GENERATIONS)) >= 1


def test_what_the_cluster_cannot_give_is_told_at_once(cluster: Any, tmp_path: Path) -> None:
    engine = make_engine("ray", Crew(address=cluster.address), {})
    with pytest.raises(BenchError, match=r"needs 64 CPU.*none of the cluster's 2 nodes has that"):
        list(engine.run([ToyTask("large", needs=Needs(cpus=64))], ToyStart(tmp_path)))
    engine = make_engine("ray", Crew(device="cuda", address=cluster.address), {})
    with pytest.raises(BenchError, match="the cluster has no GPU"):
        list(engine.run([ToyTask("any")], ToyStart(tmp_path)))
    with pytest.raises(BenchError, match="gives each worker a GPU of its own"):
        make_engine("ray", Crew(device="cuda:1"), {})


def test_a_driver_that_is_killed_or_stopped_goes_on(cluster: Any, tmp_path: Path) -> None:
    make_manifest(tmp_path / "data", tuple(f"clip{number}" for number in range(6)))
    config = make_config(tmp_path)
    assert bench("run", config, "-o", tmp_path / "whole")[0] == 0
    run = tmp_path / "run"
    command = [sys.executable, "-m", "bench.command.cli", "run", str(config), "-o", str(run)]
    command += ["--engine", "ray", "--address", cluster.address, "--device", "cpu"]
    for number in (signal.SIGKILL, signal.SIGINT):
        before = _lines(run)
        process = subprocess.Popen(
            command,
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        while process.poll() is None and _lines(run) <= before:
            time.sleep(0.01)
        start = time.monotonic()
        os.killpg(process.pid, number)  # as a terminal does on Ctrl-C
        told, _ = process.communicate(timeout=60)
        if number == signal.SIGINT:
            assert process.returncode == 130, told
            assert "all records are kept" in told
            assert "Traceback" not in told
            assert time.monotonic() - start < 20  # five seconds on a machine with nothing else
    assert on_ray(cluster, config, run)[0] == 0
    assert_equal_records(run, tmp_path / "whole")


def _lines(folder: Path) -> int:
    paths = [folder / GENERATIONS, folder / MEASUREMENTS]
    return sum(path.read_bytes().count(b"\n") for path in paths if path.exists())


def test_without_a_cluster_ray_says_so(tmp_path: Path) -> None:
    engine = make_engine("ray", Crew(address="127.0.0.1:1"), {})
    with pytest.raises(BenchError, match="no connection to a cluster"):
        list(engine.run([ToyTask("any")], ToyStart(tmp_path)))
