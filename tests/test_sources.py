"""Sources of clips: an embedded corpus is not rendered twice for a limit."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.data import synth
from bench.data.manifest import write_manifest
from bench.data.sources import Source, open_source
from bench.ground.types import Clip

CORPUS = Source(name="synth", corpus="synth-en")


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch, own_cache: Path) -> list[int | None]:
    """The builds that were requested of a fake corpus, whose clips are empty files."""
    asked: list[int | None] = []

    def build(name: str, split: str = "test", *, clips: int | None = None, **_: object) -> Path:
        asked.append(clips)
        count = 24 if clips is None else clips
        folder = own_cache / "corpora" / f"{name}-{synth.CORPORA[name]}"
        place = folder / (split if clips is None else f"{split}-{clips}")
        place.mkdir(parents=True)
        clips_made = [
            Clip(f"c{i:02d}", place / f"{i:02d}.mp4", sha256=f"{i:064x}") for i in range(count)
        ]
        write_manifest(place / "manifest.csv", clips_made)
        return place / "manifest.csv"

    monkeypatch.setattr(synth, "build", build)
    return asked


def opened(clips: int | None, split: str = "test") -> list[str]:
    found = open_source(CORPUS, split, Path(), importers={}, clips=clips)
    return [clip.id for clip in found.clips]


def test_a_limit_uses_an_existing_split(made: list[int | None]) -> None:
    assert len(opened(None)) == 24
    assert opened(3) == ["c00", "c01", "c02"]
    assert made == [None]


def test_a_limit_uses_an_existing_larger_part(made: list[int | None]) -> None:
    opened(10)
    assert opened(4) == ["c00", "c01", "c02", "c03"]
    assert made == [10]


def test_more_clips_or_other_splits_are_rendered(made: list[int | None]) -> None:
    opened(4)
    assert len(opened(10)) == 10
    assert len(opened(4, "val")) == 4
    assert made == [4, 10, 4]
