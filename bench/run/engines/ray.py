"""The engine that shares a run's tasks among the nodes of a Ray cluster (the extra `ray`).

The driver hands each worker one task at a time, and nobody else talks to workers. Where a node does
not see the driver's folders, it is sent the files that a task reads, and sends back those that the
task made, in pieces, one at a time for each worker.
"""

from __future__ import annotations

import contextlib
import dataclasses
import logging
import os
import shutil
import signal
import socket
import tempfile
import threading
import uuid
from collections import Counter, OrderedDict, deque
from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from bench.contract.engine import Crew, Engine, InputFile, Needs, Start, Task
from bench.errors import BenchError, MachineFault
from bench.files.intact import is_intact
from bench.files.one_move import in_one_move, part_beside
from bench.files.paths import weights_dirs
from bench.machine.devices import present_device
from bench.machine.faults import machine_fault
from bench.run.engines.own_code import own_code_digest

_Task = TypeVar("_Task", bound=Task)
_Record = TypeVar("_Record")
PIECE = 8 << 20  # bytes of a file on their way at a time, for each worker
KEPT = 4 << 30  # bytes of sent files that a worker keeps, for tasks that read them again
TRIES = 4  # how many workers a task may lose before it is taken for the cause
WAIT = 10.0  # seconds for a cluster to answer
STORE = 512 << 20  # bytes of the object store where we start Ray ourselves
_Step = Generator[Any, Any, None]  # yields what it waits for, is sent what that became


class Ray(Engine):
    """Workers on all nodes of a Ray cluster, or on this machine where no address is given."""

    name = "ray"

    def __init__(self, crew: Crew) -> None:
        super().__init__(crew)
        try:
            import ray  # noqa: F401
        except ImportError as error:
            raise BenchError(
                "--engine ray: Ray is not installed here: pip install 'talking-face-bench[ray]'"
            ) from error
        if ":" in crew.device:
            raise BenchError(
                f"--engine ray --device {crew.device}: Ray itself gives each worker a GPU of its "
                "own. Write --device cuda, or cpu."
            )
        self._device = crew.device

    @property
    def device(self) -> str:
        """What the workers compute on; `auto` until the cluster has been seen."""
        return self._device

    @property
    def driver_device(self) -> str:
        """The processor, or the driver's own GPU where it has one."""
        return present_device("cpu" if self._device == "cpu" else "auto")

    def run(self, tasks: Sequence[_Task], start: Start[_Task, _Record]) -> Iterator[_Record]:
        """The records of each task as soon as it is done.

        A worker that is lost, with its node or alone, costs its task one more try. Raises
        BenchError where there is no cluster, where no node has what a task needs, and where a task
        loses worker after worker.
        """
        if not tasks:
            return
        with _cluster(self.crew.address):
            nodes = _nodes()
            if self._device == "auto":
                self._device = "cuda" if any(node.get("GPU") for node in nodes) else "cpu"
            share = self._share_of_gpu(nodes)
            crowd = _Crowd(tasks, start, self._device, share)
            room = _room(nodes, crowd.most)
            yield from crowd.work(min(self.crew.workers or room, len(tasks)))

    def _share_of_gpu(self, nodes: Sequence[Mapping[str, float]]) -> float:
        """How much of a GPU each worker has, where workers compute on GPUs."""
        if self._device == "cpu":
            return 0.0
        cards = sum(node.get("GPU", 0.0) for node in nodes)
        if not cards:
            raise BenchError("--engine ray --device cuda: the cluster has no GPU.")
        workers = self.crew.workers or int(cards)
        if workers <= cards:
            return 1.0
        if not self.crew.shares_device:
            raise BenchError(
                f"--workers {workers} --device cuda: the cluster has {cards:g} GPUs. Take "
                f"--workers {cards:g}, or let workers share a GPU and its memory: --share-device."
            )
        return cards / workers


