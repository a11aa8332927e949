"""The settings that all trainings share; plugins' settings derive from these."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeAlias, TypeVar, cast

import pydantic

from bench.config.reader import Section
from bench.machine.devices import is_fast_in_half

if TYPE_CHECKING:
    import torch

Network = TypeVar("Network", bound="torch.nn.Module")
Run = TypeVar("Run", bound=Callable[..., Any])
Precision: TypeAlias = Literal["float32", "bfloat16"]
PerceptualNet: TypeAlias = Literal["found", "alex", "vgg", "project"]  # of `perceptual_loss`

_UNITS = {"s": 1.0, "min": 60.0, "h": 3600.0}
_SPAN = re.compile(rf"\s*([0-9]+(?:\.[0-9]+)?)\s*({'|'.join(_UNITS)})\s*")


def _seconds(given: object) -> object:
    """`300 s`, `5 min` or `1.5 h` in seconds; anything else unchanged."""
    if not isinstance(given, str):
        return given
    span = _SPAN.fullmatch(given)
    if span is None:
        raise ValueError(f"expected a time as in `300 s`, `5 min` or `1.5 h`, found {given!r}")
    return float(span[1]) * _UNITS[span[2]]


Seconds: TypeAlias = Annotated[
    float, pydantic.BeforeValidator(_seconds), pydantic.Field(gt=0, allow_inf_nan=False)
]


class TrainSettings(Section):
    """The keys of `settings:` in a training config; unknown ones are errors."""


class StageSettings(TrainSettings):
    """How long and with which arithmetic to train one network, or several at once.

    steps: at most so many. stop_after: wall-clock time after which the current step is the last:
    the stage ends with a checkpoint, a validation, and the best weights so far. paced: measure the
    speed and take as many steps as fit into `stop_after`, at most `steps`; rows and checkpoints are
    spread over them. report_every: steps over which a row of the curve is averaged. save_every:
    steps between checkpoints, each with a validation; a multiple of report_every. precision:
    bfloat16 means autocast, where the device is fast in it. channels_last: the kernels' memory
    layout. compile: by torch.compile; worthwhile in long trainings on GPUs.
    """

    steps: int = pydantic.Field(default=1000, ge=1)
    stop_after: Seconds | None = None
    paced: bool = False
    report_every: int | None = pydantic.Field(default=None, ge=1)  # None: 50, or a divisor of it
    save_every: int = pydantic.Field(default=500, ge=1)
    precision: Precision = "float32"
    channels_last: bool = False
    compile: bool = False

    @pydantic.model_validator(mode="after")
    def _saves_whole_rows(self) -> StageSettings:
        if self.report_every is not None and self.save_every % self.report_every:
            raise ValueError("save_every must be a multiple of report_every")
        if self.paced and self.stop_after is None:
            raise ValueError("paced needs a stop_after to fit the steps into")
        return self

    @property
    def steps_in_a_row(self) -> int:
        """Steps over which a row of the curve is averaged."""
        return self.report_every or math.gcd(50, self.save_every)

    def precision_on(self, device: str) -> Precision:
        """`precision` where the device is fast in it, else single. device: as in torch."""
        return self.precision if is_fast_in_half(device) else "float32"

    def autocast(self, device: str) -> torch.autocast:
        """The autocast context for `precision_on`."""
        import torch

        is_half = self.precision_on(device) == "bfloat16"
        return torch.autocast(device.partition(":")[0], torch.bfloat16, enabled=is_half)

    def laid_out(self, network: Network) -> Network:
        """`network` with the memory layout that `channels_last` asks for."""
        from bench.networks.folding import laid_out

        return laid_out(network) if self.channels_last else network

    def compiled(self, network: Run) -> Run:
        """`network`, or a function of one, compiled if `compile` is set. It shares the weights."""
        import torch

        return cast("Run", torch.compile(network)) if self.compile else network
