"""Manifests: what is read, what is refused, and the messages; ids and digests."""

from __future__ import annotations

import hashlib
import os
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.data.manifest import (
    SETTLED_NS,
    check_id,
    clip_digest,
    content_digest,
    file_digest,
    plain_id,
    read_manifest,
    write_manifest,
)
from bench.files.paths import cache_dir
from bench.ground.errors import BenchError
from bench.ground.types import Clip

DIGEST = "ab" * 32


def make_file(path: Path, data: bytes = b"media") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


def manifest(folder: Path, *lines: str, name: str = "manifest.csv") -> Path:
    path = folder / name
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def problems(path: Path) -> list[str]:
    with pytest.raises(BenchError) as caught:
        read_manifest(path)
    return str(caught.value).splitlines()


def test_a_written_manifest_is_read_back(tmp_path: Path) -> None:
    clips = [
        Clip("plain", make_file(tmp_path / "a.mp4")),
        Clip(
            "blank and ünïcode 桂林",
            make_file(tmp_path / "video" / "b c.mp4"),
            make_file(tmp_path / "audio" / "b c.wav"),
            speaker="s1",
            language="zh",
            split="test",
            text='comma, "quote"\nand two lines',
            box=(1.5, -2, 30, 40.25),
            sha256=DIGEST,
        ),
    ]
    write_manifest(tmp_path / "manifest.csv", clips)
    assert read_manifest(tmp_path / "manifest.csv") == clips


def test_a_root_line_lets_a_manifest_be_elsewhere(tmp_path: Path) -> None:
    data = tmp_path / "read only"
    clips = [Clip("a", make_file(data / "a.mp4"))]
    path = tmp_path / "mine" / "manifest.csv"
    write_manifest(path, clips, root=data)
    assert path.read_text(encoding="utf-8").startswith(f"# root: {data}\n")
    assert read_manifest(path) == clips


def test_relative_root_moves_with_the_folder(tmp_path: Path) -> None:
    old, new = tmp_path / "old", tmp_path / "new"
    write_manifest(
        old / "m.csv", [Clip("a", make_file(old / "media" / "a.mp4"))], root=old / "media"
    )
    old.rename(new)
    assert read_manifest(new / "m.csv")[0].video == new / "media" / "a.mp4"


def test_split_selects_clips_and_an_unknown_one_lists_the_splits(tmp_path: Path) -> None:
    make_file(tmp_path / "a.mp4")
    path = manifest(tmp_path, "id,video,split", "x,a.mp4,train", "y,a.mp4,test")
    assert [clip.id for clip in read_manifest(path, split="test")] == ["y"]
    with pytest.raises(BenchError, match=r"'tset'.*test, train"):
        read_manifest(path, split="tset")


def test_all_problems_are_reported_at_once_with_line_and_column(tmp_path: Path) -> None:
    make_file(tmp_path / "a.mp4")
    path = manifest(
        tmp_path,
        "id,video,box,sha256",
        "good,a.mp4,,",
        "good,a.mp4,,",
        "../up,a.mp4,,",
        "far,../a.mp4,,",
        "box,a.mp4,1 2 3,",
        "thin,a.mp4,1 2 0 4,",
        "nan,a.mp4,nan 2 3 4,",
        "digest,a.mp4,,xyz",
        "cells,a.mp4",
        "abs,/etc/passwd,,",
        "none,,,",
    )
    found = problems(path)
    starts = [line.removeprefix(f"{path}:").split(": ")[0:2] for line in found]
    assert [start[0] for start in starts] == [str(n) for n in range(3, 13)]
    columns = [start[1] for start in starts]
    assert columns[:7] == ["id", "id", "video", "box", "box", "box", "sha256"]
    assert columns[8:] == ["video", "video"]
    assert "line 2" in found[0]
    assert "has 2 cells, the header has 4" in found[7]


def test_more_than_twenty_problems_are_counted(tmp_path: Path) -> None:
    path = manifest(tmp_path, "id,video", *(f"c{n},../none.mp4" for n in range(50)))
    found = problems(path)
    assert len(found) == 21
    assert "and 30 more problems" in found[-1]


def test_unknown_column_gets_a_suggestion(tmp_path: Path) -> None:
    (found,) = problems(manifest(tmp_path, "id,video,speeker", "a,a.mp4,s1"))
    assert "speeker" in found
    assert "'speaker'" in found


def test_missing_column_is_named(tmp_path: Path) -> None:
    (found,) = problems(manifest(tmp_path, "id,text", "a,b"))
    assert ":1: video: column missing" in found


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "is empty"),
        (b"\n \n", "is empty"),
        (b"# root: .\n", "is empty"),
        (b"id,video\n", "has no clips"),
        (b"id,video\n\xff\xfe,a.mp4\n", ":2: the byte ff is not utf-8"),
        (b'id,video\n"a,a.mp4\n', "is not csv"),
        (b"# root: gone\nid,video\na,a.mp4\n", "no folder 'gone'"),
    ],
)
def test_files_that_are_no_manifest_are_refused(tmp_path: Path, data: bytes, reason: str) -> None:
    path = make_file(tmp_path / "manifest.csv", data)
    with pytest.raises(BenchError) as caught:
        read_manifest(path)
    assert reason in str(caught.value)
    assert str(path) in str(caught.value)


def test_missing_manifest_and_folder_are_refused(tmp_path: Path) -> None:
    for path in (tmp_path / "none.csv", tmp_path):
        with pytest.raises(BenchError, match="cannot be read"):
            read_manifest(path)