class _Crowd:
    """The workers of one run, as the driver sees them: who has which task, what came back."""

    def __init__(
        self, tasks: Sequence[Task], start: Start[Any, Any], device: str, share: float
    ) -> None:
        self._queue = deque(tasks)
        self._start = start
        self._device = device
        self._share = share
        self._lost: Counter[int] = Counter()  # by task's id, the workers that it has lost
        self._results: deque[Any] = deque()
        self._busy = 0
        self._failed_starts = 0
        self._first = tasks[0]
        self.most = _most(self._needs(task) for task in tasks)

    def work(self, workers: int) -> Iterator[Any]:
        """Starts workers, and goes on until no task is left. Ends them however it is left."""
        import ray

        waiting: dict[Any, _Step] = {}
        members = [_Member() for _ in range(workers)]
        token = self._start.folder / "work" / f"seen-{uuid.uuid4().hex}"
        token.parent.mkdir(parents=True, exist_ok=True)
        token.touch()
        try:
            for member in members:
                step = self._serve(member, token)
                waiting[next(step)] = step
            while waiting and (self._queue or self._busy):
                ready, _ = ray.wait(list(waiting), num_returns=1, timeout=1.0)
                for reference in ready:
                    step = waiting.pop(reference)
                    with contextlib.suppress(StopIteration):
                        waiting[_go_on(step, reference)] = step
                while self._results:
                    yield self._results.popleft()
        finally:
            for step in waiting.values():
                step.close()
            for member in members:
                member.end()
            token.unlink(missing_ok=True)

    def _serve(self, member: _Member, token: Path) -> _Step:
        """Hands one worker task after task; a worker that is lost gets a successor."""
        while self._queue:
            try:
                needs = self._needs(self._queue[0])
                if not member.covers(needs):
                    yield from self._begin(member, needs, token)
                    continue  # others may have emptied the queue meanwhile
            except _lost() as error:
                self._failed_starts += 1
                member.end()
                if self._failed_starts >= TRIES:
                    raise BenchError(
                        "--engine ray: no worker could be started. talking-face-bench must be "
                        f"installed on every node. Ray says: {_first_line(error)}"
                    ) from error
                continue
            task = self._queue.popleft()
            self._busy += 1
            try:
                yield from self._carry_out(member, task)
            except _lost() as error:
                member.end()
                self._lost[id(task)] += 1
                if self._lost[id(task)] >= TRIES:
                    raise BenchError(
                        f"{self._start.folder}: {TRIES} worker processes died, one after another, "
                        "over the same case; most often memory is short, or a plugin crashed. What "
                        "was recorded is kept: run the same command again, with --engine here if "
                        f"it happens again. Ray says: {_first_line(error)}"
                    ) from error
                self._queue.append(task)
            finally:
                self._busy -= 1
        if member.remote is not None and not member.is_shared:
            self._busy += 1
            with contextlib.suppress(*_lost()):
                yield member.remote.leave.remote()
            self._busy -= 1
        member.end()  # its processors may be what a lost worker's successor waits for

    def _begin(self, member: _Member, needs: Needs, token: Path) -> _Step:
        """Starts a worker with these resources and learns whether it sees the driver's folders."""
        member.end()
        probes = probes_of(self._first, token)
        member.begin(self._start, self._device, needs)
        member.is_shared = yield member.remote.join.remote(
            own_code_digest(), probes, weights_dirs()
        )
        self._failed_starts = 0

    def _carry_out(self, member: _Member, task: Task) -> _Step:
        """Has one task done, with its files sent there and back where that is needed."""
        if not member.is_shared:
            yield from self._send(member, task.inputs())
        results, made = yield member.remote.work.remote(task)
        for name, size in made:
            yield from self._fetch(member, name, size)
        self._results.extend(results)

    def _send(self, member: _Member, files: Sequence[InputFile]) -> _Step:
        lacking = yield member.remote.lacking.remote(list(files))
        for file in lacking:
            with file.path.open("rb") as source:
                while piece := source.read(PIECE):
                    yield member.remote.take.remote(file, piece)
            yield member.remote.keep.remote(file)

    def _fetch(self, member: _Member, name: str, size: int) -> _Step:
        target = self._start.folder / name
        if not target.resolve().is_relative_to(self._start.folder.resolve()):
            raise BenchError(f"--engine ray: a worker sent {name!r}, outside of the run folder.")
        with in_one_move(target) as part, part.open("wb") as file:
            for offset in range(0, max(size, 1), PIECE):
                file.write((yield member.remote.give.remote(name, offset)))
        yield member.remote.drop.remote(name)

    def _needs(self, task: Task) -> Needs:
        """The task's needs, and the GPU that each worker has where the run computes on GPUs."""
        needs = task.needs
        on_gpu = self._device != "cpu"
        gpus = max(needs.gpus, self._share) if on_gpu else needs.gpus
        # What models take of a GPU's memory is nothing that Ray counts.
        return Needs(needs.cpus, gpus, 0 if on_gpu else needs.memory)


