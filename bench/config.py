"""Configs: one complete yaml file per benchmark, validated whole, all errors at once.

An error reads `file:line: yaml.path: what is wrong. What would be right.` Nothing is guessed,
inherited or executed; `$NAME` is expanded only in `manifest` and `root`, where data lie.
"""

from __future__ import annotations

import os
import re
import reprlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal, TypeVar

import pydantic
import yaml

from bench.config_kind import refuse_other_kind
from bench.errors import BenchError
from bench.faces import tracking
from bench.plugins import Options, Plugin
from bench.registry import Registered, Registry, closest, load_registry
from bench.shipped import joined
from bench.types import CASE_KINDS, LONGEST, CaseKind
from bench.yaml_file import load_yaml

LABEL = r"^[A-Za-z0-9][A-Za-z0-9_.+\- ]{0,63}$"  # labels become folder names
LABEL_WORDS = (
    "letters, digits, blanks and `_ . + -`, a letter or digit first, at most 64 characters"
)
_YAML_WORDS = {  # by pydantic's kind of error
    "tuple_type": "a list (`[one, two]`)",
    "model_type": "keys with values (`name: ...`)",
    "dict_type": "keys with values (`key: ...`)",
    "string_type": "text (a number in quotes)",
    "too_short": "at least one entry (`- ...`)",
    "invalid_key": "text as key (a number in quotes)",
}
Label = Annotated[str, pydantic.Field(pattern=LABEL)]
_MOST_TOLD = 50  # problems of a file; the rest is counted
_SHOWN = reprlib.Repr()  # of a value that is wrong: a list may hold thousands
_SHOWN.maxstring = _SHOWN.maxother = 120
_M = TypeVar("_M", bound=pydantic.BaseModel)
_P = TypeVar("_P", bound=Plugin)
_VARIABLE = re.compile(r"^\$(\w+|\{\w+\})")


