"""Training configs: mistakes come all at once, before any data is touched."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.errors import BenchError
from bench.train_config import load_train_config
from tests.conftest import ROOT

CONFIGS = sorted((ROOT / "configs" / "train").glob("*.yaml"))
TEXT = """\
name: mine
plugin: {plugin}
data:
  - {{name: a, corpus: synth-en}}
settings:
  {settings}
"""


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.name)
def test_shipped_training_configs_are_valid(path: Path) -> None:
    assert load_train_config(path).config.name == path.stem


@pytest.mark.parametrize(
    ("plugin", "settings", "said"),
    [
        ("lse", "clip: 2", r"mine\.yaml:6: settings\.clip: unknown key\. Did you mean 'clips'\?"),
        ("lse", "steps: 0", r"mine\.yaml:6: settings\.steps: .*equal to 1.*found 0"),
        ("les", "steps: 1", r"mine\.yaml:2: plugin: there is no plugin 'les'\. Did you mean 'lse'"),
        ("psnr", "steps: 1", r"mine\.yaml:2: plugin: psnr cannot be trained"),
    ],
)
def test_mistakes_are_named_with_line_and_path(
    tmp_path: Path, plugin: str, settings: str, said: str
) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(TEXT.format(plugin=plugin, settings=settings), encoding="utf-8")
    with pytest.raises(BenchError, match=said):
        load_train_config(path)
