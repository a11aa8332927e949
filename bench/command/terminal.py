"""What the command line prints: tables and progress bars, with rich. It only displays."""

from __future__ import annotations

import inspect
import os
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, get_args

from rich.console import Console
from rich.markup import escape
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Column, Table
from rich.text import Text

from bench.records.causes import cause, gist
from bench.records.record import GenerationRecord, MeasurementRecord, PreparationRecord, Record

if TYPE_CHECKING:
    from bench.checks.contract import CheckResult
    from bench.contract.importer import Imported
    from bench.contract.plugins import Feature, Plugin
    from bench.contract.registry import Registered, Registry
    from bench.data.clr import Account
    from bench.data.doctor import Findings
    from bench.data.speaker_box import BoxedClip
    from bench.files.weights import WeightState
    from bench.ground.types import Output
    from bench.run.plan import Missing, Plan
    from bench.run.planned import PlannedMethod
    from bench.run.runner import Faceless, Notify, Summary

_PIPED_WIDTH = 10_000  # columns, if the output is no terminal
_STYLES = {"bold": "bold", "underlined": "underline", "struck": "strike"}
_SHOWN = 20  # items of a long list; the rest is counted


def console(*, to_stderr: bool = False) -> Console:
    """A console on the current standard output, which tests may capture.

    Output that goes to a file or another program is neither cut nor wrapped.
    """
    out = Console(highlight=False, soft_wrap=False, stderr=to_stderr)
    if out.is_terminal:
        return out
    return Console(highlight=False, soft_wrap=False, width=_PIPED_WIDTH, stderr=to_stderr)


def quiet_libraries() -> None:
    """Stops native libraries from printing warnings into the progress bar."""
    os.environ.setdefault("OPENCV_LOG_LEVEL", "ERROR")
    import av

    av.logging.set_level(av.logging.PANIC)


@contextmanager
def progress(text: str, *, to_stderr: bool = False) -> Iterator[Callable[[int, int], None]]:
    """A progress bar that appears with its first step(done, wanted)."""
    bar = _bar(to_stderr=to_stderr)
    task = bar.add_task(text, total=None, visible=False)

    def step(done: int, wanted: int) -> None:
        bar.update(task, completed=done, total=wanted, visible=True)

    with bar:
        yield step


@contextmanager
def cells(missing: Missing) -> Iterator[Notify]:
    """A progress bar over the cells of a run, which also prints each new cause of failure."""
    total, came = missing.videos + missing.values, 0
    bar = _bar()
    persons = [f"{one.method} · {one.person}" for one in missing.preparations]
    first = bar.add_task("", total=len(persons), visible=bool(persons))
    task = bar.add_task("running", total=total, visible=total > 0)

    told: set[str] = set()  # causes of failures; the summary counts them
    changed: dict[tuple[str, str], list[str]] = {}  # notes by method and wording

    def prepared(name: str | None = None) -> None:
        if name in persons:
            persons.remove(name)
        who = f"{', '.join(persons):.48}" if persons else "done"
        bar.update(first, advance=int(name is not None), description=escape(f"preparing {who}"))

    def notify(record: Record) -> None:
        nonlocal came
        came += 1
        if isinstance(record, PreparationRecord):
            what, case = f"{record.method} · {record.person}", ""
            if record.status == "ok":
                bar.console.print(escape(f"prepared {what} in {_spent(record.seconds)}"))
        elif isinstance(record, MeasurementRecord):
            what, case = record.metric, ""
        else:
            what, case = f"{record.method} · {record.case}", record.case
            for note in _changes(record):
                wording = re.sub(r"[\d.]+", "0", note)
                changed.setdefault((record.method, wording), []).append(note)
        if isinstance(record, PreparationRecord):
            prepared(what)
        else:
            bar.update(task, advance=1, description=escape(f"{what:.48}"))
        if record.status == "failed":
            reason = record.reason or ""
            known = cause(reason, case)
            if known not in told:
                told.add(known)
                short = gist(reason)
                line = ": ".join(filter(None, [what, short.text, short.last_line]))
                bar.console.print(f"[red]failed[/] {escape(line)}")

    with bar:
        prepared()
        yield notify
        bar.update(task, completed=total, description="done")
    for (method, _), notes in changed.items():
        example = "" if len(set(notes)) == 1 else ", for example"
        text = f"{method}: {len(notes)} videos have a note{example}: {notes[0]}"
        bar.console.print(f"[yellow]{escape(text)}[/]")
    if came == 0:
        planned = missing.videos_planned + missing.values_planned
        bar.console.print(f"nothing to do: all {planned} cells are cached")
        if missing.failed:
            bar.console.print(f"[yellow]{_failed_before(missing)}[/]")


