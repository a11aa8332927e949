"""The README is correct: its plugins run unchanged, its commands and files exist."""

from __future__ import annotations

import csv
import re
from pathlib import Path

from bench.command.cli import main
from tests.conftest import ROOT
from tests.small_data import make_config, make_manifest
from tests.test_run import bench

TEXT = (ROOT / "README.md").read_text(encoding="utf-8")


def test_a_plugin_copied_from_the_readme_shows_up_in_the_tables(tmp_path: Path) -> None:
    blocks = re.findall(r"```python\n(.*?)```", TEXT, flags=re.DOTALL)
    assert len(blocks) == 2
    make_manifest(tmp_path / "data")
    files = []
    for index, block in enumerate(blocks):
        files.append(f"plugin{index}.py")
        (tmp_path / files[-1]).write_text(block, encoding="utf-8")
    config = make_config(
        tmp_path,
        plugins=files,
        methods=[{"name": "truth"}, {"name": "still"}, {"name": "mirror"}],
        metrics=[{"name": "unrest"}, {"name": "psnr"}],
        tables=[{"name": "comparison", "columns": ["unrest.unrest", "psnr.psnr"]}],
    )
    code, output = bench("run", config, "-o", tmp_path / "run")
    assert code == 0, output
    with (tmp_path / "run/report/tables/summary.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    unrest = {row["method"]: float(row["mean"]) for row in rows if row["output"] == "unrest"}
    assert set(unrest) == {"truth", "still", "mirror"}
    assert unrest["still"] < 0.5 < unrest["truth"]


def test_every_command_of_the_readme_exists() -> None:
    named = set(re.findall(r"`bench ([a-z]+)", TEXT))
    assert named <= set(main.commands)
    assert set(main.commands) <= named


def test_every_file_the_readme_links_to_exists() -> None:
    for link in re.findall(r"\]\((?!http)([^)#]+)\)", TEXT):
        assert (ROOT / link).exists(), link
    for config in re.findall(r"configs/[\w/]+\.yaml", TEXT):
        assert (ROOT / config).exists(), config
