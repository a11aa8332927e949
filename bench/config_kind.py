"""Which command a yaml file is for, by its keys: said where it is given to another one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from bench.errors import BenchError


@dataclass(frozen=True)
class Kind:
    """A kind of yaml file. what: with its article. use: the command line that takes it."""

    what: str
    use: str
    keys: frozenset[str]


def refuse_other_kind(path: Path, raw: Mapping[str, object], wanted: Iterable[str]) -> None:
    """Raises BenchError where the file is of another kind than the one whose keys are `wanted`.

    It is where more of its keys, one at least of them wanted here by nobody, belong to that one.
    """
    here = frozenset(wanted)
    best = max(_kinds(), key=lambda kind: len(kind.keys & raw.keys()))
    strange = sorted((best.keys & raw.keys()) - here)
    if len(best.keys & raw.keys()) <= len(here & raw.keys()) or not strange:
        return
    told = ", ".join(f"`{key}`" for key in strange[:3])
    raise BenchError(f"{path}: is {best.what} ({told}). For it: {best.use.format(path=path)}")


def _kinds() -> tuple[Kind, ...]:
    from bench.config import Config
    from bench.study.mapping import ColumnMapping
    from bench.study.questionnaire import Questionnaire
    from bench.train_config import TrainConfig

    return (
        Kind("the config of a benchmark", "bench run {path}", frozenset(Config.model_fields)),
        Kind("the config of a training", "bench train {path}", frozenset(TrainConfig.model_fields)),
        Kind(
            "the questionnaire of a study",
            "bench study serve STUDY, whose folder it lies in, or bench study new --questions",
            frozenset(Questionnaire.model_fields),
        ),
        Kind(
            "a mapping of a table of answers",
            "bench study import STUDY TABLE --mapping {path}",
            frozenset(ColumnMapping.model_fields),
        ),
    )