def _spent(seconds: float) -> str:
    """A length of time: 4.2 s, 3 min 5 s, 2 h 10 min."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s"


def _changes(record: GenerationRecord) -> list[str]:
    """What conforming changed in a method's video, without the notes on the clip itself."""
    return [note for note in record.conformed if not note.startswith("source: ")]


def show_plan(plan: Plan, missing: Missing, folder: Path) -> None:
    """Prints what a plan asks for, how much of it is missing, and which weights are missing."""
    from bench.run.plan import outlook, sure_failures

    out = console()
    config = plan.loaded.config
    out.print(f"[bold]{escape(config.title or config.name)}[/]  →  {escape(str(folder))}")
    kinds = Counter((item.case.dataset, item.case.kind) for item in plan.cases)
    for data in plan.datasets:
        counted = ", ".join(
            f"{count} {kind}" for (name, kind), count in kinds.items() if name == data.name
        )
        stand_in = f" [yellow](stand-in: {data.stand_in})[/]" if data.stand_in else ""
        out.print(f"  {escape(data.name)}{stand_in}: {len(data.clips)} clips; cases: {counted}")
        reasons = plan.barred.get(data.name, {})
        for line in _some([f"{name}: in no pair: {why}" for name, why in reasons.items()]):
            out.print(f"    [yellow]{escape(line)}[/]")
    if files := _code_files(plan):
        out.print(f"  runs the code of: {escape(', '.join(files))}")
    out.print(f"  methods: {escape(', '.join(method.label for method in plan.methods))}")
    for method in plan.methods:
        if method.label in plan.spared:
            out.print(f"    {escape(f'{method.label}: {_put(plan, method)}')}")
    _show_preparations(out, plan, missing, folder)
    for label, lines in outlook(plan).items():
        for line in lines:
            out.print(f"    {escape(f'{label}: {line}')}")
    out.print(f"  metrics: {escape(', '.join(metric.protocol for metric in plan.metrics))}")
    for one in plan.not_measured:
        ways = ", ".join(one.ways)
        out.print(f"    [yellow]{escape(f'{one.label} (optional): not measured: {ways}')}[/]")
    if plan.floors.asked:
        places = Counter(item.case.dataset for item in plan.floors.asked if item in plan.cases)
        names = ", ".join(method.label for method in plan.floors.methods)
        count = ", ".join(f"{count} cases of {name}" for name, count in places.items())
        out.print(f"  floors: {escape(f'{names} on {count}')}")
    out.print(
        f"  videos: {missing.videos} of {missing.videos_planned} missing; "
        f"values: {missing.values} of {missing.values_planned} missing"
    )
    if missing.failed:
        out.print(f"  [yellow]{_failed_before(missing)}[/]")
    for why in sure_failures(plan) if missing.tasks else ():
        out.print(f"  [yellow]{escape(f'cells will fail: {why}')}[/]")


def _show_preparations(out: Console, plan: Plan, missing: Missing, folder: Path) -> None:
    """Prints what methods must learn of each person, what of it is there, and what waits for it."""
    from bench.run.waiting import preparation_states

    states = preparation_states(plan, missing, folder)
    if not states:
        return
    there = sum(state.is_there for state in states)
    out.print(f"  persons: {len(states) - there} of {len(states)} preparations missing")
    for line in _some([str(state) for state in states]):
        out.print(f"    {escape(line)}")
    for person in plan.persons:
        if person.left_out:
            names = ", ".join(_some([clip.id for clip in person.left_out]))
            text = f"{person.dataset} · {person.name}: not learned from, for they are tested: "
            out.print(f"    [yellow]{escape(text + names)}[/]")


def _put(plan: Plan, method: PlannedMethod) -> str:
    """How many cases a method gets that does not get all: `8 of 24 reconstruct cases of CLR`."""
    whole = Counter[tuple[str, str]]()
    put = Counter[tuple[str, str]]()
    for planned in plan.cases:
        if planned.case.kind in method.kinds:
            where = planned.case.dataset, planned.case.kind
            whole[where] += 1
            put[where] += plan.puts(method, planned)
    return ", ".join(
        f"{put[name, kind]} of {count} {kind} cases of {name}"
        for (name, kind), count in whole.items()
    )


def _code_files(plan: Plan) -> list[str]:
    """The local files whose code a run executes: plugins of the config, and their imports."""
    registry = plan.loaded.registry
    files = [path for one in registry.plugins.values() for path in (one.file, *one.helpers)]
    known = dict.fromkeys(path.resolve() for path in files if path is not None)
    return [os.path.relpath(path) for path in known]


