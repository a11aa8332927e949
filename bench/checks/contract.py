"""Contract checks: rules that every plugin must keep, ours and third parties' alike.

A plugin's declarations decide which checks apply. `bench check NAME` runs them, and so does pytest:

    @bench.checks.parametrize_with_checks([Flicker])
    def test_contract(check):
        check()

A plugin names the checks that it fails by design, with reasons, in its `known_failures`.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.machinery import PathFinder
from typing import TYPE_CHECKING, Literal, TypeAlias

import pydantic

from bench.checks.feature_checks import feature_checks
from bench.checks.importing import imported
from bench.checks.ladders import LADDERS, synthetic_talkers, talking_patterns
from bench.checks.method_checks import method_checks
from bench.checks.metric_checks import metric_checks
from bench.checks.subject import (
    CheckFailed,
    CheckSkipped,
    Lazy,
    NamedCheck,
    Specimens,
    Subject,
    features_for,
    raise_if_written,
    watched,
)
from bench.checks.training_checks import training_checks
from bench.config.names import closest
from bench.contract.importer import Importer
from bench.contract.plugins import AnyOptions, Feature, Method, Metric, Plugin
from bench.contract.registry import MEDIA
from bench.ground.errors import BenchError
from bench.ground.types import CASE_KINDS, Output
from bench.train.trainable import Trainable

if TYPE_CHECKING:
    import pytest

Status: TypeAlias = Literal["passed", "failed", "skipped", "known failure"]
PluginClass: TypeAlias = type[Plugin] | tuple[type[Plugin], AnyOptions]

SECTIONS: Mapping[type[Plugin], tuple[str, ...]] = {
    Method: ("Needs", "Source", "Weights", "Deviations"),
    Metric: ("Reads", "Output", "Raises", "Source"),
    Feature: ("Reads", "Gives", "Raises", "Source"),
    Importer: ("Layout", "Source"),
}
HEAVY = ("torch", "cv2")  # importing a plugin must not load these


@dataclass(frozen=True)
class Check:
    """One check of one plugin. Calling it raises CheckFailed or CheckSkipped, or passes.

    known_failure: the plugin's reason for failing it; None if it has to pass.
    """

    name: str
    plugin: str
    run: Callable[[], None]
    known_failure: str | None = None

    def __call__(self) -> None:
        """Runs the check."""
        self.run()


@dataclass(frozen=True)
class CheckResult:
    """The outcome of a check. detail: why it did not pass; empty if it did."""

    name: str
    status: Status
    detail: str = ""


def checks_for(
    plugin: type[Plugin],
    options: AnyOptions | None = None,
    *,
    sample: Specimens | None = None,
    features: Sequence[type[Feature]] = (),
) -> list[Check]:
    """The checks that apply to this plugin.

    options: for plugins that do not work with their defaults. sample: the clips to try plugins on;
    by default those of bench.checks.ladders: `talking_patterns`, which are drawn, or, for plugins
    that read sound, look for people or are trained, `synthetic_talkers`, clips of an embedded
    corpus. features: those that the plugin reads, if they are neither installed nor registered by
    its own file.
    """
    listens = issubclass(plugin, Metric | Feature) and "sound" in plugin.reads
    needs_people = listens or plugin.tried_on == "talkers" or issubclass(plugin, Trainable)
    usual = synthetic_talkers if needs_people else talking_patterns
    subject = Subject(plugin, options, Lazy(sample or usual), features_for(plugin, features))
    named = dict(_checks(subject))
    known = plugin.known_failures
    checks = [Check(name, plugin.name, run, known.get(name)) for name, run in named.items()]
    unknown = sorted(set(known) - set(named))
    if unknown:
        checks.append(Check("known failures are checks", plugin.name, _unknown(unknown, named)))
    return checks


def run_checks(
    plugin: type[Plugin],
    options: AnyOptions | None = None,
    *,
    sample: Specimens | None = None,
    features: Sequence[type[Feature]] = (),
) -> list[CheckResult]:
    """Runs all checks of a plugin and returns the outcomes; never raises."""
    found = checks_for(plugin, options, sample=sample, features=features)
    return [_result(check) for check in found]


def parametrize_with_checks(
    plugins: Sequence[PluginClass],
    *,
    sample: Specimens | None = None,
    features: Sequence[type[Feature]] = (),
) -> pytest.MarkDecorator:
    """A pytest decorator that calls a test once for each check, as its argument `check`.

    plugins: classes, or pairs of a class and its options. Known failures are strict xfails.
    """
    import pytest

    parameters = []
    for entry in plugins:
        plugin, options = entry if isinstance(entry, tuple) else (entry, None)
        for check in checks_for(plugin, options, sample=sample, features=features):
            reason = check.known_failure
            marks = () if reason is None else (pytest.mark.xfail(reason=reason, strict=True),)
            label = f"{check.plugin}-{check.name.replace(' ', '-')}"
            skipping = replace(check, run=_skipping(check.run))
            parameters.append(pytest.param(skipping, id=label, marks=marks))
    return pytest.mark.parametrize("check", parameters)


def _result(check: Check) -> CheckResult:
    known = check.known_failure
    try:
        check()
    except CheckSkipped as skip:
        return CheckResult(check.name, "skipped", str(skip))
    except Exception as error:  # whatever the plugin raises is the check's outcome
        if known is not None:
            return CheckResult(check.name, "known failure", known)
        detail = str(error) if isinstance(error, CheckFailed) else _described(error)
        return CheckResult(check.name, "failed", detail)
    if known is not None:
        return CheckResult(check.name, "failed", f"passes, but is a known failure ({known})")
    return CheckResult(check.name, "passed")


def _skipping(run: Callable[[], None]) -> Callable[[], None]:
    def skipping() -> None:
        import pytest

        try:
            run()
        except CheckSkipped as skip:
            pytest.skip(str(skip))

    return skipping


def _unknown(unknown: Sequence[str], named: Mapping[str, object]) -> Callable[[], None]:
    def fail() -> None:
        raise CheckFailed(f"known_failures has {unknown}; this plugin's checks: {sorted(named)}")

    return fail


def _checks(subject: Subject) -> Iterator[NamedCheck]:
    yield "docstring has its sections", lambda: _check_docstring(subject.plugin)
    yield "declarations are complete", lambda: _check_declarations(subject)
    yield "options forbid unknown keys", lambda: _check_options(subject.plugin)
    yield "import loads nothing heavy", lambda: _check_import(subject.plugin)
    if issubclass(subject.plugin, Metric):
        yield from metric_checks(subject, subject.plugin)
    if issubclass(subject.plugin, Method):
        yield from method_checks(subject, subject.plugin)
    if issubclass(subject.plugin, Feature):
        yield from feature_checks(subject)
    if issubclass(subject.plugin, Importer):
        yield "an empty folder is refused", lambda: _check_empty_folder(subject)
    if issubclass(subject.plugin, Trainable):
        yield from training_checks(subject, subject.plugin)


# All kinds of plugin.


def _check_docstring(plugin: type[Plugin]) -> None:
    text = inspect.cleandoc(plugin.__doc__ or "")
    starts = {line.partition(":")[0] for line in text.splitlines() if ":" in line}
    (wanted,) = (each for kind, each in SECTIONS.items() if issubclass(plugin, kind))
    missing = [section for section in wanted if section not in starts]
    if missing:
        raise CheckFailed(
            f"the docstring of {plugin.__name__} has no section {', '.join(missing)}; "
            f"expected lines that begin with {', '.join(f'{each}:' for each in wanted)}"
        )


def _check_declarations(subject: Subject) -> None:
    plugin = subject.plugin
    for attribute in ("name", "version", "source", "licence"):
        value = getattr(plugin, attribute, None)
        if not (isinstance(value, str) and value.strip()):
            raise CheckFailed(f"{attribute} is {value!r}; expected a text that is not empty")
    if issubclass(plugin, Metric):
        _check_reads(subject, plugin.reads, MEDIA)
        _check_outputs(plugin.outputs)
        _check_sees(plugin)
    if issubclass(plugin, Feature):
        _check_reads(subject, plugin.reads, MEDIA - {"reference", "face", "text"})
        if not plugin.arrays or not all(words.strip() for words in plugin.arrays.values()):
            raise CheckFailed(f"arrays is {plugin.arrays}; expected names, each with words")
    if issubclass(plugin, Method) and not (plugin.kinds and plugin.kinds <= set(CASE_KINDS)):
        raise CheckFailed(f"kinds is {set(plugin.kinds)}; expected some of {CASE_KINDS}")


def _check_reads(subject: Subject, reads: frozenset[str], media: frozenset[str]) -> None:
    known = sorted(media | subject.features.keys() - {subject.plugin.name})
    if not reads:
        raise CheckFailed(f"reads is empty; expected some of {known}")
    for name in sorted(reads - set(known)):
        raise CheckFailed(f"reads has {name!r}. {closest(name, known)}")


def _check_empty_folder(subject: Subject) -> None:
    importer = subject.importer()
    with watched() as root:
        try:
            found = importer.read(root / "inputs")
        except BenchError:
            raise_if_written(root, allowed=())
            return
    raise CheckFailed(f"an empty folder gives {found!r:.80}; expected bench.BenchError")


def _check_outputs(outputs: Sequence[Output]) -> None:
    names = [output.name for output in outputs]
    if not names or len(set(names)) < len(names):
        raise CheckFailed(f"outputs are named {names}; expected at least one, each name once")
    for output in outputs:
        low = -math.inf if output.low is None else output.low
        high = math.inf if output.high is None else output.high
        if low >= high:
            raise CheckFailed(f"output {output.name}: its range is [{low}, {high}], which is empty")
        if output.best is not None and not low <= output.best <= high:
            raise CheckFailed(
                f"output {output.name}: best is {output.best}, outside its range [{low}, {high}]"
            )
        if output.better not in ("higher", "lower", "none"):
            raise CheckFailed(f"output {output.name}: better is {output.better!r}")


def _check_sees(metric: type[Metric]) -> None:
    names = {output.name for output in metric.outputs}
    for entry in metric.sees:
        ladder, _, output = entry.partition(":")
        if ladder not in LADDERS or (output and output not in names):
            raise CheckFailed(
                f"sees has {entry!r}; expected one of {sorted(LADDERS)}, "
                f"or one of them with an output ('blur:{min(names)}')"
            )


def _check_options(plugin: type[Plugin]) -> None:
    try:
        plugin.Options.model_validate({"no_such_option_anywhere": 1})
    except pydantic.ValidationError as error:
        if any(each["type"] == "extra_forbidden" for each in error.errors()):
            return
    raise CheckFailed("Options accepts an unknown key; derive it from bench.Options")


def _check_import(plugin: type[Plugin]) -> None:
    """Imports the plugin's file where no other was imported, as the registry does."""
    # PathFinder searches only folders; find_spec would also find the made-up name of a local file.
    is_found = PathFinder.find_spec(plugin.__module__.partition(".")[0]) is not None
    module, file = plugin.__module__ if is_found else "", inspect.getfile(plugin)
    found = imported(module=module, file=file, heavy=HEAVY)
    if found.error:
        raise CheckFailed(f"importing {plugin.__module__} fails: {found.error.strip()[-500:]}")
    if found.loaded:
        raise CheckFailed(
            f"importing {plugin.__module__} loads {list(found.loaded)}; import them inside load(), "
            "measure() or generate()"
        )


def _described(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"