def test_byte_order_marks_and_line_ends_of_spreadsheets_are_accepted(tmp_path: Path) -> None:
    make_file(tmp_path / "a.mp4")
    path = make_file(tmp_path / "m.csv", b"\xef\xbb\xbfid,video,text\r\na,a.mp4,hello\r\n\r\n")
    assert read_manifest(path)[0].text == "hello"


def test_links_must_not_lead_out_of_the_root(tmp_path: Path) -> None:
    outside = make_file(tmp_path / "outside" / "a.mp4")
    root = tmp_path / "root"
    inside = make_file(root / "real" / "b.mp4")
    (root / "file.mp4").symlink_to(outside)
    (root / "folder").symlink_to(outside.parent)
    (root / "good.mp4").symlink_to(inside)
    found = problems(manifest(root, "id,video", "a,file.mp4", "b,folder/a.mp4", "c,good.mp4"))
    assert len(found) == 2
    assert all("link out of the root" in line for line in found)


def test_writing_refuses_repeated_ids_files_outside_and_no_clips(tmp_path: Path) -> None:
    inside, outside = make_file(tmp_path / "in" / "a.mp4"), make_file(tmp_path / "b.mp4")
    path = tmp_path / "in" / "manifest.csv"
    for clips, reason in (
        ([], "no clips"),
        ([Clip("a", inside), Clip("a", inside)], "more than one"),
        ([Clip("a", outside)], "not below the root"),
        ([Clip("a/b", inside)], "character"),
    ):
        with pytest.raises(BenchError, match=reason):
            write_manifest(path, clips)
    assert not path.exists()


def test_each_folder_of_fifteen_thousand_rows_is_resolved_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Resolving a path asks for each of its parts: done for 15,000 files it takes seconds."""
    for folder in range(150):
        (tmp_path / f"f{folder}").mkdir()
    lines = ["id,video,speaker,split,text"]
    for number in range(15_000):
        name = f"f{number % 150}/{number}.mp4"
        (tmp_path / name).touch()
        lines.append(f"c{number},{name},s{number % 11},test,some words")
    path = manifest(tmp_path, *lines)
    resolved: list[object] = []
    resolve = os.path.realpath

    def counted(place: object, **named: object) -> object:
        resolved.append(place)
        return resolve(place, **named)

    monkeypatch.setattr(os.path, "realpath", counted)
    assert len(read_manifest(path)) == 15_000
    assert 150 <= len(resolved) < 200


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a/b",
        "a\\b",
        ".hidden",
        "..",
        "a\nb",
        "a\0b",
        " a",
        "a ",
        "a+b",
        "a~b",
        "x" * 101,
        "é" * 51,
    ],
)
def test_bad_ids_are_refused(text: str) -> None:
    with pytest.raises(BenchError):
        check_id(text)


@pytest.mark.parametrize("text", ["a", "s1-bbaf2n", "two words", "桂林山水", "a.b.c", "x" * 100])
def test_valid_ids_are_accepted(text: str) -> None:
    assert check_id(text) == text
    assert plain_id(text) == text


@given(st.text())
def test_plain_id_accepts_any_text(text: str) -> None:
    assert check_id(plain_id(text)) == plain_id(text)


def test_long_texts_with_equal_ends_get_different_ids() -> None:
    assert plain_id("a" * 80 + "x" + "b" * 80) != plain_id("a" * 80 + "y" + "b" * 80)


def test_file_digest_is_sha256_and_cached(tmp_path: Path) -> None:
    path = make_file(tmp_path / "a.bin", b"some content")
    os.utime(path, ns=(10**18, 10**18))
    expected = hashlib.sha256(b"some content").hexdigest()
    time.sleep(2 * SETTLED_NS / 1e9)  # a file's change time cannot be set
    assert file_digest(path) == expected
    (note,) = (cache_dir() / "digests").glob("*/*")
    note.write_text("cd" * 32)
    assert file_digest(path) == "cd" * 32  # read from the cache
    note.write_text("torn")
    assert file_digest(path) == expected


def test_file_digest_sees_a_change_of_size_or_time(tmp_path: Path) -> None:
    path = make_file(tmp_path / "a.bin", b"one")
    os.utime(path, ns=(10**18, 10**18))
    first = file_digest(path)
    path.write_bytes(b"two")
    assert file_digest(path) != first
    os.utime(path, ns=(10**18 + 1, 10**18 + 1))
    assert file_digest(path) == hashlib.sha256(b"two").hexdigest()


def test_file_digest_does_not_trust_a_file_that_changed_just_now(tmp_path: Path) -> None:
    path = make_file(tmp_path / "a.bin", b"one")
    file_digest(path)
    assert not (cache_dir() / "digests").exists()


def test_file_digest_works_in_many_threads_and_without_a_cache(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = make_file(tmp_path / "a.bin", b"x" * 100_000)
    os.utime(path, ns=(10**18, 10**18))
    with ThreadPoolExecutor(8) as pool:
        assert len(set(pool.map(file_digest, [path] * 40))) == 1
    monkeypatch.setenv("BENCH_CACHE", str(path))  # a file: no folder can be created there
    assert file_digest(path) == hashlib.sha256(b"x" * 100_000).hexdigest()


def test_file_digest_of_a_missing_file_is_a_plain_error(tmp_path: Path) -> None:
    with pytest.raises(BenchError, match=r"none\.mp4: cannot be read"):
        file_digest(tmp_path / "none.mp4")


def test_clip_digest_covers_both_files_and_trusts_the_manifest(tmp_path: Path) -> None:
    video, audio = make_file(tmp_path / "a.mp4", b"v"), make_file(tmp_path / "a.wav", b"a")
    together = Clip("a", video, audio)
    assert clip_digest(together) == content_digest(together) != clip_digest(Clip("a", video))
    assert clip_digest(Clip("a", video, sha256=DIGEST)) == DIGEST
