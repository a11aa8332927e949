"""What is kept of a feature: arrays or a reason, computed once, below a limit, and whole."""

from __future__ import annotations

import os
import threading
import time
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from bench.contract.video import Arrays
from bench.features.store import FeatureStore, limit_bytes
from bench.files.lock import locked
from bench.ground.errors import BenchError, Undefined


def never() -> Arrays:
    raise AssertionError("it is kept already")


def files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def noise(seed: int, size: int = 1000) -> Arrays:
    """Arrays of about 4 bytes a number, which no compression makes smaller."""
    return {"noise": np.random.default_rng(seed).integers(0, 2**32, size, dtype=np.uint32)}


def test_arrays_come_back_as_they_were(tmp_path: Path) -> None:
    given = {
        "file": np.arange(6, dtype=np.float16).reshape(2, 3),
        "name": np.array("haar"),
        "reason": np.array([], dtype=bool),
        "many": np.asfortranarray(np.ones((3, 4), np.float32)),
    }
    FeatureStore(tmp_path).get("one", "ab12", lambda: given)
    found = FeatureStore(tmp_path).get("one", "ab12", never)
    assert set(found) == set(given)
    for name, array in given.items():
        assert found[name].dtype == array.dtype
        assert np.array_equal(found[name], array)
    (kept,) = files(tmp_path)
    assert kept == tmp_path / "one" / "ab" / "ab12.npz"
    with np.load(kept) as opened:  # what anybody may read
        assert set(opened.files) == set(given)


def test_a_reason_is_kept_as_well_and_other_errors_are_not(tmp_path: Path) -> None:
    def absent() -> Arrays:
        raise Undefined("nobody is there: 没有人")

    def broken() -> Arrays:
        raise RuntimeError("no such layer")

    with pytest.raises(Undefined, match="没有人"):
        FeatureStore(tmp_path).get("one", "k1", absent)
    with pytest.raises(Undefined, match="没有人"):
        FeatureStore(tmp_path).get("one", "k1", never)
    with pytest.raises(RuntimeError):
        FeatureStore(tmp_path).get("one", "k2", broken)
    assert "noise" in FeatureStore(tmp_path).get("one", "k2", lambda: noise(1))


@pytest.mark.parametrize("damage", ["empty", "torn", "flipped", "other"])
def test_a_damaged_file_is_made_again(tmp_path: Path, damage: str) -> None:
    store = FeatureStore(tmp_path)
    store.get("one", "k1", lambda: noise(1))
    (path,) = files(tmp_path)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    torn = path.read_bytes()[: len(content) // 2]
    path.write_bytes(
        {"empty": b"", "torn": torn, "flipped": content, "other": b"\x93NUMPY"}[damage]
    )
    assert np.array_equal(store.get("one", "k1", lambda: noise(1))["noise"], noise(1)["noise"])
    assert np.array_equal(store.get("one", "k1", never)["noise"], noise(1)["noise"])


def test_a_file_with_a_pickle_is_not_believed(tmp_path: Path) -> None:
    store = FeatureStore(tmp_path)
    store.get("one", "k1", lambda: noise(1))
    (path,) = files(tmp_path)
    with zipfile.ZipFile(path, "w") as archive, archive.open("noise.npy", "w") as member:
        np.lib.format.write_array(member, np.array([{}, print], object), allow_pickle=True)
    assert store.get("one", "k1", lambda: noise(1))["noise"].dtype == np.uint32


def test_whoever_asks_at_the_same_time_waits_and_computes_nothing(tmp_path: Path) -> None:
    calls: list[int] = []
    start = threading.Barrier(8)

    def slow() -> Arrays:
        calls.append(1)
        time.sleep(0.2)
        return noise(1)

    def ask(_: int) -> Arrays:
        start.wait()
        return FeatureStore(tmp_path).get("one", "k1", slow)

    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(ask, range(8)))
    assert len(calls) == 1
    assert all(np.array_equal(each["noise"], noise(1)["noise"]) for each in found)
    assert [path.name for path in files(tmp_path)] == ["k1.npz"]  # no lock stays


def test_a_lock_that_goes_with_its_holder_lets_one_in_at_a_time(tmp_path: Path) -> None:
    path, inside, most = tmp_path / "locks" / "one.lock", [], []

    def work(number: int) -> None:
        for _ in range(30):
            with locked(path, lasting=False):
                inside.append(number)
                most.append(len(inside))
                time.sleep(0.0005)
                inside.remove(number)

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(work, range(6)))
    assert max(most) == 1
    assert len(most) == 180
    assert not path.exists()


def test_all_files_stay_below_the_limit_and_the_longest_unused_go(tmp_path: Path) -> None:
    store = FeatureStore(tmp_path, limit=50_000)  # about twelve of them
    for number in range(40):
        store.get("one", f"k{number:02}", lambda number=number: noise(number))  # type: ignore[misc]
        store.get("one", "k00", lambda: noise(0))  # used all the time
        assert sum(path.stat().st_size for path in files(tmp_path)) <= 50_000
    names = [path.stem for path in files(tmp_path)]
    assert "k00" in names
    assert "k39" in names
    assert "k01" not in names
    assert len(names) > 8


def test_files_of_others_count(tmp_path: Path) -> None:
    first, second = FeatureStore(tmp_path, limit=50_000), FeatureStore(tmp_path, limit=50_000)
    for number in range(30):
        for name, store in (("a", first), ("b", second)):
            store.get(name, f"k{number:02}", lambda number=number: noise(number))  # type: ignore[misc]
    assert sum(path.stat().st_size for path in files(tmp_path)) <= 50_000 * 1.1


def test_with_no_room_at_all_nothing_is_kept(tmp_path: Path) -> None:
    store = FeatureStore(tmp_path, limit=0)
    assert "noise" in store.get("one", "k1", lambda: noise(1))
    assert files(tmp_path) == []


@pytest.mark.parametrize(("text", "expected"), [("", 20 << 30), ("0.5", 1 << 29), ("0", 0)])
def test_the_limit_is_the_environments(
    monkeypatch: pytest.MonkeyPatch, text: str, expected: int
) -> None:
    monkeypatch.setenv("BENCH_FEATURES_GIB", text)
    assert limit_bytes() == expected


@pytest.mark.parametrize("text", ["much", "-1", "nan", "inf", "20 GB"])
def test_a_limit_that_is_no_size_is_told(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setenv("BENCH_FEATURES_GIB", text)
    with pytest.raises(BenchError, match=r"BENCH_FEATURES_GIB.*expected how many GiB"):
        limit_bytes()


def test_a_cache_that_may_only_be_read_is_read(tmp_path: Path) -> None:
    FeatureStore(tmp_path).get("one", "k1", lambda: noise(1))
    (path,) = files(tmp_path)
    path.chmod(0o444)
    os.utime(path, (1, 1))
    for folder in (path.parent, tmp_path / "locks", tmp_path):
        folder.chmod(0o555)
    try:
        assert "noise" in FeatureStore(tmp_path).get("one", "k1", never)
    finally:
        for folder in (tmp_path, tmp_path / "locks", path.parent):
            folder.chmod(0o755)
