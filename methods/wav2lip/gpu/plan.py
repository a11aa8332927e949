"""What a pack asks for. Standard library alone: it is read before anything else is known."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

PLAN = "plan.json"


@dataclass(frozen=True)
class Plan:
    """The methods to train side by side, each its own expert first, with these settings.

    limit: seconds after which what still trains is ended from outside, and its last checkpoint
    taken.
    """

    plugins: tuple[str, ...]
    seed: int
    settings: Mapping[str, object]
    limit: float = 500.0

    def as_json(self) -> dict[str, object]:
        """As `read_plan` reads it."""
        return asdict(self)


def read_plan(pack: Path) -> Plan:
    """The plan of a pack; raises OSError or ValueError where there is none."""
    found = json.loads((pack / PLAN).read_text(encoding="utf-8"))
    return Plan(tuple(found["plugins"]), found["seed"], found["settings"], found["limit"])
