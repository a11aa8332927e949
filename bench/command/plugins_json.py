"""What plugins declare, as JSON for other programs: `bench list --json`."""

from __future__ import annotations

import json
from collections.abc import Sequence

from bench.contract.registry import Registry


def plugins_json(registry: Registry, names: Sequence[str]) -> str:
    """What plugins declare, as JSON: options, and the outputs of metrics with unit and range."""
    known = registry.plugins
    found = []
    for name in names or known:
        plugin = known[name].plugin
        kind = next(
            kind
            for kind, own in (
                ("method", registry.methods),
                ("metric", registry.metrics),
                ("feature", registry.features),
                ("importer", registry.importers),
            )
            if name in own
        )
        entry: dict[str, object] = {
            "name": name,
            "kind": kind,
            "version": plugin.version,
            "about": (plugin.__doc__ or "").strip().partition("\n")[0],
            "origin": known[name].origin,
            "source": plugin.source,
            "licence": plugin.licence,
            "options": plugin.Options.model_json_schema().get("properties", {}),
        }
        if kind == "metric":
            metric = registry.metrics[name].plugin
            entry["reads"] = sorted(metric.reads)
            entry["outputs"] = [
                {
                    "name": output.name,
                    "title": output.title or output.name,
                    "unit": output.unit,
                    "better": output.better,
                    "best": output.best,
                    "low": output.low,
                    "high": output.high,
                    "curve": output.curve,
                }
                for output in metric.outputs
            ]
        if kind == "method":
            entry["kinds"] = sorted(registry.methods[name].plugin.kinds)
            entry["control"] = registry.methods[name].plugin.control
        if kind == "feature":
            feature = registry.features[name].plugin
            entry["reads"] = sorted(feature.reads)
            entry["arrays"] = dict(feature.arrays)
        found.append(entry)
    return json.dumps(found, indent=1, ensure_ascii=False, allow_nan=False, default=str)
