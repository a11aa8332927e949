"""Configs: all mistakes are reported at once, with file, line and yaml path."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.config.reader import expand
from bench.ground.errors import BenchError
from bench.run.config import load_config
from tests.conftest import ROOT
from tests.small_data import make_config

CONFIGS = sorted((ROOT / "configs").glob("*.yaml"))
PUBLISHED = {"table": "comparison", "data": {"tiny": "cl"}}


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.name)
def test_shipped_configs_are_valid(path: Path) -> None:
    assert load_config(path).config.name == path.stem


def test_all_mistakes_are_reported_at_once(tmp_path: Path) -> None:
    path = make_config(
        tmp_path,
        sead=4,
        methods=[{"name": "truht"}, {"name": "shifted", "options": {"frame": 2}}],
        metrics=[{"name": "psnr", "options": {"region": "nose"}}],
        data=[{"name": "tiny", "manifest": "a.csv", "corpus": "synth-en"}],
    )
    with pytest.raises(BenchError) as caught:
        load_config(path)
    text = str(caught.value)
    assert "sead: unknown key. Did you mean 'seed'?" in text
    assert "methods[0].name: there is no method 'truht'. Did you mean 'truth'?" in text
    assert "methods[1].options.frame: unknown key. Did you mean 'frames'?" in text
    assert "metrics[0].options.region" in text
    assert "nose" in text
    assert "data[0]: expected exactly one of" in text
    assert f"{path}:" in text


def test_an_error_names_the_line(tmp_path: Path) -> None:
    path = make_config(tmp_path)
    lines = path.read_text().splitlines()
    number = next(i for i, line in enumerate(lines, 1) if "name: still" in line)
    path.write_text(path.read_text().replace("name: still", "name: stil"))
    with pytest.raises(BenchError, match=rf"{path}:{number}: methods\[1\]\.name"):
        load_config(path)


def test_two_settings_of_one_plugin_need_labels(tmp_path: Path) -> None:
    path = make_config(tmp_path, methods=[{"name": "shifted"}, {"name": "shifted"}])
    with pytest.raises(BenchError, match="'shifted' is already used at methods"):
        load_config(path)


def test_tables_must_name_what_exists(tmp_path: Path) -> None:
    tables = [{"name": "t", "rows": ["stil"], "columns": ["psnr.pnsr"], "reference": "nobody"}]
    with pytest.raises(BenchError) as caught:
        load_config(make_config(tmp_path, tables=tables))
    text = str(caught.value)
    assert "tables[0].rows[0]: no method has the label 'stil'. Did you mean 'still'?" in text
    assert "tables[0].columns[0]: no metric gives 'psnr.pnsr'. Did you mean 'psnr.psnr'?" in text
    assert "tables[0].reference: no method has the label 'nobody'" in text


def test_a_key_given_twice_is_an_error(tmp_path: Path) -> None:
    path = make_config(tmp_path)
    path.write_text(path.read_text() + "seed: 9\n")
    with pytest.raises(BenchError, match="seed: this key is already in line"):
        load_config(path)


@pytest.mark.parametrize("text", ["", "- a\n", "a: [\n", "\x00"])
def test_files_that_are_no_config_are_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "x.yaml"
    path.write_text(text)
    with pytest.raises(BenchError, match=r"x\.yaml"):
        load_config(path)


def test_variables_are_only_replaced_at_the_start_of_paths(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOMEWHERE", "/data")
    monkeypatch.delenv("NOWHERE", raising=False)
    assert expand("$SOMEWHERE/a.csv", tmp_path) == Path("/data/a.csv")
    assert expand("${SOMEWHERE}", tmp_path) == Path("/data")
    assert expand("$NOWHERE/a.csv", tmp_path) is None
    assert expand("a/$SOMEWHERE.csv", tmp_path) == tmp_path / "a" / "$SOMEWHERE.csv"


def test_mistakes_in_plugin_files_and_tables_are_reported_with_all_others(tmp_path: Path) -> None:
    (tmp_path / "broken.py").write_text("import no_such_module_anywhere\n")
    path = make_config(
        tmp_path,
        plugins=["gone.py", "broken.py"],
        methods=[{"name": "truth"}, {"name": "stil"}],
        metrics=[{"name": "psnr"}, {"name": "psrn", "label": "other"}],
        tables=[{"name": "t", "rows": ["still"], "columns": ["psnr.pnsr", "other.psnr"]}],
    )
    with pytest.raises(BenchError) as caught:
        load_config(path)
    text = str(caught.value)
    assert f"plugins[0]: there is no file {tmp_path / 'gone.py'}" in text
    assert "plugins: plugin file" in text
    assert "broken.py cannot be imported: ModuleNotFoundError" in text
    assert "methods[1].name: there is no method 'stil'" in text
    assert "metrics[1].name: there is no metric 'psrn'" in text
    assert "tables[0].rows[0]: no method has the label 'still'" in text
    assert "tables[0].columns[0]: no metric gives 'psnr.pnsr'" in text
    assert "other.psnr" not in text


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        (
            {"importer": "gird", "root": "here"},
            "importer: there is no importer 'gird'. Did you mean 'grid'?",
        ),
        (
            {"corpus": "synth_zh"},
            "corpus: there is no embedded corpus 'synth_zh'. Did you mean 'synth-zh'?",
        ),
        (
            {"manifest": "$X", "stand_in": "synth"},
            "stand_in: there is no embedded corpus 'synth'.",
        ),
    ],
)
def test_data_must_come_from_what_exists(tmp_path: Path, entry: dict[str, str], said: str) -> None:
    path = make_config(tmp_path, data=[{"name": "tiny", **entry}])
    with pytest.raises(BenchError) as caught:
        load_config(path)
    assert f"data[0].{said}" in str(caught.value)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"plugins": "mine.py"}, "plugins: expected a list (`[one, two]`), found 'mine.py'."),
        (
            {"methods": ["truth"]},
            "methods[0]: expected keys with values (`name: ...`), found 'truth'.",
        ),
        (
            {"methods": [{"name": "truth", "label": "a/b"}]},
            "methods[0].label: expected letters, digits, blanks and `_ . + -`, a letter or digit",
        ),
        ({"title": 2026}, "title: expected text (a number in quotes), found 2026."),
        ({"seed": -1}, "seed: expected a number greater than or equal to 0, found -1."),
        (
            {"tables": [{"name": "t", "columns": ["psnr.psnr"], "published": PUBLISHED}]},
            "tables[0].published.data.tiny: expected 'clr', 'lrs2' or 'portrait', found 'cl'.",
        ),
        ({"faces": "harr"}, "faces: expected 'given', 'haar' or 'yunet', found 'harr'."),
    ],
)
def test_expected_values_are_described_in_terms_of_yaml(
    tmp_path: Path, changes: dict[str, object], said: str
) -> None:
    with pytest.raises(BenchError) as caught:
        load_config(make_config(tmp_path, **changes))
    assert said in str(caught.value)


def test_mistakes_are_reported_in_the_order_of_lines(tmp_path: Path) -> None:
    path = make_config(tmp_path, seed=-1, faces="harr", methods=[{"name": "stil"}], sead=4)
    with pytest.raises(BenchError) as caught:
        load_config(path)
    told = str(caught.value).splitlines()[1:]
    numbers = [int(line.removeprefix(f"{path}:").partition(":")[0]) for line in told]
    assert len(numbers) == 4
    assert numbers == sorted(numbers)
