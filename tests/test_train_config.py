"""Training configs: mistakes come all at once, before any data is touched."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.config.reader import anchored
from bench.ground.errors import BenchError
from bench.train.config import load_train_config, train_from
from methods.wav2lip.settings import Settings
from metrics.lse import Lse
from tests.conftest import ROOT
from tests.small_data import make_manifest

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


def test_relative_paths_of_settings_are_taken_from_the_configs_folder(tmp_path: Path) -> None:
    config = ROOT / "configs" / "train" / "synth_start_sharp.yaml"
    (settings,) = load_train_config(config).plugins.values()
    assert isinstance(settings, Settings)
    expected = ROOT / "runs" / "synth_start" / "wav2lip.safetensors"
    start = settings.generator.start
    assert isinstance(start, Path)
    assert start.resolve() == expected.resolve()
    whole = Settings.model_validate({"generator": {"start": expected}})
    assert anchored(whole, tmp_path) == whole
    assert Lse.Settings.model_validate({"start": "shipped"}).start == "shipped"
    scorer = Lse.Settings.model_validate({"start": "old.safetensors"})
    assert anchored(scorer, tmp_path).model_dump()["start"] == tmp_path / "old.safetensors"


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


def config_with(folder: Path, data: str) -> Path:
    path = folder / "mine.yaml"
    path.write_text(f"name: mine\nplugin: wav2lip\ndata:\n{data}", encoding="utf-8")
    return path


def test_data_that_cannot_be_opened_are_named_with_line_and_path(tmp_path: Path) -> None:
    data = """\
  - {name: a, manifest: nowhere.csv}
  - name: b
    corpus: synth-en
    train: tain
    val: null
"""
    config = config_with(tmp_path, data)
    with pytest.raises(BenchError) as caught:
        train_from(load_train_config(config), tmp_path, device="cpu", begin="new", say=print)
    head, *lines = str(caught.value).splitlines()
    assert head == f"2 problems in {config}"
    assert lines[0].startswith(f"{config}:4: data[0].manifest: ")
    assert lines[1].startswith(f"{config}:7: data[1].train: ")


def test_training_without_clips_to_choose_by_is_refused(tmp_path: Path) -> None:
    data = "  - {name: a, importer: grid, root: $NOWHERE_AT_ALL, optional: true}\n"
    config = config_with(tmp_path, data)
    said: list[str] = []
    with pytest.raises(
        BenchError, match=r"mine\.yaml:3: data: 0 clips to train on and 0 to validate"
    ):
        train_from(load_train_config(config), tmp_path, device="cpu", begin="new", say=said.append)
    assert said == ["a: left out, $NOWHERE_AT_ALL is not set"]


def test_of_any_data_at_most_so_many_clips_are_trained_on(tmp_path: Path) -> None:
    make_manifest(tmp_path / "data")
    config = tmp_path / "mine.yaml"
    entry = "{name: a, manifest: data/manifest.csv, train: test, val: null, clips: 2}"
    config.write_text(f"name: mine\nplugin: lse\ndata:\n  - {entry}\n", encoding="utf-8")
    with pytest.raises(BenchError, match="data: 2 clips to train on and 0"):
        train_from(load_train_config(config), tmp_path, device="cpu", begin="new", say=print)
