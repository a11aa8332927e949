"""Clips that cannot be a partner are in no pair, and the plan names them."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from bench import media
from bench.data import taking_part
from bench.data.manifest import write_manifest
from bench.data.pairs import partner, seeded_pairs
from bench.data.taking_part import barred_clips
from bench.ground.types import Clip
from bench.records.schema import GENERATIONS
from bench.run.config import load_config
from bench.run.plan import make_plan
from tests.small_data import make_clip, make_config, make_manifest
from tests.small_records import read_records
from tests.test_run import bench

# The draws before clips could be barred.
PARTNERS = {
    "c6": "c3",
    "c3": "c0",
    "c0": "c6",
    "c8": "c2",
    "c2": "c5",
    "c5": "c8",
    "c7": "c4",
    "c4": "c1",
    "c1": "c7",
}
PAIRS = [
    ("c6", "c5"),
    ("c3", "c2"),
    ("c7", "c6"),
    ("c4", "c3"),
    ("c0", "c8"),
    ("c8", "c7"),
    ("c2", "c4"),
    ("c1", "c0"),
    ("c5", "c1"),
]


def silent(path: Path, sound: np.ndarray | None) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    media.write_video(path, np.full((12, 32, 32, 3), 90, np.uint8), sound=sound)
    return path


@pytest.fixture
def clips(tmp_path: Path) -> list[Clip]:
    """Three clips that can be partners, and one of each kind that cannot."""
    folder = tmp_path / "data"
    paths = [make_clip(folder / f"{name}.mp4", seed) for seed, name in enumerate("abc")]
    paths.append(silent(folder / "mute.mp4", None))
    paths.append(silent(folder / "still.mp4", np.zeros(12 * 640, np.int16)))
    broken = folder / "broken.mp4"
    broken.write_bytes(paths[0].read_bytes()[:700])
    paths += [broken, folder / "gone.mp4"]
    made = [Clip(path.stem, path, box=(4, 4, 24, 24)) for path in paths]
    write_manifest(folder / "manifest.csv", made)
    return made


def test_each_reason_is_named(clips: list[Clip]) -> None:
    found = barred_clips(clips)
    assert set(found) == {"mute", "still", "broken", "gone"}
    assert found["mute"] == "has no sound"
    assert found["still"] == "its sound is silent"
    assert "cannot be read" in found["gone"]


def test_sound_beside_the_video_counts(clips: list[Clip]) -> None:
    a, mute = clips[0], clips[3]
    assert barred_clips([Clip("both", mute.video, audio=a.video)]) == {}
    lost = barred_clips([Clip("both", a.video, audio=mute.video)])
    assert lost == {"both": "has no sound"}


def test_verdicts_are_cached_by_content(
    clips: list[Clip], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BENCH_CACHE", str(tmp_path / "cache"))
    looks: list[Path] = []
    real = media.read_sound

    def counted(path: Path, rate: int = 16_000) -> object:
        looks.append(path)
        return real(path, rate)

    monkeypatch.setattr(media, "read_sound", counted)
    whole = clips[:5]
    first = barred_clips(whole)
    assert len(looks) == 5
    assert barred_clips(whole) == first
    assert len(looks) == 5
    shutil.copy(clips[0].video, clips[3].video)  # the clip `mute` gets a voice
    assert set(barred_clips(whole)) == {"still"}


def test_a_file_that_could_not_be_read_is_judged_again(
    clips: list[Clip], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BENCH_CACHE", str(tmp_path / "cache"))
    assert "broken" in barred_clips(clips)
    kept = tmp_path / "cache" / "pairs" / taking_part.VERSION
    assert {path.read_text() for path in kept.rglob("*") if path.is_file()} == {
        "fine",
        "has no sound",
        "its sound is silent",
    }


@pytest.mark.parametrize("count", [2, 3, 7, 40, 90])
def test_nobody_is_paired_with_a_barred_clip_and_all_others_are(count: int) -> None:
    clips = [Clip(f"c{n}", Path(f"{n}.mp4"), speaker=f"s{n % 3}") for n in range(count)]
    barred = {f"c{n}" for n in range(count) if n % 7 in (0, 3, 4)}
    able = {clip.id for clip in clips} - barred
    pairs = seeded_pairs(clips, 3, barred=barred)
    if len(able) > 1:
        assert {face.id for face, _ in pairs} == {speech.id for _, speech in pairs} == able
    assert all(face.id != speech.id for face, speech in pairs)
    others = partner(clips, 3, barred=barred)
    assert not {clip.id for clip in others.values()} & barred
    assert all(others[name].id != name for name in others)
    if len(able) > 1:
        assert set(others) == {clip.id for clip in clips}


def test_a_barred_clip_changes_no_more_pairs_than_its_own() -> None:
    clips = [Clip(f"c{n}", Path(f"{n}.mp4"), speaker=f"s{n}") for n in range(40)]
    whole = {(face.id, speech.id) for face, speech in seeded_pairs(clips, 3)}
    rest = {(face.id, speech.id) for face, speech in seeded_pairs(clips, 3, barred={"c7", "c8"})}
    assert len(rest) == 38
    assert len(rest - whole) <= 2
    before = {name: clip.id for name, clip in partner(clips, 3).items()}
    after = {name: clip.id for name, clip in partner(clips, 3, barred={"c7"}).items()}
    assert [name for name in before if before[name] != after[name]] == [
        name for name in before if before[name] == "c7"
    ]


def test_draws_are_unchanged_if_no_clip_is_barred() -> None:
    clips = [
        Clip(f"c{n}", Path(f"{n}.mp4"), speaker=f"s{n % 3}", text=f"{n % 5}") for n in range(9)
    ]
    found = {name: clip.id for name, clip in partner(clips, 3).items()}
    assert found == PARTNERS
    assert [(face.id, speech.id) for face, speech in seeded_pairs(clips, 3)] == PAIRS


def test_asking_for_more_pairs_than_possible_is_no_error(clips: list[Clip]) -> None:
    barred = barred_clips(clips)
    assert len(seeded_pairs(clips, 1, len(clips), barred=barred)) == 3


def test_a_clip_without_sound_fails_only_its_own_cells(clips: list[Clip], tmp_path: Path) -> None:
    config = make_config(
        tmp_path,
        data=[{"name": "tiny", "manifest": "data/manifest.csv"}],
        methods=[{"name": "truth"}, {"name": "mismatched"}],
        metrics=[{"name": "psnr"}],
        cases={"kinds": ["reconstruct"]},
        tables=[],
    )
    code, output = bench("plan", config, "-o", tmp_path / "run")
    assert code == 0
    for line in ("mute: in no pair: has no sound", "gone: in no pair: "):
        assert line in " ".join(output.split())
    bench("run", config, "-o", tmp_path / "run")
    made = list(read_records(tmp_path / "run" / GENERATIONS))
    assert {record["case"] for record in made if record["status"] == "failed"} == {
        "mute",
        "broken",
        "gone",
    }


def test_longest_limits_the_other_clips_sound_too(tmp_path: Path) -> None:
    manifest = make_manifest(tmp_path / "data", ("short", "long"))
    make_clip(manifest.parent / "long.mp4", 1, frames=400)
    config = make_config(
        tmp_path,
        data=[{"name": "tiny", "manifest": "data/manifest.csv"}],
        methods=[{"name": "truth"}, {"name": "mismatched"}],
        metrics=[{"name": "psnr"}],
        cases={"kinds": ["reconstruct"]},
        tables=[],
        longest=2,
    )
    bench("run", config, "-o", tmp_path / "run")
    made = list(read_records(tmp_path / "run" / GENERATIONS))
    (failed,) = [r for r in made if (r["case"], r["method"]) == ("short", "mismatched")]
    assert "the sound is longer than the 2 s that are read" in str(failed["reason"])


def test_a_list_that_names_a_clip_without_sound_fails_only_that_cell(
    clips: list[Clip], tmp_path: Path
) -> None:
    (tmp_path / "pairs.txt").write_text("mute a\nb a\n", encoding="utf-8")
    entry = {"name": "tiny", "manifest": "data/manifest.csv", "pairs": "pairs.txt"}
    config = make_config(
        tmp_path,
        data=[entry],
        methods=[{"name": "still"}],
        cases={"kinds": ["cross"]},
        metrics=[{"name": "brightness"}],
        tables=[],
    )
    plan = make_plan(load_config(config))
    assert [planned.case.id for planned in plan.cases] == ["a+mute", "a+b"]
    bench("run", config, "-o", tmp_path / "run")
    made = list(read_records(tmp_path / "run" / GENERATIONS))
    reasons = {record["case"]: record["reason"] for record in made}
    assert reasons["a+b"] is None
    assert "mute.mp4: has no sound, so there is no speech" in str(reasons["a+mute"])
