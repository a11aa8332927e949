"""The engine that shares a run's tasks among the nodes of a Ray cluster (the extra `ray`).

The driver hands each worker one task at a time, and nothing else talks to workers. A node that does
not see the driver's folders gets the files that a task reads and returns those that the task wrote,
in pieces, one at a time for each worker.
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
from bench.files.intact import is_intact
from bench.files.one_move import in_one_move, part_beside
from bench.files.paths import weights_dirs
from bench.ground.errors import BenchError, MachineFault
from bench.machine.devices import compute_with, present_device
from bench.machine.faults import machine_fault
from bench.run.engines.own_code import own_code_digest

_Task = TypeVar("_Task", bound=Task)
_Record = TypeVar("_Record")
PIECE = 8 << 20  # bytes of a file that are sent at a time, for each worker
KEPT = 4 << 30  # bytes of sent files that a worker keeps, for tasks that read them again
TRIES = 4  # a task that has lost so many workers is blamed for it
WAIT = 10.0  # seconds for a cluster to answer
STORE = 512 << 20  # bytes of the object store if we start Ray ourselves
_Step = Generator[Any, Any, None]  # yields a Ray reference, is sent its value


class Ray(Engine):
    """Workers on all nodes of a Ray cluster, or on this machine if no address is given."""

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
        """The workers' kind of device; `auto` until the cluster is known."""
        return self._device

    @property
    def driver_device(self) -> str:
        """The CPU, or the driver's own GPU if it has one."""
        return present_device("cpu" if self._device == "cpu" else "auto")

    def run(self, tasks: Sequence[_Task], start: Start[_Task, _Record]) -> Iterator[_Record]:
        """The records of each task as soon as it is done.

        If a worker is lost, alone or with its node, its task is tried again. Raises BenchError if
        there is no cluster, if no node has what a task needs, or if a task loses too many workers.
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
        """Each worker's share of a GPU, if workers compute on GPUs."""
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
    """The driver's view of a run's workers: their tasks and their results."""

    def __init__(
        self, tasks: Sequence[Task], start: Start[Any, Any], device: str, share: float
    ) -> None:
        self._queue = deque(tasks)
        self._start = start
        self._device = device
        self._share = share
        self._lost: Counter[int] = Counter()  # how many workers each task has lost, by its id
        self._results: deque[Any] = deque()
        self._busy = 0
        self._failed_starts = 0
        self._first = tasks[0]
        self.most = _most(self._needs(task) for task in tasks)

    def work(self, workers: int) -> Iterator[Any]:
        """Starts workers, yields results until no task is left, and always ends the workers."""
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
        """Hands one worker task after task; replaces a worker that is lost."""
        while self._queue:
            try:
                needs = self._needs(self._queue[0])
                if not member.covers(needs):
                    yield from self._begin(member, needs, token)
                    continue  # others may have emptied the queue in the meantime
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
                        "on the same case; most often memory is short, or a plugin crashed. What "
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
        member.end()  # frees its CPUs: the replacement of a lost worker may wait for them

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
        """Has one task done; sends its files there and back if the folders are not shared."""
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
        """The task's needs, with each worker's share of a GPU if the run computes on GPUs."""
        needs = task.needs
        on_gpu = self._device != "cpu"
        gpus = max(needs.gpus, self._share) if on_gpu else needs.gpus
        # Ray counts no GPU memory.
        return Needs(needs.cpus, gpus, 0 if on_gpu else needs.memory)


@dataclass
class _Member:
    """The driver's view of a worker: its actor, resources, and whether it sees our folders."""

    remote: Any = None
    has: Needs | None = None
    is_shared: bool = True

    def covers(self, needs: Needs) -> bool:
        """Whether it runs and has the resources that a task needs."""
        return self.has is not None and self.has.covers(needs)

    def begin(self, start: Start[Any, Any], device: str, needs: Needs) -> None:
        """Asks Ray for the worker; it starts as soon as a node has room."""
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
        """Ends the worker at once, if it runs."""
        import ray

        if self.remote is not None:
            with contextlib.suppress(Exception):  # the worker or Ray may have ended already
                ray.kill(self.remote)
        self.remote, self.has = None, None