@dataclass
class _Member:
    """One worker as the driver sees it: its actor, what that has, whether it sees our folders."""

    remote: Any = None
    has: Needs | None = None
    is_shared: bool = True

    def covers(self, needs: Needs) -> bool:
        """Whether it is there, with the resources that a task needs."""
        return self.has is not None and self.has.covers(needs)

    def begin(self, start: Start[Any, Any], device: str, needs: Needs) -> None:
        """Asks Ray for it; it starts as soon as a node has room."""
        import ray

        remote = ray.remote(NodeWorker).options(
            num_cpus=needs.cpus,
            num_gpus=needs.gpus,
            memory=needs.memory or None,
            max_restarts=0,
            max_task_retries=0,
            scheduling_strategy="SPREAD",
        )
        self.remote, self.has = remote.remote(start, device, needs.cpus), needs

    def end(self) -> None:
        """Ends it at once; nothing if it is not there."""
        import ray

        if self.remote is not None:
            with contextlib.suppress(Exception):  # it may be gone, and so may Ray
                ray.kill(self.remote)
        self.remote, self.has = None, None


class NodeWorker:
    """A worker on a node: an actor that does what the driver tells it, one thing after another."""

    def __init__(self, start: Start[Any, Any], device: str, cpus: float) -> None:
        self._start = start
        self._device = device
        self._cpus = cpus
        self._files: _Sent | None = None

    def join(self, code: str, probes: Sequence[Path], weights: Sequence[Path]) -> bool:
        """Loads what tasks need; whether the driver's folders are here under the same names.

        Raises BenchError where another state of our code is installed here than at the driver's.
        """
        import ray
        import torch

        where = ray.util.get_node_ip_address()
        if own_code_digest() != code:
            raise BenchError(
                f"--engine ray: node {where} has another state of talking-face-bench installed "
                "than this machine. Install the same one on every node."
            )
        torch.set_num_threads(max(1, int(self._cpus)))
        is_shared = all(probe.exists() for probe in probes)
        if not is_shared:
            self._files = _Sent(part_beside(Path(tempfile.gettempdir(), "talking-face-bench", "_")))
            folders = [*map(self._files.place, weights), os.environ.get("BENCH_WEIGHTS", "")]
            os.environ["BENCH_WEIGHTS"] = os.pathsep.join(filter(None, map(str, folders)))
        self._worker = self._start(self._device)
        return is_shared

    def lacking(self, files: Sequence[InputFile]) -> list[InputFile]:
        """Which of the files are not here yet."""
        assert self._files is not None
        return self._files.lacking(files)

    def take(self, file: InputFile, piece: bytes) -> None:
        """Takes the next piece of a file."""
        assert self._files is not None
        with self._faults():
            self._files.take(file, piece)

    def keep(self, file: InputFile) -> None:
        """Checks a file that has come; raises MachineFault where it is another one by now."""
        assert self._files is not None
        with self._faults():
            self._files.keep(file)

    def work(self, task: Task) -> tuple[list[Any], list[tuple[str, int]]]:
        """A task's records, and the files of the run folder that have to be fetched."""
        files = self._files
        with self._faults():
            if files is None:
                return list(self._worker.work([task])), []
            results = list(self._worker.work([task.moved(files.place)]))
        return [files.as_at_the_driver(record) for record in results], files.made(
            self._start.folder
        )

    def give(self, name: str, offset: int) -> bytes:
        """A piece of a file that the last task made."""
        with self._made(name).open("rb") as file:
            file.seek(offset)
            return file.read(PIECE)

    def drop(self, name: str) -> None:
        """Removes a file that the driver has."""
        self._made(name).unlink()

    def leave(self) -> None:
        """Removes what was sent here."""
        assert self._files is not None
        shutil.rmtree(self._files.root, ignore_errors=True)

    def _made(self, name: str) -> Path:
        assert self._files is not None
        return self._files.place(self._start.folder) / name

    @contextlib.contextmanager
    def _faults(self) -> Iterator[None]:
        """Names the node whose fault it is."""
        import ray

        try:
            yield
        except Exception as error:
            fault = machine_fault(error)
            if fault is None:
                raise
            raise MachineFault(f"node {ray.util.get_node_ip_address()}: {fault}") from error


