"""docs/configs.md is correct: its config is valid, and it explains every key of every config."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pydantic
import pytest

from bench.contract.registry import load_registry
from bench.run import config
from bench.run.config import load_config
from bench.train import config as train_config
from tests.conftest import ROOT

PAGE = (ROOT / "docs" / "configs.md").read_text(encoding="utf-8")


def section(heading: str) -> str:
    """The text below a heading, up to the next one."""
    (text,) = re.findall(rf"^#+ {heading}$(.*?)(?=^#|\Z)", PAGE, flags=re.DOTALL | re.MULTILINE)
    return str(text)


def explained(text: str) -> set[str]:
    """The keys in the first column of a text's tables."""
    firsts = re.findall(r"^\| (`[^|]*`) \|", text, flags=re.MULTILINE)
    return {name for first in firsts for name in re.findall(r"`(\w+)`", first)}


@pytest.mark.parametrize(
    ("heading", "model"),
    [
        ("Keys", config.Config),
        ("data", config.DataEntry),
        ("cases", config.CaseSettings),
        ("tables", config.Table),
        ("Configs of trainings", train_config.TrainConfig),
    ],
)
def test_every_key_has_its_row_and_every_row_its_key(
    heading: str, model: type[pydantic.BaseModel]
) -> None:
    assert explained(section(heading)) == set(model.model_fields)


def test_every_key_of_a_method_is_explained() -> None:
    controls = {name for name, one in load_registry().methods.items() if one.plugin.control}
    keys = set(config.MetricEntry.model_fields) | set(config.MethodEntry.model_fields)
    assert explained(section("methods, metrics")) == keys | controls


def inner_keys() -> Iterator[tuple[str, str]]:
    """Inner keys, which the row of their outer key explains."""
    for name in config.Published.model_fields:
        yield "tables", name
    for name in train_config.TrainSource.model_fields:
        yield "Configs of trainings", name


@pytest.mark.parametrize(("heading", "name"), list(inner_keys()))
def test_every_inner_key_is_named(heading: str, name: str) -> None:
    assert re.search(rf"`{name}\b", section(heading))


def test_the_pages_config_is_valid(tmp_path: Path) -> None:
    (text,) = re.findall(r"```yaml\n(.*?)```", PAGE, flags=re.DOTALL)
    path = tmp_path / "mine.yaml"
    path.write_text(text, encoding="utf-8")
    assert load_config(path).config.name == "mine"


def test_every_option_of_a_control_and_a_metric_is_explained() -> None:
    metrics_page = (ROOT / "docs" / "metrics.md").read_text(encoding="utf-8")
    registry = load_registry()
    for name, method in registry.methods.items():
        if method.plugin.control:
            row = next(line for line in PAGE.splitlines() if line.startswith(f"| `{name}` |"))
            assert [o for o in method.plugin.Options.model_fields if f"`{o}`" not in row] == []
    for name, metric in registry.metrics.items():
        if metric.origin.startswith(f"{name} (talking-face-bench"):
            options = metric.plugin.Options.model_fields
            assert [o for o in options if f"`{o}" not in metrics_page] == []


def test_links_lead_somewhere() -> None:
    for link in re.findall(r"\]\((?!http)([^)#]+)", PAGE):
        assert (ROOT / "docs" / link).exists(), link
