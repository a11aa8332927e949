"""Videos that show a part of the frame, or a part of the frames, and their own references."""

from __future__ import annotations

import logging
import shutil
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

import bench
from bench.command.cli import main
from bench.data.manifest import write_manifest
from bench.ground.types import SAMPLES_PER_FRAME, Case, Clip
from bench.media import probe, read_frames, read_sound, write_video
from bench.records.reading import read_records
from bench.records.record import GenerationRecord, MeasurementRecord
from bench.records.schema import GENERATIONS
from bench.run.cutting import cut_frame
from bench.run.output_form import OutputForm
from tests.small_data import make_config

PLUGIN = Path(__file__).parent / "plugins" / "cutting.py"
FRAMES, HEIGHT, WIDTH = 8, 64, 48  # portrait
METHODS = [
    {"name": "cutter", "label": "right"},
    {"name": "cutter", "label": "wrong", "options": {"wrong": 2.0}},
    {"name": "cutter", "label": "odd", "options": {"height": 41, "width": 37}},
    {"name": "cutter", "label": "part", "options": {"first": 2, "left_out": 1}},
    {"name": "still"},
]


def _clip(folder: Path, name: str, seed: int) -> Clip:
    random = np.random.default_rng(seed)
    coarse = random.integers(0, 255, (HEIGHT // 4, WIDTH // 4 + FRAMES, 3), dtype=np.uint8)
    wide = coarse.repeat(4, axis=0).repeat(4, axis=1)
    frames = [np.ascontiguousarray(wide[:, index : index + WIDTH]) for index in range(FRAMES)]
    sound = random.integers(-9000, 9000, FRAMES * SAMPLES_PER_FRAME).astype(np.int16)
    folder.mkdir(exist_ok=True)
    write_video(folder / f"{name}.mp4", frames, sound=sound)
    box = (10.0, 20.0, 20.0, 20.0)
    return Clip(name, folder / f"{name}.mp4", speaker=name, split="test", box=box)


@pytest.fixture
def config(tmp_path: Path) -> Path:
    clips = [_clip(tmp_path / "data", name, seed) for seed, name in enumerate(("one", "two"))]
    write_manifest(tmp_path / "data" / "manifest.csv", clips)
    shutil.copy(PLUGIN, tmp_path / "cutting.py")
    return make_config(
        tmp_path,
        plugins=["cutting.py"],
        methods=METHODS,
        metrics=[
            {"name": "ssim", "options": {"region": "frame"}},
            {"name": "psnr", "label": "psnr", "options": {"region": "face"}},
        ],
        tables=[{"name": "comparison", "columns": ["ssim.ssim", "psnr.psnr"]}],
    )


def _run(*arguments: object) -> str:
    result = CliRunner().invoke(main, [str(each) for each in arguments])
    assert result.exit_code == 0, result.output
    return result.output


def _made(run: Path) -> dict[tuple[str, str], GenerationRecord]:
    return {(each.method, each.case): each for each in read_records(run, GenerationRecord)}


def test_the_reference_is_cut_as_the_video_is(config: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    _run("run", config, "-o", run)
    made = _made(run)
    right, part, odd, still = (made[label, "one"] for label in ("right", "part", "odd", "still"))
    assert still.own_reference is None
    assert still.cut is None
    assert right.own_reference is not None
    assert right.cut is not None
    assert right.reference_sha256 == right.sha256  # the cut truth, encoded alike
    # The manifest's box, x y w h, by the similarity of the middle of the clip.
    assert right.cut.box is not None
    assert np.allclose(right.cut.box, (15.9, 18.6, 21.6, 21.6), atol=0.2)
    found = probe(run / right.video)
    assert (found.height, found.width) == (40, 36)
    found = probe(run / odd.video)
    assert (found.height, found.width) == (40, 36)
    assert odd.reference_sha256 == odd.sha256
    assert made["right", "one+two"].own_reference is None  # `cross` has no reference
    assert made["right", "one+two"].cut is not None

    assert (part.frames, part.asked, part.first) == (FRAMES - 3, FRAMES, 2)
    assert part.own_reference is not None
    assert len(read_frames(run / part.video)) == FRAMES - 3
    for name in (part.video, part.own_reference.video):
        sound = read_sound(run / name)
        assert sound is not None
        assert len(sound) == (FRAMES - 3) * SAMPLES_PER_FRAME
    assert "5 of 8 frames made, from frame 2 on; compared with these frames alone" in part.conformed

    values = {
        (each.metric, each.video_sha256, each.reference_sha256): each
        for each in read_records(run, MeasurementRecord)
    }
    for each in (right, part, odd):  # videos that equal their references
        assert values["ssim", each.sha256, each.sha256].values["ssim"] == 1.0
        assert "identical" in (values["psnr", each.sha256, each.sha256].reason or "")
    wrong = made["wrong", "one"]
    assert wrong.cut != right.cut
    assert wrong.sha256 == right.sha256
    for metric, limit in (("ssim", 0.9), ("psnr", 25.0)):
        assert values[metric, wrong.sha256, wrong.reference_sha256].values[metric] < limit

    page = (run / "report" / "index.html").read_text(encoding="utf-8")
    assert "part: 30 of 48 frames were made (62.5 %); the others are missing" in page
    assert "full-reference values compare it with the recording cut in the same way" in page
    cases = "".join(p.read_text(encoding="utf-8") for p in (run / "report").rglob("*.html"))
    assert "right: the real video, cut in the same way" in cases

    # What a kill left out, and the cell of a lost reference, are made anew, with the same bytes.
    own = run / right.own_reference.video
    before = own.read_bytes()
    lines = (run / GENERATIONS).read_bytes().splitlines(keepends=True)
    assert b'"right"' in lines[0]
    (run / GENERATIONS).write_bytes(b"".join(lines[:-3]) + lines[-3][:40])
    own.unlink()
    assert f"videos: 4 of {len(lines)}" in _run("run", config, "-o", run)
    assert own.read_bytes() == before
    again = _made(run)
    assert all(
        (again[key].sha256, again[key].reference_sha256) == (one.sha256, one.reference_sha256)
        for key, one in made.items()
    )
    assert f"videos: 0 of {len(lines)}" in _run("run", config, "-o", run)


def test_what_cannot_be_measured_on_a_cut_says_that_the_video_is_one(tmp_path: Path) -> None:
    write_manifest(tmp_path / "data" / "manifest.csv", [_clip(tmp_path / "data", "one", 0)])
    shutil.copy(PLUGIN, tmp_path / "cutting.py")
    config = make_config(
        tmp_path,
        faces="haar",  # finds none in these frames, cut or whole
        plugins=["cutting.py"],
        methods=[{"name": "cutter"}, {"name": "still"}],
        cases={"kinds": ["reconstruct"]},
        metrics=[{"name": "psnr"}],
        tables=[],
    )
    _run("run", config, "-o", tmp_path / "run")
    made = _made(tmp_path / "run")
    reasons = {
        each.video_sha256: each.reason or ""
        for each in read_records(tmp_path / "run", MeasurementRecord)
    }
    whole, cut = (reasons[made[label, "one"].sha256] for label in ("still", "cutter"))
    assert whole.startswith("no face found in any of the 8 frames by haar")
    assert cut == f"{whole} (the video shows a cut of the frames alone, 36x40 pixels)"


def _job(folder: Path) -> bench.Job:
    face = bench.Video.of(np.zeros((4, 32, 48, 3), dtype=np.uint8))
    clip = Clip("one", Path("one.mp4"))
    speech = np.zeros(4 * SAMPLES_PER_FRAME, dtype=np.int16)
    case = Case("d", "reconstruct", clip, clip)
    return bench.Job(case, face, speech, 4, folder, 0, logging.getLogger(__name__))


def test_what_a_video_cannot_be_is_refused(tmp_path: Path) -> None:
    job, whole = _job(tmp_path), np.eye(2, 3)
    for made in (range(0), range(2, 5), range(0, 4, 2), range(-1, 2)):
        with pytest.raises(bench.BenchError, match=r"made: .* some of the speech's 4 frames"):
            OutputForm.of(bench.Generation((), made=made), job)
    with pytest.raises(bench.BenchError, match="cut: 3 transforms; expected one for all"):
        OutputForm.of(bench.Generation((), cut=bench.Cut(np.tile(whole, (3, 1, 1)), 32, 32)), job)
    with pytest.raises(bench.BenchError, match="cut: 15x32 pixels; expected at least 16x16"):
        OutputForm.of(bench.Generation((), cut=bench.Cut(whole, 32, 15)), job)
    with pytest.raises(bench.BenchError, match="expected finite numbers"):
        OutputForm.of(bench.Generation((), cut=bench.Cut(whole * np.nan, 32, 32)), job)
    form = OutputForm.of(bench.Generation((), made=range(4)), job)
    assert not form.is_own
    assert form.notes == ()


def test_beyond_the_frame_the_border_is_repeated_or_black() -> None:
    frame = np.full((20, 20, 3), 90, dtype=np.uint8)
    moved = np.array([[1.0, 0.0, 10.0], [0.0, 1.0, 0.0]])
    assert (cut_frame(bench.Cut(moved, 20, 20), frame, 0) == 90).all()
    black = cut_frame(bench.Cut(moved, 20, 20, beyond="black"), frame, 0)
    assert (black[:, 10:] == 90).all()
    assert not black[:, :10].any()
