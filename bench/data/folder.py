"""Imports any folder of videos, searched to the bottom.

A text file of the same name beside a video is its text, a wav file of the same name its sound, and
the folder that holds it its speaker (none for videos that lie directly in the root). Hidden files
and folders are passed over. There are no splits.
"""

from __future__ import annotations

from pathlib import Path

from bench.data.manifest import Imported, plain_id
from bench.errors import BenchError
from bench.types import Clip

ENDINGS = frozenset({".mp4", ".avi", ".mov", ".mkv", ".mpg", ".mpeg", ".webm", ".m4v"})


def import_folder(root: Path) -> Imported:
    """All videos under `root` in the order of their paths; the ids are their paths with hyphens.

    Raises BenchError if `root` is no folder or holds no video.
    """
    if not root.is_dir():
        raise BenchError(f"{root}: is no folder. Name the folder that holds the videos.")
    clips: list[Clip] = []
    dropped: list[tuple[str, str]] = []
    taken: dict[str, Path] = {}
    for file in sorted(root.rglob("*")):
        relative = file.relative_to(root)
        if file.suffix.lower() not in ENDINGS or any(
            part.startswith(".") for part in relative.parts
        ):
            continue
        if not file.is_file():
            dropped.append((relative.as_posix(), "is no file"))
            continue
        identity = plain_id("-".join(relative.with_suffix("").parts))
        first = taken.setdefault(identity, relative)
        if first != relative:
            reason = f"would have the same id as {first.as_posix()}: {identity}"
            dropped.append((relative.as_posix(), reason))
            continue
        clips.append(_clip(identity, file, is_in_root=file.parent == root))
    if not clips:
        known = ", ".join(sorted(ENDINGS))
        raise BenchError(f"{root}: has no videos. Looked for files that end in {known}.")
    return Imported(clips, dropped)


def _clip(identity: str, file: Path, *, is_in_root: bool) -> Clip:
    text, audio = file.with_suffix(".txt"), file.with_suffix(".wav")
    return Clip(
        identity,
        file,
        audio if audio.is_file() else None,
        speaker="" if is_in_root else file.parent.name,
        text=_one_line(text) if text.is_file() else "",
    )


def _one_line(file: Path) -> str:
    return " ".join(file.read_text(encoding="utf-8-sig", errors="replace").split())
