"""Files and folders appear whole or not at all."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from bench.files.one_move import in_one_move, sweep
from tests.conftest import ROOT


def test_a_file_replaces_an_older_one_only_at_the_end(tmp_path: Path) -> None:
    target = tmp_path / "deeper" / "note"
    for text in ("first", "second"):
        before = target.read_text() if target.exists() else None
        with in_one_move(target) as part:
            part.write_text(text)
            assert (target.read_text() if target.exists() else None) == before
        assert target.read_text() == text
    assert list(target.parent.iterdir()) == [target]


@pytest.mark.parametrize("is_folder", [False, True])
def test_nothing_is_left_if_writing_fails(tmp_path: Path, is_folder: bool) -> None:
    def make() -> None:
        with in_one_move(tmp_path / "made") as part:
            part.mkdir() if is_folder else part.touch()
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        make()
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_another_process_wrote_meanwhile_stays(tmp_path: Path) -> None:
    target = tmp_path / "made"
    with in_one_move(target) as ours:
        ours.mkdir()
        (ours / "file").write_text("ours")
        with in_one_move(target) as theirs:
            theirs.mkdir()
            (theirs / "file").write_text("theirs")
    assert (target / "file").read_text() == "theirs"
    assert list(tmp_path.iterdir()) == [target]


def test_a_folder_cannot_replace_a_file(tmp_path: Path) -> None:
    (tmp_path / "made").touch()
    with pytest.raises(OSError, match="made"), in_one_move(tmp_path / "made") as part:
        part.mkdir()


def test_parts_of_ended_processes_are_removed(tmp_path: Path) -> None:
    script = (
        "import os, sys\n"
        "from pathlib import Path\n"
        "from bench.files.one_move import in_one_move\n"
        "moves = []\n"
        "for name in ('file', 'folder'):\n"
        "    moves.append(in_one_move(Path(sys.argv[1]) / name))\n"
        "    part = moves[-1].__enter__()\n"
        "    part.mkdir() if name == 'folder' else part.touch()\n"
        "    (part / 'inner').touch() if name == 'folder' else None\n"
        "os._exit(1)\n"
    )
    deeper = tmp_path / "deeper"
    for folder in (tmp_path, deeper):
        subprocess.run([sys.executable, "-c", script, str(folder)], cwd=ROOT, check=False)
        assert len([path for path in folder.iterdir() if path.suffix == ".part"]) == 2
    with in_one_move(tmp_path / "ours") as ours:
        ours.touch()
        assert [path for path in tmp_path.iterdir() if path.suffix == ".part"] == [ours]
        sweep(tmp_path)
        assert ours.exists()  # of a running process
    assert list(deeper.iterdir()) == []
    assert sorted(path.name for path in tmp_path.iterdir()) == ["deeper", "ours"]


def test_a_part_of_another_machine_stays_for_a_week(tmp_path: Path) -> None:
    fresh, old = (tmp_path / f".0badcafe-1-1-{letter * 32}.part" for letter in "ab")
    unnamed = tmp_path / f".{'c' * 32}.part"  # the form of an earlier version
    mine = tmp_path / "keep.part"
    for path in (fresh, old, unnamed, mine):
        path.touch()
    for path in (old, mine):
        os.utime(path, (0, 0))
    sweep(tmp_path)
    assert sorted(tmp_path.iterdir()) == sorted([fresh, unnamed, mine])


def test_bytes_are_on_the_disk_before_their_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[str] = []
    sync, replace = os.fsync, Path.replace

    def synced(handle: int) -> None:
        place = os.readlink(f"/proc/self/fd/{handle}")  # noqa: PTH115
        seen.append("folder" if Path(place).is_dir() else "file")
        sync(handle)

    def replaced(self: Path, target: Path) -> Path:
        seen.append("name")
        return replace(self, target)

    monkeypatch.setattr(os, "fsync", synced)
    monkeypatch.setattr(Path, "replace", replaced)
    with in_one_move(tmp_path / "made") as part:
        part.write_text("bytes")
    assert seen == ["file", "name", "folder"]
