"""The plan in a pack. Uses only the standard library, so that it can always be read."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

PLAN = "plan.json"


@dataclass(frozen=True)
class Plan:
    """The methods to train in parallel, each with its own expert first, and their settings.

    lines: the module that trains each method, by its name.
    limit: seconds after which trainings that still run are killed and their last checkpoints taken.
    """

    plugins: tuple[str, ...]
    seed: int
    settings: Mapping[str, object]
    lines: Mapping[str, str]
    limit: float = 500.0

    def as_json(self) -> dict[str, object]:
        """As `read_plan` reads it."""
        return asdict(self)


def read_plan(pack: Path) -> Plan:
    """The plan of a pack; raises OSError or ValueError if it cannot be read."""
    found = json.loads((pack / PLAN).read_text(encoding="utf-8"))
    return Plan(**{**found, "plugins": tuple(found["plugins"])})
