"""Bytes that no longer have their digest are noticed before they are measured."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from bench.data.conform import conform_clip
from bench.data.manifest import content_digest, write_manifest
from bench.features.store import FeatureStore
from bench.files.digests import file_sha256
from bench.files.intact import is_intact
from bench.files.paths import cache_dir
from bench.ground.types import Clip
from bench.records.schema import GENERATIONS, MEASUREMENTS
from tests.small_data import make_clip, make_config, make_manifest
from tests.small_records import read_records
from tests.test_run import bench, records

Damage = Callable[[Path], None]


def flip(path: Path) -> None:
    """Flips one bit in the middle of a file as a bad disk does: the file's times do not change."""
    before = path.stat()
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 4
    path.write_bytes(data)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def empty(path: Path) -> None:
    """Leaves what a power cut leaves of a file that was never synced to the disk."""
    path.write_bytes(bytes(path.stat().st_size))


def test_a_file_is_read_once_for_each_of_its_states(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"content" * 1000)
    digest = file_sha256(path)
    read: list[Path] = []

    def counted(file: Path) -> str:
        read.append(file)
        return file_sha256(file)

    monkeypatch.setattr("bench.files.intact.file_sha256", counted)
    assert is_intact(path, digest)
    assert is_intact(path, digest)
    assert len(read) == 1
    flip(path)
    assert not is_intact(path, digest)
    assert len(read) == 2
    path.unlink()
    assert not is_intact(path, digest)


@pytest.mark.slow
@pytest.mark.parametrize("damage", [flip, empty])
def test_a_damaged_video_is_generated_again_before_it_is_measured(
    tmp_path: Path, damage: Damage, caplog: pytest.LogCaptureFixture
) -> None:
    make_manifest(tmp_path / "data")
    both = [{"name": "brightness"}, {"name": "mean_brightness"}]
    config = make_config(tmp_path, metrics=both, tables=[])
    for run in ("whole", "damaged"):
        make_config(tmp_path, metrics=[{"name": "psnr"}], tables=[])
        assert bench("run", config, "-o", tmp_path / run)[0] == 0
    made = records(tmp_path / "damaged", GENERATIONS)
    victim = next(r for r in made.values() if r["method"] == "dimmed")
    video = tmp_path / "damaged" / str(victim["video"])
    damage(video)
    make_config(tmp_path, metrics=both, tables=[])
    for run in ("whole", "damaged"):
        with caplog.at_level(logging.WARNING):
            assert bench("run", config, "-o", tmp_path / run)[0] == 0
    assert f"{video}: is damaged" in caplog.text
    assert file_sha256(video) == victim["sha256"]
    for name in (GENERATIONS, MEASUREMENTS):
        assert records(tmp_path / "damaged", name) == records(tmp_path / "whole", name)
    again = list(read_records(tmp_path / "damaged" / GENERATIONS))
    assert len(again) == len(made) + 1  # the old record stays


def test_a_set_metric_reads_no_damaged_video(tmp_path: Path) -> None:
    make_manifest(tmp_path / "data")
    config = make_config(tmp_path, metrics=[{"name": "brightness"}], tables=[])
    for run in ("whole", "damaged"):
        make_config(tmp_path, metrics=[{"name": "brightness"}], tables=[])
        assert bench("run", config, "-o", tmp_path / run)[0] == 0
    made = records(tmp_path / "damaged", GENERATIONS).values()
    flip(tmp_path / "damaged" / next(str(r["video"]) for r in made if r["method"] == "still"))
    make_config(tmp_path, metrics=[{"name": "brightness"}, {"name": "mean_brightness"}], tables=[])
    for run in ("whole", "damaged"):
        assert bench("run", config, "-o", tmp_path / run)[0] == 0
    whole, damaged = (records(tmp_path / run, MEASUREMENTS) for run in ("whole", "damaged"))
    assert whole == damaged


@pytest.mark.parametrize("damage", [flip, empty])
def test_a_damaged_clip_in_the_cache_is_conformed_again(tmp_path: Path, damage: Damage) -> None:
    source = make_clip(tmp_path / "odd.mp4", 1)
    clip = Clip("odd", source.rename(tmp_path / "odd.mov"))
    first = conform_clip(clip, cache=tmp_path / "cache")
    assert first.path != clip.video
    damage(first.path)
    again = conform_clip(clip, cache=tmp_path / "cache")
    assert again == first
    assert file_sha256(again.path) == first.sha256


def test_a_manifests_sha256_is_verified(tmp_path: Path) -> None:
    make_manifest(tmp_path / "data", ("good", "other", "fine"))
    clips = [
        Clip(
            name,
            tmp_path / "data" / f"{name}.mp4",
            split="test",
            speaker=name,
            box=(4.0, 4.0, 24.0, 24.0),
            sha256=content_digest(Clip(name, tmp_path / "data" / f"{name}.mp4")),
        )
        for name in ("good", "other", "fine")
    ]
    write_manifest(tmp_path / "data" / "manifest.csv", clips)
    config = make_config(tmp_path)
    assert bench("run", config, "-o", tmp_path / "before")[0] == 0
    make_clip(tmp_path / "data" / "other.mp4", 77)
    found = file_sha256(tmp_path / "data" / "other.mp4")
    code, _ = bench("run", config, "-o", tmp_path / "run")
    assert code == 1
    for record in records(tmp_path / "run", GENERATIONS).values():
        touched = "other" in str(record["case"])
        assert (record["status"] == "failed") == touched
        if touched:
            reason = str(record["reason"])
            assert "other.mp4" in reason
            assert found in reason
            assert clips[1].sha256 in reason


def test_a_flipped_bit_never_changes_a_cached_track(tmp_path: Path) -> None:
    import numpy as np

    from bench.ground.types import Track

    rows = np.arange(12, dtype=np.float32).reshape(3, 4)
    track = Track(rows, rows + 1, np.array([True, False, True]), "haar")
    other = Track(rows + 2, rows + 3, np.array([True, True, True]), "haar")
    store = FeatureStore(tmp_path)
    store.get("faces", "ab12", track.arrays)
    (path,) = tmp_path.rglob("*.npz")
    whole = path.read_bytes()
    changed = 0
    for place in range(len(whole)):
        data = bytearray(whole)
        data[place] ^= 1 << place % 8
        path.write_bytes(data)
        read = Track.of(store.get("faces", "ab12", other.arrays))
        wanted = other if np.array_equal(read.boxes, other.boxes) else track
        changed += wanted is other
        assert np.array_equal(read.boxes, wanted.boxes)
        assert np.array_equal(read.mouths, wanted.mouths)
        assert np.array_equal(read.found, wanted.found)
    assert changed > len(whole) // 2


def test_a_file_that_replaced_another_is_digested_again(tmp_path: Path) -> None:
    import time

    from bench.data.manifest import SETTLED_NS, file_digest

    one, two = tmp_path / "one", tmp_path / "two"
    one.write_bytes(b"first")
    two.write_bytes(b"other")
    for path in (one, two):
        os.utime(path, ns=(10**18, 10**18))
    time.sleep(2 * SETTLED_NS / 1e9)
    before = file_digest(one)
    assert (cache_dir() / "digests").is_dir()
    two.replace(one)  # of the same size and time
    assert file_digest(one) == file_sha256(one) != before
