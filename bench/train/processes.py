"""Training on several devices, one process for each, by Lightning Fabric.

Fabric (the extra `gpus`) starts the processes, by running the same command again for each further
device, and averages the gradients; a training only needs its rank and the number of processes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from bench.ground.errors import BenchError


def _unchanged(network: Any) -> Any:
    return network


def _nothing() -> None:
    return


def _own(answer: bool) -> bool:
    return answer


@dataclass(frozen=True)
class Processes:
    """This process's `rank`, from 0, among `count` processes.

    prepare(network) returns the network wrapped so that gradients are averaged over all processes.
    wait() returns once every process has called it. agree(answer) returns the first process's
    answer in all of them. device: this process's own.
    """

    rank: int = 0
    count: int = 1
    device: str | None = None
    prepare: Callable[[Any], Any] = _unchanged
    wait: Callable[[], None] = _nothing
    agree: Callable[[bool], bool] = _own

    @property
    def is_first(self) -> bool:
        """Whether this process writes files and reports progress."""
        return self.rank == 0


ALONE = Processes()


def launched(device: str, count: int) -> Processes:
    """Starts `count` processes, each on its own device of that kind; returns this one's view.

    device: "cpu" or "cuda". Raises BenchError if Fabric is not installed or the machine has too few
    devices.
    """
    if count == 1:
        return ALONE
    try:
        from lightning_fabric import Fabric
    except ImportError as error:
        raise BenchError(
            f"--devices {count}: training on several devices needs Lightning Fabric: "
            "pip install 'talking-face-bench[gpus]'"
        ) from error
    kind = device.split(":")[0]
    try:
        fabric = Fabric(accelerator=kind, devices=count, strategy="ddp")
        fabric.launch()
    except (RuntimeError, ValueError) as error:
        raise BenchError(f"--devices {count}: {error}") from error
    return Processes(
        rank=fabric.global_rank,
        count=fabric.world_size,
        device=str(fabric.device),
        prepare=fabric.setup_module,
        wait=fabric.barrier,
        agree=fabric.broadcast,
    )