@dataclass
class _Sent:
    """The driver's files on a node that does not see them: each under its own path, in `root`."""

    root: Path
    _kept: OrderedDict[Path, tuple[str, int]] = field(default_factory=OrderedDict)

    def place(self, path: Path) -> Path:
        """Where one of the driver's absolute paths lies here."""
        return self.root / path.relative_to(path.anchor)

    def lacking(self, files: Sequence[InputFile]) -> list[InputFile]:
        """The files that are not here; those of earlier tasks go when they are too many."""
        for file in files:
            if file.path in self._kept:
                self._kept.move_to_end(file.path)
        lacking = [file for file in files if self._kept.get(file.path, ("",))[0] != file.sha256]
        wanted = {file.path for file in files}
        held = sum(size for _, size in self._kept.values())
        for path, (_, size) in [*self._kept.items()]:
            if held > KEPT and path not in wanted:
                held -= size
                self._forget(path)
        for file in lacking:
            self._forget(file.path)
        return lacking

    def take(self, file: InputFile, piece: bytes) -> None:
        """Adds a piece to a file."""
        here = self.place(file.path)
        here.parent.mkdir(parents=True, exist_ok=True)
        with here.open("ab") as target:
            target.write(piece)

    def keep(self, file: InputFile) -> None:
        """Checks a whole file. Raises MachineFault where it is not the one that was planned."""
        here = self.place(file.path)
        here.parent.mkdir(parents=True, exist_ok=True)
        here.touch()  # of an empty file no piece came
        if not is_intact(here, file.sha256):
            raise MachineFault(f"{file.path} was changed since the run was planned")
        self._kept[file.path] = file.sha256, here.stat().st_size

    def made(self, run_folder: Path) -> list[tuple[str, int]]:
        """The files that tasks left in the run folder, by name in it, with their sizes."""
        here = self.place(run_folder)
        sent = {self.place(path) for path in self._kept}
        found = [path for path in here.rglob("*") if path.is_file() and path not in sent]
        names = [(path.relative_to(here), path.stat().st_size) for path in found]
        return [(name.as_posix(), size) for name, size in names if name.parts[0] != "work"]

    def as_at_the_driver(self, record: Any) -> Any:
        """The record with the driver's paths in all that it says."""
        names = [each.name for each in dataclasses.fields(record)]
        said = {name: self._renamed(getattr(record, name)) for name in names}
        return dataclasses.replace(record, **said)

    def _renamed(self, value: object) -> object:
        if isinstance(value, str):
            return value.replace(str(self.root), "")
        return tuple(map(self._renamed, value)) if isinstance(value, tuple) else value

    def _forget(self, path: Path) -> None:
        self._kept.pop(path, None)
        self.place(path).unlink(missing_ok=True)