def _failed_before(missing: Missing) -> str:
    cells = "1 cell" if missing.failed == 1 else f"{missing.failed} cells"
    return f"{cells} failed before; `bench run --retry` tries again"


def show_summary(
    summary: Summary,
    tables: Mapping[str, Sequence[Sequence[str]]],
    styles: Mapping[str, Sequence[Sequence[str]]],
    notes: Sequence[str],
    footnotes: Mapping[str, Sequence[str]],
    causes: Sequence[Sequence[str]],
    index: Path,
    folder: Path,
    *,
    worked: bool,
) -> None:
    """Prints the end of a run: notes, tables, causes of failures, counts, and the report's path.

    tables: header first. styles: of the cells without the header: bold, underlined, struck or "".
    causes: of failed cells, each in a few lines.
    """
    out = console()
    for note in notes:
        out.print(f"[yellow]{escape(note)}[/]")
    _warn_of_faceless(out, summary.faceless)
    for name, rows in tables.items():
        method, *columns = map(escape, rows[0])
        table = Table(
            Column(method, overflow="fold"),
            *columns,
            box=None,
            header_style="bold",
            title=escape(name),
        )
        for row, style in zip(rows[1:], styles[name], strict=True):
            table.add_row(
                *(Text(text, _STYLES.get(one, "")) for text, one in zip(row, style, strict=True))
            )
        out.print(table)
        for note in footnotes.get(name, ()):
            out.print(f"[dim]{escape(note)}[/]")
    for first, *rest in causes[:_SHOWN]:
        out.print(f"[red]{escape(first)}[/]")
        for line in rest:
            out.print(f"  {escape(line)}")
    if len(causes) > _SHOWN:
        out.print(f"... and {len(causes) - _SHOWN} more causes in the report")
    faceless = sum(one.videos for one in summary.faceless)
    counted = [f"{summary.ok} ok", f"{summary.undefined - faceless} undefined by definition"]
    counted += [f"[yellow]{faceless} without a face[/]"] if faceless else []
    counted += [f"[red]{summary.failed} failed[/]"] if summary.failed else ["0 failed"]
    spent = f"{summary.seconds:.1f} s"
    if worked and summary.overhead is not None:
        spent += f", {summary.overhead:.1%} outside decoding, encoding, computing"
    out.print(f"cells: {', '.join(counted)}; {spent}")
    if summary.failed:
        out.print("The report gives the full reasons; --retry tries failed cells again.")
    out.print(f"report: [bold]{escape(str(index))}[/]   records: {escape(str(folder))}")


def _warn_of_faceless(out: Console, found: Sequence[Faceless]) -> None:
    """Prints which methods have videos without a face: red for all of their videos, else yellow."""
    metrics: dict[tuple[str, int, int], list[str]] = {}
    for one in found:
        metrics.setdefault((one.method, one.videos, one.asked), []).append(one.metric)
    for (method, videos, asked), names in metrics.items():
        colour = "red" if videos == asked else "yellow"
        text = (
            f"{method}: no face is found in any frame of {videos} of {asked} videos, which "
            f"therefore have no {' and no '.join(names)}"
        )
        out.print(f"[{colour}]{escape(text)}[/]")


def show_plugins(registry: Registry) -> None:
    """Prints all plugins, one per line, with the weights and options that they lack."""
    out = console()
    for title, kind, plugins in (
        ("Methods", "method", registry.methods),
        ("Metrics", "metric", registry.metrics),
        ("Features", "feature", registry.features),
        ("Importers", "importer", registry.importers),
    ):
        table = Table(kind, "version", "description", "lacks", box=None, title=title)
        for name, registered in plugins.items():
            plugin = registered.plugin
            known = _weights_of(plugin, registry)
            states = [state for state in known if state.condition != "here"]
            lacks = [f"weights {one.weight.name} ({one.condition})" for one in states]
            lacks += _required_options(plugin, registry)
            what = (inspect.getdoc(plugin) or "").partition("\n")[0]
            table.add_row(name, plugin.version, escape(what), escape(", ".join(lacks)))
        out.print(table)
    out.print("Details of one: bench list NAME")


