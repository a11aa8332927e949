"""Person-specific preparation: before the first job, and never by two processes at a time."""

from __future__ import annotations

import threading
from pathlib import Path

from bench.machine.clock import Clock
from bench.records.record import GenerationRecord
from bench.records.store import Store
from bench.run.casework import CaseWorker
from bench.run.config import load_config
from bench.run.plan import find_missing, make_plan
from bench.run.work_folder import work_folder
from tests.small_data import make_config, make_manifest

PREPARED = """
import time
import bench

class Prepared(bench.Method):
    name, version, source = "prepared", "1", "defined here"

    def prepare(self, clips, workdir, device):
        (workdir / "model").mkdir()  # fails while another one is at it
        time.sleep(0.3)
        (workdir / "model").rmdir()
        with (workdir / "log").open("a") as log:
            log.write(f"{len(clips)} {device}\\n")
        self.knows = workdir / "log"

    def generate(self, job):
        assert self.knows.is_file()
        return bench.Generation([job.face.read()[0]] * job.frames)

@bench.hookimpl
def register_methods():
    return [Prepared]
"""


def test_two_that_share_a_run_prepare_one_after_another(tmp_path: Path) -> None:
    make_manifest(tmp_path / "data")
    (tmp_path / "prepared.py").write_text(PREPARED, encoding="utf-8")
    config = make_config(
        tmp_path,
        plugins=["prepared.py"],
        methods=[{"name": "prepared"}],
        metrics=[{"name": "psnr"}],
        cases={"kinds": ["reconstruct"]},
        tables=[],
    )
    plan, run = make_plan(load_config(config)), tmp_path / "run"
    tasks = find_missing(plan, Store(run)).tasks
    written: list[tuple[str, object]] = []

    def work(number: int) -> None:
        worker = CaseWorker("cpu", Clock())
        written.extend(
            (record.case, record.status)
            for record in worker.work([tasks[number]])
            if isinstance(record, GenerationRecord)
        )

    threads = [threading.Thread(target=work, args=(number,)) for number in (0, 1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(written) == [("one", "ok"), ("two", "ok")]
    assert (work_folder(run, "prepared", "prepared") / "log").read_text() == "3 cpu\n3 cpu\n"
