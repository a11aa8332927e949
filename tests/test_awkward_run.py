"""Fifty awkward and broken files in one run: each ends as values or as reasons, and alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.ground.types import Clip
from bench.records.schema import GENERATIONS, MEASUREMENTS
from bench.run.config import load_config
from bench.run.plan import make_plan
from tests.small_data import make_config
from tests.test_awkward_media import ERRORS, VALUES, good
from tests.test_run import bench, records

METHODS = [{"name": "truth"}, {"name": "still"}, {"name": "shifted"}, {"name": "mismatched"}]
ALONE = {"truth", "still", "shifted"}  # need no other clip
METRICS = [
    {"name": "lse"},
    {"name": "psnr", "options": {"region": "frame"}},
    {"name": "ssim", "options": {"region": "frame"}},
    {"name": "psnr", "label": "psnr_mouth", "options": {"region": "mouth"}},
]


@pytest.mark.slow
def test_awkward_and_broken_files_cost_their_own_cells_alone(tmp_path: Path) -> None:
    data = tmp_path / "data"
    clips = []
    for index, (name, maker) in enumerate([("good", good), *VALUES.items(), *ERRORS.items()]):
        if name == "a way out of the folder":
            continue  # a manifest refuses such a path as a whole
        folder = data / f"{index:02d}"
        folder.mkdir(parents=True)
        clips.append(
            Clip(f"{index:02d} {name.replace('/', '-')}", maker(folder), speaker="s", sha256="")
        )
    lines = ["id,video,speaker"]
    for clip in clips:
        relative = clip.video.relative_to(data).as_posix().replace('"', '""')
        lines.append(f'"{clip.id}","{relative}",{clip.speaker}')
    (data / "manifest.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    config = make_config(
        tmp_path,
        faces="haar",
        data=[{"name": "awkward", "manifest": "data/manifest.csv"}],
        methods=METHODS,
        metrics=METRICS,
        tables=[],
        cases={"kinds": ["reconstruct", "probe"]},
    )
    code, output = bench("run", config, "-o", tmp_path / "run")
    assert code == 1, output
    assert "Traceback" not in output
    made = records(tmp_path / "run", GENERATIONS)
    measured = records(tmp_path / "run", MEASUREMENTS)
    broken = set(ERRORS)
    for record in made.values():
        name = str(record["case"])[3:].split("~")[0]
        if name == "good" and record["kind"] == "reconstruct" and record["method"] in ALONE:
            assert record["status"] == "ok"
        if name in broken:
            assert record["status"] == "failed"
        assert record["status"] == "ok" or record["reason"]
    for record in measured.values():
        assert record["status"] == "ok" or record["reason"]
    planned = make_plan(load_config(config)).cases
    assert len(planned) == 2 * len(clips)
    # Some of the files hold the same bytes: cases over them are one.
    assert {record["case_key"] for record in made.values()} == {case.key for case in planned}


def test_a_name_that_leads_out_of_the_folder_is_refused_before_anything_runs(
    tmp_path: Path,
) -> None:
    video = good(tmp_path)
    for row, said in {
        "one,../clip.mp4": "leads upwards",
        f"one,{video}": "is absolute",
        "../one,clip.mp4": "id",
        ".one,clip.mp4": "id",
    }.items():
        (tmp_path / "data").mkdir(exist_ok=True)
        (tmp_path / "data" / "manifest.csv").write_text(f"id,video\n{row}\n", encoding="utf-8")
        config = make_config(tmp_path, data=[{"name": "x", "manifest": "data/manifest.csv"}])
        code, output = bench("run", config, "-o", tmp_path / "run")
        assert code == 2
        assert said in output
        assert not (tmp_path / "run").exists()