def show_plugin(registry: Registry, name: str) -> None:
    """Prints the details of a plugin."""
    out = console()
    registered = registry.plugins[name]
    plugin = registered.plugin
    lines = [f"from: {registered.origin}", f"source: {plugin.source}"]
    lines += [f"licence: {plugin.licence}"]
    if name in registry.methods:
        kinds = ", ".join(sorted(registry.methods[name].plugin.kinds))
        lines.append(f"cases: {kinds}")
        is_control = registry.methods[name].plugin.control
        lines += ["a control, not a competitor"] if is_control else []
    if name in registry.metrics:
        metric = registry.metrics[name].plugin
        lines.append(f"reads: {', '.join(sorted(metric.reads))}")
        lines += [f"output: {_output_line(output)}" for output in metric.outputs]
    if name in registry.features:
        feature = registry.features[name].plugin
        lines.append(f"reads: {', '.join(sorted(feature.reads))}")
        lines += [f"array: {array}: {words}" for array, words in feature.arrays.items()]
    lines.append(f"needs: {_needs(registered)}")
    out.print(f"[bold]{escape(name)}[/] {escape(plugin.version)}")
    for line in lines:
        out.print(f"  {escape(line)}")
    out.print()
    out.print(escape(inspect.getdoc(plugin) or ""))
    fields = plugin.Options.model_fields
    out.print(f"\noptions: {', '.join(fields) or 'none'}")
    for option, field in fields.items():
        value = field.get_default(call_default_factory=True)
        default = "required" if field.is_required() else f"default {value!r}"
        out.print(f"  {escape(f'{option}: {_type_name(field.annotation)}; {default}')}")
    if fields:
        out.print()
        out.print(escape(inspect.getdoc(plugin.Options) or ""))
    out.print()


def _type_name(annotation: object) -> str:
    """A type without its module: `Path`, `Literal['pad', 'crop']`."""
    is_plain = isinstance(annotation, type) and not get_args(annotation)
    text = annotation.__name__ if is_plain else str(annotation)  # type: ignore[attr-defined]
    return re.sub(r"\b[\w.]+\.", "", text)


def _output_line(output: Output) -> str:
    """`psnr (dB), higher is better, from 0`."""
    unit = f" ({output.unit})" if output.unit else ""
    better = "" if output.better == "none" else f", {output.better} is better"
    low = "" if output.low is None else f", from {output.low:g}"
    high = "" if output.high is None else f", to {output.high:g}"
    return f"{output.name}{unit}{better}{low}{high}{', a curve' if output.curve else ''}"


def _weights_of(plugin: type[Plugin], registry: Registry) -> list[WeightState]:
    """The status of the weights that a plugin, and what it reads, need with default options."""
    from bench.files.weights import listing

    read = _read_by(plugin, registry)
    always = {name for one in (plugin, *read) for name in _usual_weights(one)}
    return [state for state in listing() if state.weight.name in always]


def _required_options(plugin: type[Plugin], registry: Registry) -> list[str]:
    """The options without a default, of a plugin and of the features that it reads."""
    return [
        f"option {name}" if one is plugin else f"option {name} of {one.name}"
        for one in (plugin, *_read_by(plugin, registry))
        for name, option in one.Options.model_fields.items()
        if option.is_required()
    ]


def _read_by(plugin: type[Plugin], registry: Registry) -> list[type[Feature]]:
    """The features that a plugin reads, directly or through others."""
    from bench.contract.registry import MEDIA
    from bench.features.computing import needed

    features = {name: one.plugin for name, one in registry.features.items()}
    reads = getattr(plugin, "reads", ())
    known = set(reads) <= {*MEDIA, *features}
    return [features[name] for name in needed(reads, features)] if known else []


def show_checks(name: str, results: Sequence[CheckResult]) -> None:
    """Prints the result of every contract check."""
    out = console()
    colours = {"passed": "green", "failed": "red", "skipped": "yellow"}
    for result in results:
        colour = colours.get(result.status, "white")
        detail = f": {escape(result.detail)}" if result.detail else ""
        out.print(f"[{colour}]{result.status}[/] {escape(result.name)}{detail}")
    count = Counter(result.status for result in results)
    out.print(f"{escape(name)}: " + ", ".join(f"{n} {status}" for status, n in count.items()))


def show_weights(states: Sequence[WeightState]) -> None:
    """Prints every weights file and its status."""
    table = Table("weights", "status", "bytes", "licence", "needed by", box=None)
    out = console()
    for state in states:
        weight = state.weight
        table.add_row(
            weight.name,
            state.condition,
            f"{weight.bytes:,}",
            escape(weight.licence),
            escape(weight.needed_by),
        )
    out.print(table)
    for state in states:
        reason = f" ({state.reason})" if state.reason else ""
        name = state.weight.name
        way = f"bench weights pull {name}, or " if state.weight.urls else "by hand: "
        where = "found at" if state.condition == "here" else f"{way}put it at"
        out.print(f"{name}: {where} {state.path}{escape(reason)}", soft_wrap=True)
        out.print(f"  SHA-256: {state.weight.sha256}", soft_wrap=True)
        out.print(f"  source: {state.weight.source}", soft_wrap=True)


