"""What a method says of the way it is asked stands in every record and in the manifest."""

from __future__ import annotations

import json
from pathlib import Path

from click.testing import CliRunner

from bench.command.cli import main
from bench.records.schema import GENERATIONS, MEASUREMENTS
from tests.small_data import make_config, make_manifest
from tests.small_records import read_records

PLUGIN = '''"""A face that stands still and says which frame it shows."""

import bench


class Pinned(bench.Method):
    """Shows one frame of the recording.

    Needs: nothing. Source: defined here. Weights: none. Deviations: none.
    """

    name, version, source = "pinned", "1", "defined here"

    class Options(bench.Options):
        frame: int = 0

    options: Options

    @property
    def protocol(self) -> str:
        return f"reference: frame {self.options.frame}"

    def generate(self, job: bench.Job) -> bench.Generation:
        return bench.Generation([job.face.read()[self.options.frame]] * job.frames)


@bench.hookimpl
def register_methods() -> list[type[bench.Method]]:
    return [Pinned]
'''


def test_protocol_is_recorded_with_videos_measurements_and_in_the_manifest(tmp_path: Path) -> None:
    make_manifest(tmp_path / "data")
    (tmp_path / "pinned.py").write_text(PLUGIN, encoding="utf-8")
    config = make_config(
        tmp_path,
        plugins=["brightness.py", "pinned.py"],
        methods=[
            {"name": "still"},
            {"name": "pinned", "label": "third", "options": {"frame": 2}},
            {"name": "pinned", "label": "last", "options": {"frame": 11}},
        ],
        cases={"kinds": ["reconstruct"]},
    )
    run = tmp_path / "run"
    assert CliRunner().invoke(main, ["run", str(config), "-o", str(run)]).exit_code == 0
    wanted = {"still": "", "third": "reference: frame 2", "last": "reference: frame 11"}

    made = list(read_records(run / GENERATIONS))
    assert {r["method"]: r["method_protocol"] for r in made} == wanted
    of_video = {r["sha256"]: r["method_protocol"] for r in made}
    measured = list(read_records(run / MEASUREMENTS))
    clips = [r for r in measured if r["metric"] != "mean_brightness"]
    assert len(clips) == 18
    assert all(r["method_protocol"] == of_video[r["video_sha256"]] for r in clips)
    sets = [r["method_protocol"] for r in measured if r["metric"] == "mean_brightness"]
    assert sorted(sets) == sorted(wanted.values())
    manifest = json.loads((run / "manifest.json").read_text(encoding="utf-8"))
    assert {each["label"]: each["protocol"] for each in manifest["methods"]} == wanted