@contextlib.contextmanager
def _cluster(address: str | None) -> Iterator[None]:
    """Connects with the cluster, or starts Ray on this machine alone; leaves it afterwards."""
    import ray

    if ray.is_initialized():  # by whoever called us, who will end it
        yield
        return
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")  # else it warns of a change
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    quiet = {"log_to_driver": False, "logging_level": logging.ERROR}
    alone = {"include_dashboard": False, "object_store_memory": STORE} if address is None else {}
    with _signals_kept():
        try:
            _reach(address)
            ray.init(address=address, **quiet, **alone)
        except (OSError, RuntimeError, ValueError) as error:
            where = f" --address {address}" if address else ""
            raise BenchError(
                f"--engine ray{where}: no connection with a cluster: {_first_line(error)}. Start "
                "one with `ray start --head`, or leave --address out to use this machine alone."
            ) from error
    try:
        yield
    finally:
        ray.shutdown()


def _reach(address: str | None) -> None:
    """Raises OSError where nothing answers at host:port: Ray would try for a quarter of an hour."""
    host, colon, port = (address or "").removeprefix("ray://").rpartition(":")
    if colon and port.isdigit():
        socket.create_connection((host.strip("[]"), int(port)), timeout=WAIT).close()


@contextlib.contextmanager
def _signals_kept() -> Iterator[None]:
    """Ray takes SIGTERM over when it starts; a run has its own way to end."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.getsignal(signal.SIGTERM)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def probes_of(task: Task, token: Path) -> list[Path]:
    """What a node must see, under the same names, so that nothing has to be sent there."""
    return [token, *(file.path for file in task.inputs())]


def _nodes() -> list[dict[str, float]]:
    """What each living node has."""
    import ray

    return [node["Resources"] for node in ray.nodes() if node["Alive"]]


def _room(nodes: Sequence[Mapping[str, float]], most: Needs) -> int:
    """How many workers the cluster has room for. Raises BenchError where it is none."""
    wanted = {"CPU": most.cpus, "GPU": most.gpus, "memory": float(most.memory)}
    wanted = {name: amount for name, amount in wanted.items() if amount}
    rooms = [
        min((int(node.get(name, 0.0) / amount) for name, amount in wanted.items()), default=1)
        for node in nodes
    ]
    if not sum(rooms):
        asked = ", ".join(f"{amount:g} {name}" for name, amount in wanted.items())
        raise BenchError(
            f"--engine ray: a worker needs {asked}, and none of the cluster's {len(nodes)} nodes "
            "has that. Add a larger node, or take those methods out of the config."
        )
    return sum(rooms)


def _most(needs: Iterator[Needs]) -> Needs:
    most = Needs(0.0, 0.0, 0)
    for each in needs:
        most = Needs(
            max(most.cpus, each.cpus), max(most.gpus, each.gpus), max(most.memory, each.memory)
        )
    return most


def _go_on(step: _Step, reference: Any) -> Any:
    """Gives a step what it waited for, or the error that this became; returns its next wait."""
    import ray

    try:
        value = ray.get(reference)
    except ray.exceptions.RayTaskError as error:
        cause = error.cause
        return step.throw(cause if isinstance(cause, BenchError | MachineFault) else error)
    except ray.exceptions.RayError as error:
        return step.throw(error)
    return step.send(value)


def _lost() -> tuple[type[Exception], ...]:
    """What Ray raises where a worker, or what it made, is gone."""
    from ray import exceptions

    return (
        exceptions.RayActorError,
        exceptions.ObjectLostError,
        exceptions.WorkerCrashedError,
        exceptions.NodeDiedError,
        exceptions.OutOfMemoryError,
    )


def _first_line(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__
