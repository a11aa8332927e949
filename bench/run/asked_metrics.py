"""The metrics that somebody asks for by name, without a config, planned as a run plans them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import pydantic
import yaml

from bench.config.reader import anchored, validated
from bench.contract.plugins import Metric, Options, Plugin, SetMetric
from bench.contract.registry import Registry, load_registry
from bench.features.computing import needed
from bench.features.faces import Faces
from bench.files.weights import find
from bench.ground.errors import BenchError
from bench.ground.types import LONGEST
from bench.run.config import Config, Loaded, unmet, unmet_by
from bench.run.plan import chosen_features, planned_metrics, plugin_files
from bench.run.planned import PlannedFeature, PlannedMetric, RunSettings

FORM = "name, or name:option=value:option=value"
NO_TEXT = "compares with the text of the speech, which finished videos do not bring; a run knows it"
_NOWHERE = "videos.csv"  # a config names data; nobody opens this


@dataclass(frozen=True)
class Asked:
    """One plugin as it was asked for: `psnr:region=mouth`; `text` is its label in results."""

    text: str
    name: str
    options: dict[str, object]


@dataclass(frozen=True)
class AskedMetrics:
    """The planned metrics, whose labels are what was asked for.

    left_out: by label, why a metric is not measured that nobody asked for by name.
    settings: as of a run, without methods. Its folder is where conformed videos lie.
    """

    metrics: tuple[PlannedMetric, ...]
    left_out: dict[str, str]
    settings: RunSettings


def asked(texts: Sequence[str]) -> list[Asked]:
    """What each text asks for; values are read as in yaml. Raises BenchError for another form."""
    return [_asked(text.strip()) for text in texts if text.strip()]


def plan_asked(
    metrics: Sequence[Asked] | None,
    folder: Path,
    *,
    features: Sequence[Asked] = (),
    faces: Literal["haar", "yunet"] = "haar",
    face: Literal["largest", "central"] = "largest",
    plugins: Sequence[Path] = (),
    longest: float = LONGEST,
) -> AskedMetrics:
    """The metrics with their keys, protocols and features, exactly as a config would name them.

    metrics: None asks for all metrics of clips that need no further options and whose weights are
    here. folder: for conformed videos. Raises BenchError for what is not known or not valid, and
    for weights that a named metric needs and that are not here.
    """
    registry = load_registry(plugins)
    left_out: dict[str, str] = {}
    own: list[Options] = []
    for one in features:
        if one.name == Faces.name:
            raise BenchError("--features: how faces are found is set by --faces and --face.")
        if one.name not in registry.features:
            registry.plugin(one.name)  # says what is near
            raise BenchError(f"--features {one.text}: {one.name} is no feature.")
        plugin = registry.features[one.name].plugin
        own.append(_options(plugin, one.options, f"--features {one.text}"))
    given = {one.name: options for one, options in zip(features, own, strict=True)}
    if metrics is None:
        metrics, left_out = _all_that_can(registry, given)
    if not metrics:
        raise BenchError("no metric is asked for; `bench list` shows all of them.")
    texts = [one.text for one in metrics]
    if double := next((text for text in texts if texts.count(text) > 1), None):
        raise BenchError(f"--metrics: {double} is named twice.")
    options = [
        _options(registry.metric(one.name).plugin, one.options, f"--metrics {one.text}")
        for one in metrics
    ]
    known = {name: one.plugin for name, one in registry.features.items()} | {Faces.name: Faces}
    for one in metrics:
        reads = registry.metric(one.name).plugin.reads
        if "text" in reads:
            raise BenchError(f"--metrics {one.text}: {NO_TEXT}.")
        for feature in needed(reads, known):
            fields = known[feature].Options.model_fields
            lacking = [option for option, field in fields.items() if field.is_required()]
            if lacking and feature not in given:
                raise BenchError(
                    f"--metrics {one.text}: reads the feature '{feature}', which needs options. "
                    f"Write --features {feature}:" + ":".join(f"{name}=..." for name in lacking)
                )
    config = Config.model_validate(
        {
            "name": "score",
            "data": [{"name": "videos", "manifest": _NOWHERE}],
            "methods": [{"name": "recorded"}],
            "metrics": [{"name": one.name} for one in metrics],
            "features": [{"name": one.name} for one in features],
            "faces": faces,
            "face": face,
            "longest": longest,
            "plugins": [str(path.absolute()) for path in plugins],
        }
    )
    loaded = Loaded(Path(_NOWHERE), config, registry, (), tuple(options), tuple(own), {})
    if other := next(unmet(loaded), None):
        label = metrics[other.index].text
        raise BenchError(f"--metrics {label}: {other.said}. Write --features {other.way}.")
    files = plugin_files(loaded)
    chosen = chosen_features(loaded)
    planned = [
        replace(metric, label=one.text, title=one.text)
        for one, metric in zip(metrics, planned_metrics(loaded, files, chosen), strict=True)
    ]
    read = {name: PlannedFeature.of(one, files) for name, one in chosen.items()}
    for metric in planned:
        names = needed(metric.reads, known)
        for weight in (*metric.weights, *(w for name in names for w in read[name].weights)):
            find(weight)
    by_label = {metric.label: metric for metric in planned}
    settings = RunSettings(folder, config.seed, longest, {}, by_label, read)
    return AskedMetrics(tuple(planned), left_out, settings)


def _asked(text: str) -> Asked:
    name, *pairs = text.split(":")
    options: dict[str, object] = {}
    for pair in pairs:
        option, equals, value = pair.partition("=")
        if not equals or not option.strip():
            raise BenchError(f"{text}: {pair!r} is not option=value. Write {FORM}.")
        try:
            options[option.strip()] = yaml.safe_load(value)
        except yaml.YAMLError as error:
            raise BenchError(f"{text}: {value!r} is no value of an option.") from error
    return Asked(text, name.strip(), options)


def _all_that_can(
    registry: Registry, given: Mapping[str, Options]
) -> tuple[list[Asked], dict[str, str]]:
    """All metrics of clips that can be measured as they are, and why the others cannot.

    given: the options of features that are not the usual ones.
    """
    found: list[Asked] = []
    left_out: dict[str, str] = {}
    known = {name: one.plugin for name, one in registry.features.items()} | {Faces.name: Faces}
    for name, registered in registry.metrics.items():
        plugin = registered.plugin
        if issubclass(plugin, SetMetric):
            continue  # one value for many videos: only by name
        if "text" in plugin.reads:
            left_out[name] = NO_TEXT
            continue
        try:
            metric: Metric = plugin()
            used = {one: known[one](given.get(one)) for one in needed(plugin.reads, known)}
            for weight in (weight for one in (metric, *used.values()) for weight in one.weights):
                find(weight)
        except pydantic.ValidationError as error:
            lacking = ", ".join(".".join(map(str, each["loc"])) for each in error.errors())
            left_out[name] = f"needs options: {lacking}"
        except BenchError as error:
            left_out[name] = str(error)
        else:
            options_of = {feature: one.options for feature, one in used.items()}
            if other := next(unmet_by(metric, options_of), None):
                left_out[name] = f"has values only with --features {other.way}"
            else:
                found.append(Asked(name, name, {}))
    return found, left_out


def _options(plugin: type[Plugin], given: dict[str, object], where: str) -> Options:
    problems: list[tuple[str, str]] = []
    found = validated(plugin.Options, given, where, problems)
    if found is None:
        raise BenchError("\n".join(f"{place}: {what}" for place, what in problems))
    return anchored(found, Path.cwd())
