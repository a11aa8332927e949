"""The best weights on held-out clips, and when to stop looking for better ones."""

from __future__ import annotations

import copy
import math
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from torch import Tensor, nn

Network = TypeVar("Network", bound="nn.Module")


class BestWeights:
    """Keeps the weights with the lowest figure on `val`; part of a training's state.

    patience: `is_enough` after so many validations without a better figure; 0: never.
    """

    def __init__(self, *, patience: int = 0) -> None:
        self.patience = patience
        self.figure = math.inf
        self.validations_since = 0
        self._weights: dict[str, Tensor] = {}

    def saw(self, network: nn.Module, figure: float) -> None:
        """Notes a validation. figure: that of these weights; lower is better."""
        self.validations_since += 1
        if figure < self.figure:
            self.figure = figure
            self.validations_since = 0
            self._weights = copy.deepcopy(network.state_dict())

    def is_enough(self) -> bool:
        """Whether `patience` validations passed without a better one."""
        return 0 < self.patience <= self.validations_since

    def of(self, network: Network) -> Network:
        """A copy of `network` with the best weights, or with its own if none were noted."""
        chosen = copy.deepcopy(network)
        if self._weights:
            chosen.load_state_dict(self._weights)
        return chosen

    def state_dict(self) -> dict[str, object]:
        """Weights, figure, and number of validations since."""
        return {
            "weights": self._weights,
            "figure": self.figure,
            "validations_since": self.validations_since,
        }

    def load_state_dict(self, state: dict[str, object]) -> None:
        """Restores what `state_dict` returned."""
        self._weights = state["weights"]  # type: ignore[assignment]
        self.figure = state["figure"]  # type: ignore[assignment]
        self.validations_since = state["validations_since"]  # type: ignore[assignment]
