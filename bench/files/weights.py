"""Weights that plugins may need: what they are, where to get them, whether a valid copy exists.

No file is used until its size and SHA-256 are verified. The folders are those of bench.files.paths;
downloads go into the last one, and a file may be put into any of them by hand.
"""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal, TypeAlias

from bench.files import intact, paths
from bench.files.download import Progress, download, in_short, no_progress
from bench.ground.errors import BenchError

Condition: TypeAlias = Literal["here", "missing", "damaged"]


@dataclass(frozen=True)
class Weight:
    """One file of weights.

    source: the page that describes it. urls: addresses of the file, tried in this order; empty
    where a person must download it. needed_by: what in the harness reads it.
    """

    name: str
    file: str
    bytes: int
    sha256: str
    licence: str
    source: str
    urls: tuple[str, ...]
    needed_by: str
    note: str = ""


@dataclass(frozen=True)
class WeightState:
    """Whether a file of weights is here. path: the file found, or where to put it by hand."""

    weight: Weight
    condition: Condition
    path: Path
    reason: str = ""


@cache
def table() -> dict[str, Weight]:
    """All weights by name, as bench/files/weights.yaml lists them."""
    import yaml

    entries = yaml.safe_load(Path(__file__).with_name("weights.yaml").read_text(encoding="utf-8"))
    weights = (Weight(**{**entry, "urls": tuple(entry["urls"])}) for entry in entries)
    return {weight.name: weight for weight in weights}


def weight(name: str) -> Weight:
    """The weights of that name; raises BenchError with the nearest name if there are none."""
    if name in table():
        return table()[name]
    near = difflib.get_close_matches(name, table(), n=1)
    hint = f"did you mean {near[0]!r}? " if near else ""
    raise BenchError(f"no weights named {name!r}; {hint}known: {', '.join(sorted(table()))}")


def find(name: str) -> Path:
    """The file of some weights, verified by size and SHA-256 (once per process and file version).

    Raises BenchError, which says how to get the file, where it is missing or damaged.
    """
    state = verify(name)
    if state.condition == "here":
        return state.path
    wanted = state.weight
    if state.condition == "damaged":
        raise BenchError(
            f"{state.path}: weights {name!r} are damaged: {state.reason}; "
            f"delete the file, then run: bench weights pull {name}"
        )
    way = f"run: bench weights pull {name}, or " if wanted.urls else ""
    raise BenchError(f"weights {name!r} are not here; {way}{_by_hand(wanted)}")


def verify(name: str) -> WeightState:
    """Whether some weights are here; of several copies the first intact one counts."""
    wanted = weight(name)
    damaged: list[WeightState] = []
    for folder in paths.weights_dirs():
        path = folder / wanted.file
        if not path.is_file():
            continue
        reason = _fault(path, wanted)
        if not reason:
            return WeightState(wanted, "here", path)
        damaged.append(WeightState(wanted, "damaged", path, reason))
    return damaged[0] if damaged else WeightState(wanted, "missing", _target(wanted))


def listing() -> list[WeightState]:
    """The state of all weights in the table."""
    return [verify(name) for name in table()]


def pull(name: str, *, progress: Progress | None = None) -> Path:
    """The file of some weights, downloaded if no intact copy is here; broken downloads resume.

    The file appears under its name only once its size and SHA-256 are verified; until then it is
    `<file>.part` beside it.
    Raises BenchError, which says where to put the file by hand, if no address delivers it.
    """
    state = verify(name)
    if state.condition == "here":
        return state.path
    failures = []
    for url in state.weight.urls:
        try:
            return download(
                url,
                _target(state.weight),
                total=state.weight.bytes,
                digest=f"sha256:{state.weight.sha256}",
                progress=progress or no_progress,
            )
        except (OSError, ValueError) as error:  # noqa: PERF203 (network or disk; wrong bytes)
            failures.append(f"{url}: {in_short(error)}")
    tried = "; ".join(failures) or "there is no address to download it from"
    raise BenchError(f"weights {name!r} cannot be downloaded: {tried}; {_by_hand(state.weight)}")


def _target(wanted: Weight) -> Path:
    """Where a download goes: into the cache, because $BENCH_WEIGHTS may be read-only."""
    return paths.weights_dirs()[-1] / wanted.file


def _by_hand(wanted: Weight) -> str:
    folders = " or ".join(str(folder) for folder in paths.weights_dirs())
    return (
        f"get {wanted.file} ({wanted.bytes} bytes, SHA-256 {wanted.sha256}) "
        f"from {wanted.source} and put it into {folders}"
    )


def _fault(path: Path, wanted: Weight) -> str:
    """What is wrong with a file, in words; "" if nothing is."""
    status = path.stat()
    if status.st_size != wanted.bytes:
        return f"{status.st_size} bytes instead of {wanted.bytes}"
    found = intact.sha256_here(path)
    return "" if found == wanted.sha256 else f"SHA-256 {found} instead of {wanted.sha256}"