class NodeWorker:
    """A worker on a node: an actor that carries out the driver's calls one after another."""

    def __init__(self, start: Start[Any, Any], device: str, cpus: float) -> None:
        self._start = start
        self._device = device
        self._cpus = cpus
        self._files: _Sent | None = None

    def join(self, code: str, probes: Sequence[Path], weights: Sequence[Path]) -> bool:
        """Starts the worker; returns whether this node sees the driver's folders, by their paths.

        Raises BenchError if the node's installed code differs from the driver's.
        """
        import ray

        where = ray.util.get_node_ip_address()
        if own_code_digest() != code:
            raise BenchError(
                f"--engine ray: the code of talking-face-bench on node {where} differs from that "
                "on this machine. Install the same version on every node."
            )
        compute_with(int(self._cpus))
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
        """Checks a file that was sent; raises MachineFault if its content has changed."""
        assert self._files is not None
        with self._faults():
            self._files.keep(file)

    def work(self, task: Task) -> tuple[list[Any], list[tuple[str, int]]]:
        """A task's records, and the files for the run folder, which the driver has to fetch."""
        files = self._files
        with self._faults():
            if files is None:
                return list(self._worker.work([task])), []
            results = list(self._worker.work([task.moved(files.place)]))
        return [files.as_at_the_driver(record) for record in results], files.made(
            self._start.folder
        )

    def give(self, name: str, offset: int) -> bytes:
        """A piece of a file that the last task wrote."""
        with self._made(name).open("rb") as file:
            file.seek(offset)
            return file.read(PIECE)

    def drop(self, name: str) -> None:
        """Removes a file that the driver has fetched."""
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
        """Adds the node's name to machine faults."""
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
    """Copies of the driver's files on a node that cannot see them, by their paths below `root`."""

    root: Path
    _kept: OrderedDict[Path, tuple[str, int]] = field(default_factory=OrderedDict)

    def place(self, path: Path) -> Path:
        """Where the file with this absolute path on the driver's machine lies here."""
        return self.root / path.relative_to(path.anchor)

    def lacking(self, files: Sequence[InputFile]) -> list[InputFile]:
        """The files that are not here yet; deletes files of earlier tasks above `KEPT` bytes."""
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
        """Checks a complete file. Raises MachineFault if it differs from the planned one."""
        here = self.place(file.path)
        here.parent.mkdir(parents=True, exist_ok=True)
        here.touch()  # an empty file has no pieces
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
        """The record with the driver's paths instead of this node's."""
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
    """Connects to the cluster, or starts Ray on this machine alone; disconnects afterwards."""
    import ray

    if ray.is_initialized():  # by the caller, who will end it
        yield
        return
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")  # else Ray warns of a change
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
                f"--engine ray{where}: no connection to a cluster: {_first_line(error)}. Start "
                "one with `ray start --head`, or leave --address out to use this machine alone."
            ) from error
    try:
        yield
    finally:
        ray.shutdown()


def _reach(address: str | None) -> None:
    """Raises OSError if nothing answers at host:port; Ray itself would retry for 15 minutes."""
    host, colon, port = (address or "").removeprefix("ray://").rpartition(":")
    if colon and port.isdigit():
        socket.create_connection((host.strip("[]"), int(port)), timeout=WAIT).close()


@contextlib.contextmanager
def _signals_kept() -> Iterator[None]:
    """Restores the SIGTERM handler that Ray replaces at its start: a run has its own."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.getsignal(signal.SIGTERM)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def probes_of(task: Task, token: Path) -> list[Path]:
    """The paths that a node must see so that no files have to be sent there."""
    return [token, *(file.path for file in task.inputs())]


def _nodes() -> list[dict[str, float]]:
    """The resources of each node that is alive."""
    import ray

    return [node["Resources"] for node in ray.nodes() if node["Alive"]]


def _room(nodes: Sequence[Mapping[str, float]], most: Needs) -> int:
    """How many workers the cluster has room for. Raises BenchError if for none."""
    wanted = {"CPU": most.cpus, "GPU": most.gpus, "memory": float(most.memory)}
    wanted = {name: amount for name, amount in wanted.items() if amount}
    rooms = [
        min((int(node.get(name, 0.0) / amount) for name, amount in wanted.items()), default=1)
        for node in nodes
    ]
    if not sum(rooms):
        asked = ", ".join(f"{amount:g} {name}" for name, amount in wanted.items())
        raise BenchError(
            f"--engine ray: a worker needs {asked}, but none of the cluster's {len(nodes)} nodes "
            "has that. Add a larger node, or remove those methods from the config."
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
    """Resumes a step with the value or the error of its reference; returns its next reference."""
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
    """What Ray raises if a worker or its result is lost."""
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