class _Section(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(extra="forbid", frozen=True)


class Source(_Section):
    """Where clips come from: a manifest, a data set's own folder, or an embedded corpus.

    Exactly one of `manifest`, `importer` with `root`, and `corpus` is given. `stand_in` names an
    embedded corpus that openly takes the place of data whose `$NAME` is not set.
    """

    name: Label
    title: str = ""
    manifest: str | None = None
    importer: str | None = None
    root: str | None = None
    corpus: str | None = None
    stand_in: str | None = None

    @pydantic.model_validator(mode="after")
    def _one_source(self) -> Source:
        given = [key for key in ("manifest", "importer", "corpus") if getattr(self, key)]
        if len(given) != 1:
            raise ValueError(
                "expected exactly one of `manifest`, `importer` (with `root`) and `corpus`, "
                f"found {', '.join(given) or 'none'}"
            )
        if bool(self.importer) != bool(self.root):
            raise ValueError("`importer` and `root` belong together; one of them is missing")
        return self

    def place(self, folder: Path) -> str:
        """Which key says where the clips come from. folder: the config's."""
        named = self.manifest or self.root
        if named is None:
            return "corpus"
        if self.stand_in is not None and expand(named, folder) is None:
            return "stand_in"
        return "manifest" if self.manifest else "root"


class DataEntry(Source):
    """One data set of a benchmark. `pairs` is a frozen list of cross cases (Wav2Lip's format)."""

    split: str | None = None
    limit: Annotated[int, pydantic.Field(ge=1)] | None = None
    pairs: str | None = None
    pairs_order: Literal["audio video", "video audio"] = "audio video"


class CaseSettings(_Section):
    """Which kinds of case are made; `cross` is how many pairs are drawn where no list is given."""

    kinds: tuple[CaseKind, ...] = CASE_KINDS
    cross: Annotated[int, pydantic.Field(ge=1)] | None = None


class PluginEntry(_Section):
    """A method or metric with its options; `label` tells two settings of one plugin apart."""

    name: str
    label: Label | None = None
    title: str = ""
    options: dict[str, object] = {}

    @property
    def key(self) -> str:
        """The name in tables and folders."""
        return self.label or self.name


class Published(_Section):
    """Which published table stands beside a measured one, and which of its data sets is which."""

    table: Literal["comparison", "ablation"]
    data: dict[str, Literal["clr", "lrs2"]]  # the names in the paper


class Table(_Section):
    """A table of the report: rows are method labels, columns are `metric.output`."""

    name: Label
    kind: Literal["comparison", "ablation"] = "comparison"
    title: str = ""
    rows: tuple[str, ...] = ()
    columns: tuple[str, ...]
    reference: str | None = None
    published: Published | None = None


class Config(_Section):
    """One benchmark."""

    name: Label
    title: str = ""
    seed: Annotated[int, pydantic.Field(ge=0)] = 0
    data: Annotated[tuple[DataEntry, ...], pydantic.Field(min_length=1)]
    cases: CaseSettings = CaseSettings()
    faces: Literal["given", "haar", "yunet"] = "haar"
    face: Literal["largest", "central", "given"] = "largest"
    longest: Annotated[float, pydantic.Field(gt=0)] = LONGEST
    plugins: tuple[str, ...] = ()
    methods: Annotated[tuple[PluginEntry, ...], pydantic.Field(min_length=1)]
    metrics: Annotated[tuple[PluginEntry, ...], pydantic.Field(min_length=1)]
    tables: tuple[Table, ...] = ()

    @pydantic.field_validator("face", mode="before")
    @classmethod
    def _is_known_before_a_run(cls, value: object) -> object:
        if value == "speaking":
            raise ValueError(
                "who speaks is found once, on the recordings, and not in every method's video: "
                "`bench data faces MANIFEST -o FILE` writes the speakers' boxes into a manifest, "
                "and `face: given` follows them"
            )
        return value

    @property
    def tracking(self) -> str:
        """Whose face is found, and by whom, as protocols name it: `haar`, `haar central`."""
        return tracking(self.faces, self.face)

    @property
    def reads_boxes(self) -> bool:
        """Whether the manifests' boxes decide what is seen."""
        return "given" in (self.faces, self.face)


@dataclass(frozen=True)
class Loaded:
    """A validated config with the plugins it names: everything a plan is made of.

    method_options and metric_options stand in the order of config.methods and config.metrics.
    lines: the line of every yaml path, for what turns out to be wrong when the data are opened.
    """

    path: Path
    config: Config
    registry: Registry
    method_options: tuple[Options, ...]
    metric_options: tuple[Options, ...]
    lines: Mapping[str, int]


def load_config(path: Path) -> Loaded:
    """The config of a file. Raises BenchError that lists every problem found."""
    raw, lines, problems = read_yaml(path)
    config = validated(Config, raw, "", problems)
    if config is None:
        refuse_other_kind(path, raw, Config.model_fields)
    registry = _registry(raw, path.parent, problems)
    methods = _options(raw, "methods", registry.methods, path.parent, problems)
    metrics = _options(raw, "metrics", registry.metrics, path.parent, problems)
    if config is not None:
        _check_meaning(config, registry, problems)
    raise_problems(path, problems, lines)
    assert config is not None
    return Loaded(path, config, registry, tuple(methods), tuple(metrics), lines)


def read_yaml(path: Path) -> tuple[dict[str, object], dict[str, int], list[tuple[str, str]]]:
    """A yaml file as a mapping, the line of every yaml path, and the problems met on the way.

    Raises BenchError, with file and line, for what is no yaml or no mapping.
    """
    raw, node = load_yaml(path)
    lines: dict[str, int] = {}
    problems: list[tuple[str, str]] = []
    _walk(node, "", lines, problems)
    return raw, lines, problems


def raise_problems(
    path: Path, problems: Iterable[tuple[str, str]], lines: Mapping[str, int]
) -> None:
    """Raises one BenchError with all problems, each with file, line and yaml path, by line."""
    listed = sorted(dict.fromkeys(problems), key=lambda problem: _line(problem[0], lines))
    if not listed:
        return
    told = listed[:_MOST_TOLD]
    texts = [f"{path}:{_line(where, lines)}: {where}: {what}" for where, what in told]
    if len(listed) > len(told):
        texts.append(f"and {len(listed) - len(told)} more")
    count = "1 problem" if len(listed) == 1 else f"{len(listed)} problems"
    raise BenchError("\n".join([f"{count} in {path}", *texts]))


def expand(text: str, folder: Path) -> Path | None:
    """A path of a config: a leading `$NAME` from the environment, relative to the config's folder.

    None if the variable is not set.
    """
    match = _VARIABLE.match(text)
    if match is None:
        return folder / Path(text).expanduser()
    value = os.environ.get(match.group(1).strip("{}"))
    return None if not value else Path(value).expanduser() / text[match.end() :].lstrip("/")


def validated(
    model: type[_M], raw: object, where: str, problems: list[tuple[str, str]]
) -> _M | None:
    """`raw` as that model, or None with one problem for each thing wrong in it."""
    try:
        return model.model_validate(raw)
    except pydantic.ValidationError as error:
        problems.extend(
            (_join(where, detail["loc"]), _explain(model, detail)) for detail in error.errors()
        )
    return None


def _registry(raw: Mapping[str, object], folder: Path, problems: list[tuple[str, str]]) -> Registry:
    """The plugins that are installed and those of the files that can be used."""
    files = [folder / name for name in _strings(raw, "plugins")]
    for index, file in enumerate(files):
        if not file.is_file():
            what = f"there is no file {file}. Paths are taken from the config's folder."
            problems.append((f"plugins[{index}]", what))
    try:
        return load_registry([file for file in files if file.is_file()])
    except BenchError as error:
        if not files:
            raise
        problems.append(("plugins", str(error)))
        return load_registry()  # an installed plugin that is broken is an error of its own


def _options(
    raw: Mapping[str, object],
    section: str,
    known: Mapping[str, Registered[_P]],
    folder: Path,
    problems: list[tuple[str, str]],
) -> list[Options]:
    """The validated options of every entry of `methods` or `metrics`, problems for the others."""
    entries = raw.get(section)
    found: list[Options] = []
    labels: dict[str, int] = {}
    for index, entry in enumerate(entries if isinstance(entries, list) else []):
        where = f"{section}[{index}]"
        if not isinstance(entry, dict) or not isinstance(entry.get("name"), str):
            continue  # the structure check says it
        name = entry["name"]
        label = str(entry.get("label") or name)
        if label in labels:
            what = f"'{label}' stands already at {section}[{labels[label]}]. "
            problems.append((where, what + "Give one of the two a `label` of its own."))
        labels.setdefault(label, index)
        if name not in known:
            what = f"there is no {section[:-1]} '{name}'. {closest(name, known)}"
            problems.append((f"{where}.name", what))
            continue
        options = validated(
            known[name].plugin.Options, entry.get("options") or {}, f"{where}.options", problems
        )
        if options is not None:
            found.append(anchored(options, folder))
    return found


def anchored(model: _M, folder: Path) -> _M:
    """The same values with relative paths, those of models within too, taken from `folder`."""
    changed: dict[str, object] = {}
    for name in type(model).model_fields:
        value = getattr(model, name)
        if isinstance(value, Path):
            changed[name] = joined(folder, value.expanduser())
        elif isinstance(value, pydantic.BaseModel):
            changed[name] = anchored(value, folder)
    return model.model_copy(update=changed) if changed else model


def _check_meaning(config: Config, registry: Registry, problems: list[tuple[str, str]]) -> None:
    """Checks what only shows when parts are held together: tables against methods and metrics.

    Of a metric that is not known, which is a problem already, columns may have any name.
    """
    _check_sources(config, problems)
    _unique([entry.name for entry in config.data], "data", problems)
    _unique([table.name for table in config.tables], "tables", problems)
    methods = {entry.key for entry in config.methods}
    known = [entry for entry in config.metrics if entry.name in registry.metrics]
    strange = {entry.key for entry in config.metrics} - {entry.key for entry in known}
    columns = {
        f"{entry.key}.{output.name}"
        for entry in known
        for output in registry.metric(entry.name).plugin.outputs
        if not output.curve
    }
    data = {entry.name for entry in config.data}
    for index, table in enumerate(config.tables):
        where = f"tables[{index}]"
        for row, label in enumerate(table.rows):
            if label not in methods:
                what = f"no method has the label '{label}'. {closest(label, methods)}"
                problems.append((f"{where}.rows[{row}]", what))
        for place, column in enumerate(table.columns):
            if column not in columns and column.rpartition(".")[0] not in strange:
                what = f"no metric gives '{column}'. {closest(column, columns)}"
                problems.append((f"{where}.columns[{place}]", what))
        if table.reference is not None and table.reference not in methods:
            what = f"no method has the label '{table.reference}'. "
            problems.append((f"{where}.reference", what + closest(table.reference, methods)))
        for name in table.published.data if table.published else ():
            if name not in data:
                what = f"no data set has the name '{name}'. {closest(name, data)}"
                problems.append((f"{where}.published.data", what))


def _check_sources(config: Config, problems: list[tuple[str, str]]) -> None:
    from bench.data.importers import IMPORTERS
    from bench.data.synth import CORPORA

    kinds: dict[str, Iterable[str]] = {
        "importer": IMPORTERS,
        "corpus": CORPORA,
        "stand_in": CORPORA,
    }
    for index, entry in enumerate(config.data):
        for key, known in kinds.items():
            name = getattr(entry, key)
            if name is not None and name not in known:
                kind = "importer" if key == "importer" else "embedded corpus"
                what = f"there is no {kind} '{name}'. {closest(name, known)}"
                problems.append((f"data[{index}].{key}", what))


def _unique(names: list[str], section: str, problems: list[tuple[str, str]]) -> None:
    for index, name in enumerate(names):
        if name in names[:index]:
            first = names.index(name)
            what = f"'{name}' stands already at {section}[{first}]. Names must differ."
            problems.append((f"{section}[{index}].name", what))


def _explain(model: type[pydantic.BaseModel], detail: Mapping[str, object]) -> str:
    location = detail["loc"]
    assert isinstance(location, tuple)
    kind, value = detail["type"], detail.get("input")
    if kind == "extra_forbidden":
        known = _keys_at(model, location[:-1])
        return f"unknown key. {closest(str(location[-1]), known)}"
    if kind == "missing":
        return "this key is missing."
    if kind == "value_error":
        return str(detail["msg"]).removeprefix("Value error, ") + "."
    return f"{_expected(detail)}, found {_SHOWN.repr(value)}."


def _expected(detail: Mapping[str, object]) -> str:
    """What would be right, in yaml's words where pydantic's are Python's."""
    kind, context = str(detail["type"]), detail.get("ctx")
    if kind == "string_pattern_mismatch" and context == {"pattern": LABEL}:
        return f"expected {LABEL_WORDS}"
    if kind in _YAML_WORDS:
        return f"expected {_YAML_WORDS[kind]}"
    message = str(detail["msg"])
    wanted = message.removeprefix("Input should be ")
    if wanted == message:
        return message
    is_bound = wanted.startswith(("greater", "less"))
    return f"expected {'a number ' if is_bound else ''}{wanted}"


def _keys_at(model: type[pydantic.BaseModel], location: tuple[object, ...]) -> list[str]:
    """The keys that the model has at a location, as far as it can be followed."""
    for step in location:
        if isinstance(step, int) or step not in model.model_fields:
            continue
        inner = _model_in(model.model_fields[str(step)].annotation)
        if inner is None:
            return []
        model = inner
    return list(model.model_fields)


def _model_in(annotation: object) -> type[pydantic.BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, pydantic.BaseModel):
        return annotation
    inner = (_model_in(argument) for argument in getattr(annotation, "__args__", ()))
    return next((model for model in inner if model is not None), None)


def _walk(
    node: yaml.Node, where: str, lines: dict[str, int], problems: list[tuple[str, str]]
) -> None:
    """Notes the line of every yaml path and every key that is given twice."""
    lines.setdefault(where, node.start_mark.line + 1)
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            inner = _join(where, (str(key.value),))
            if inner in lines:
                problems.append((inner, f"this key stands already in line {lines[inner]}."))
            lines.setdefault(inner, key.start_mark.line + 1)
            _walk(value, inner, lines, problems)
    elif isinstance(node, yaml.SequenceNode):
        for index, value in enumerate(node.value):
            _walk(value, f"{where}[{index}]", lines, problems)


def _join(where: str, steps: tuple[object, ...]) -> str:
    for step in steps:
        where += f"[{step}]" if isinstance(step, int) else f".{step}" if where else str(step)
    return where


def _line(where: str, lines: Mapping[str, int]) -> int:
    """The line of a yaml path, or of the nearest enclosing one."""
    while where and where not in lines:
        where = where[: max(where.rfind("."), where.rfind("["), 0)]
    return lines.get(where, 1)


def _strings(raw: Mapping[str, object], key: str) -> list[str]:
    value = raw.get(key)
    return [item for item in value if isinstance(item, str)] if isinstance(value, list) else []
