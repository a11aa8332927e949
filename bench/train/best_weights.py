"""The weights that held-out clips chose, and whether better ones are still to be expected."""

from __future__ import annotations

import copy
import math
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from torch import Tensor, nn

Network = TypeVar("Network", bound="nn.Module")


class BestWeights:
    """Keeps the weights with the least figure on `val`; part of a training's state.

    patience: validations without a better one after which it `is_enough`; 0: never.
    """

    def __init__(self, *, patience: int = 0) -> None:
        self.patience = patience
        self.figure = math.inf
        self.validations_since = 0
        self._weights: dict[str, Tensor] = {}

    def saw(self, network: nn.Module, figure: float) -> None:
        """Takes note of a validation. figure: of these weights; less is better."""
        self.validations_since += 1
        if figure < self.figure:
            self.figure = figure
            self.validations_since = 0
            self._weights = copy.deepcopy(network.state_dict())

    def is_enough(self) -> bool:
        """Whether `patience` validations passed without a better one."""
        return 0 < self.patience <= self.validations_since

    def of(self, network: Network) -> Network:
        """A copy of `network` with the best weights, or with its own where none were noted."""
        chosen = copy.deepcopy(network)
        if self._weights:
            chosen.load_state_dict(self._weights)
        return chosen

    def state_dict(self) -> dict[str, object]:
        """Weights, figure, and validations since."""
        return {
            "weights": self._weights,
            "figure": self.figure,
            "validations_since": self.validations_since,
        }

    def load_state_dict(self, state: dict[str, object]) -> None:
        """Puts back what `state_dict` gave."""
        self._weights = state["weights"]  # type: ignore[assignment]
        self.figure = state["figure"]  # type: ignore[assignment]
        self.validations_since = state["validations_since"]  # type: ignore[assignment]
