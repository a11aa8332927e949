"""Fixtures that every test may use; the suite needs neither network nor the development data."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


def shared_folder() -> Path | None:
    """The development data: $BENCH_SHARED, else ../shared beside the checkout, else None."""
    named = os.environ.get("BENCH_SHARED")
    folder = Path(named) if named else ROOT.parent / "shared"
    return folder if folder.is_dir() else None


def shared_clips() -> list[str]:
    """The names of the development data's single clips; one that stands for them without."""
    folder = shared_folder()
    clips = [] if folder is None else sorted((folder / "data" / "clips").iterdir())
    return [path.name for path in clips] or ["all of them"]


@pytest.fixture(scope="session")
def shared() -> Path:
    """The development data; tests that ask for it are skipped, and counted, without it."""
    folder = shared_folder()
    if folder is None:
        pytest.skip("development data not here (set BENCH_SHARED)")
    return folder


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Gives every test a cache of its own, so that no test sees another's or the user's files."""
    folder = tmp_path / "cache"
    monkeypatch.setenv("BENCH_CACHE", str(folder))
    return folder