def show_import(imported: Imported, manifest: Path) -> None:
    """Prints the number of clips in a new manifest, and what was left out and why."""
    out = console()
    splits = Counter(clip.split or "no split" for clip in imported.clips)
    counted = ", ".join(f"{count} {split}" for split, count in sorted(splits.items()))
    out.print(f"{escape(str(manifest))}: {len(imported.clips)} clips ({escape(counted)})")
    _list(out, [f"dropped {name}: {reason}" for name, reason in imported.dropped])
    for note in imported.notes:
        out.print(escape(note))


def show_pointed(pointed: Sequence[BoxedClip], manifest: Path) -> None:
    """Prints how many clips of a new manifest have a box, and which ones to check."""
    out = console()
    boxes = sum(one.clip.box is not None for one in pointed)
    several = [one for one in pointed if one.faces > 1]
    out.print(
        f"{escape(str(manifest))}: {boxes} of {len(pointed)} clips have a box, "
        f"{len(several)} of them show several faces"
    )
    _list(out, [f"{one.clip.id}: {one.reason}" for one in pointed if one.reason])


def show_account(account: Account, manifest: Path) -> None:
    """Prints what the rules for CLR kept and dropped."""
    out = console()
    for line in str(account).splitlines():
        out.print(escape(line))
    out.print(escape(str(manifest)))


def show_findings(findings: Sequence[Findings]) -> None:
    """Prints the doctor's table of marked clips, and a summary."""
    out = console()
    marked = [found for found in findings if found.marks]
    if marked:
        name = Column("clip", overflow="fold")  # a cut name would be useless
        table = Table(name, "fps", "frames", "size", "sound", "face", "marks", box=None)
        for found in marked[: 10 * _SHOWN]:
            table.add_row(*[escape(cell) for cell in found.row()])
        out.print(table)
        if len(marked) > 10 * _SHOWN:
            out.print(f"... and {len(marked) - 10 * _SHOWN} more")
    out.print(f"{len(findings)} clips examined, {len(marked)} marked")


def show_scorer(
    protocol: str,
    findings: Sequence[str],
    verdict: str,
    *,
    works: bool | None,
    asked: tuple[int, int],
    lacking: Mapping[str, Mapping[str, Sequence[str]]],
) -> None:
    """Prints how a sync judge rates a data set's controls, and the verdict.

    works: None if unknown. asked: the number of clips tested, and of all clips. lacking: the clips
    without a value, by control and reason.
    """
    out = console()
    out.print(f"sync judge {escape(protocol)}, tested on {asked[0]} of {asked[1]} clips")
    for line in findings:
        out.print(f"  {escape(line)}")
    for control, reasons in lacking.items():
        for reason, names in reasons.items():
            few = ", ".join(names[:3]) + (", ..." if len(names) > 3 else "")
            text = f"{control} without a value: {len(names)} ({few}): {reason}"
            out.print(f"  [yellow]{escape(text)}[/]")
    colour = {True: "green", False: "red", None: "yellow"}[works]
    out.print(f"  [{colour}]{escape(verdict)}[/]")


def _needs(registered: Registered[Plugin]) -> str:
    """What a user must provide, and the status of the weights."""
    from bench.files.weights import listing

    plugin = registered.plugin
    pattern = re.compile(rf"\b{re.escape(plugin.name)}\b")
    always = _usual_weights(plugin)
    weights: list[str] = []
    for state in listing():
        named = f"weights {state.weight.name} ({state.condition})"
        if state.weight.name in always:
            weights.append(named)
        else:
            uses = state.weight.needed_by.split("; ")
            weights += [f"{named}, only for {use}" for use in uses if pattern.search(use)]
    return "; ".join([*plugin.needs, *weights]) or "nothing"


def _usual_weights(plugin: type[Plugin]) -> tuple[str, ...]:
    """The weights that a plugin needs with default options; none if an option has no default."""
    from pydantic import ValidationError

    try:
        return plugin().weights
    except ValidationError:
        return ()


def _list(out: Console, lines: Sequence[str]) -> None:
    for line in _some(lines):
        out.print(escape(line))


def _some(lines: Sequence[str]) -> list[str]:
    """The first lines, and the number of the rest."""
    more = len(lines) - _SHOWN
    return [*lines[:_SHOWN], *([f"... and {more} more"] if more > 0 else [])]


def _bar(*, to_stderr: bool = False) -> Progress:
    return Progress(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
        console=console(to_stderr=to_stderr),
    )
