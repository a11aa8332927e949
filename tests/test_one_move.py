"""Files and folders that appear whole or not at all."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.one_move import in_one_move


def test_a_file_takes_the_place_of_an_older_one_at_the_end_only(tmp_path: Path) -> None:
    target = tmp_path / "deeper" / "note"
    for text in ("first", "second"):
        before = target.read_text() if target.exists() else None
        with in_one_move(target) as part:
            part.write_text(text)
            assert (target.read_text() if target.exists() else None) == before
        assert target.read_text() == text
    assert list(target.parent.iterdir()) == [target]


@pytest.mark.parametrize("is_folder", [False, True])
def test_nothing_is_left_where_the_making_fails(tmp_path: Path, is_folder: bool) -> None:
    def make() -> None:
        with in_one_move(tmp_path / "made") as part:
            part.mkdir() if is_folder else part.touch()
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        make()
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_another_process_made_meanwhile_stays(tmp_path: Path) -> None:
    target = tmp_path / "made"
    with in_one_move(target) as ours:
        ours.mkdir()
        (ours / "file").write_text("ours")
        with in_one_move(target) as theirs:
            theirs.mkdir()
            (theirs / "file").write_text("theirs")
    assert (target / "file").read_text() == "theirs"
    assert list(tmp_path.iterdir()) == [target]


def test_a_file_in_the_place_of_a_folder_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "made").touch()
    with pytest.raises(OSError, match="made"), in_one_move(tmp_path / "made") as part:
        part.mkdir()
