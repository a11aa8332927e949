"""Imports a folder in the Hugging Face layout: videos, and a table with their `file_name`.

The table is `metadata.csv` or `metadata.jsonl`, at the root or in a folder of each split; its file
names are relative to its own folder. `NAME_file_name` names a file, too: `audio_file_name`, the
sound of its own. A split is named by the column `split`, else by a folder on the way to the file.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Mapping
from pathlib import Path

from bench.contract.importer import Imported
from bench.data.manifest import plain_id
from bench.data.tree import SOUNDS, VIDEOS, Tree, counted, text_of, without_ending
from bench.ground.errors import BenchError
from bench.ground.types import Clip

TABLES = ("metadata.csv", "metadata.jsonl")
UNREAD = "metadata.parquet"
_VIDEO_COLUMNS = ("file_name", "video_file_name", "video")
_SOUND_COLUMNS = ("audio_file_name", "sound_file_name", "audio")
_TEXTS = ("text", "transcription", "transcript", "sentence", "caption")
_SPEAKERS = ("speaker", "speaker_id", "identity", "person")
_LANGUAGES = ("language", "lang", "locale")
_SPLITS = {  # folder names that the Hub takes for splits, and what they are called here
    "train": "train",
    "training": "train",
    "validation": "val",
    "valid": "val",
    "val": "val",
    "dev": "val",
    "test": "test",
    "testing": "test",
    "eval": "test",
    "evaluation": "test",
}


def import_huggingface(root: Path) -> Imported:
    """The videos that the tables below `root` name, in the order of the tables.

    Ids are the paths with hyphens. Raises BenchError where there is no table, or none that can be
    read, or no video is left.
    """
    tree = Tree(root)
    tables = [file for file in tree.files if file.name in TABLES]
    if not tables:
        unread = [file for file in tree.files if file.name == UNREAD]
        way = f" {unread[0]} is not read: save it as csv." if unread else ""
        raise BenchError(
            f"{root}: is no folder in the Hugging Face layout. Looked for {' or '.join(TABLES)}."
            f"{way} For videos without a table: bench data import folder."
        )
    clips: dict[str, Clip] = {}
    dropped: list[tuple[str, str]] = []
    for table in tables:
        tree.use(table)
        for line, row in _rows(table):
            where = f"{table.relative_to(root).as_posix()}:{line}"
            try:
                clip = _clip(tree, table.parent, row)
            except BenchError as error:
                dropped.append((where, str(error)))
                continue
            if clip.id in clips:
                dropped.append((where, f"names the same video as another line: {clip.id}"))
            else:
                clips[clip.id] = clip
    if not clips:
        first = f" The first, {dropped[0][0]}: {dropped[0][1]}" if dropped else ""
        raise BenchError(f"{root}: no line of {tables[0].name} gives a video.{first}")
    notes = tree.unused_note({*VIDEOS, *SOUNDS})
    if left := tree.unused(VIDEOS):
        example = left[0].relative_to(root).as_posix()
        notes.append(f"videos that no table names: {counted(left)} ({example})")
    return Imported(list(clips.values()), dropped, notes)


def _rows(table: Path) -> Iterator[tuple[int, dict[str, str]]]:
    """The rows with their lines. Raises BenchError where the table is broken as a whole."""
    text = text_of(table)
    if table.suffix == ".csv":
        reader = csv.DictReader(io.StringIO(text), strict=True)
        try:
            for row in reader:
                yield reader.line_num, {key: value or "" for key, value in row.items() if key}
        except csv.Error as error:
            raise BenchError(f"{table}:{reader.line_num}: is not csv: {error}.") from error
        return
    for line, content in enumerate(text.splitlines(), start=1):
        if not content.strip():
            continue
        try:
            entry = json.loads(content)
        except ValueError as error:
            raise BenchError(f"{table}:{line}: is not JSON: {error}.") from error
        if not isinstance(entry, dict):
            raise BenchError(f"{table}:{line}: is no JSON object with keys and values.")
        yield line, {key: str(value) for key, value in entry.items() if value is not None}


def _clip(tree: Tree, folder: Path, row: Mapping[str, str]) -> Clip:
    named = _first(row, _VIDEO_COLUMNS)
    if not named:
        raise BenchError(f"has no {_VIDEO_COLUMNS[0]}")
    video = _file(tree, folder, named)
    if video.suffix.lower() not in VIDEOS:
        raise BenchError(f"{named} is no video")
    sound = _first(row, _SOUND_COLUMNS)
    audio = _file(tree, folder, sound) if sound else tree.named(without_ending(video), SOUNDS)
    relative = video.relative_to(tree.root)
    split = row.get("split", "").strip() or next(
        (part for part in relative.parts[:-1] if part.lower() in _SPLITS), ""
    )
    return Clip(
        plain_id("-".join(relative.with_suffix("").parts)),
        video,
        audio,
        speaker=_first(row, _SPEAKERS),
        language=_first(row, _LANGUAGES),
        split=_SPLITS.get(split.lower(), split),
        text=" ".join(_first(row, _TEXTS).split()),
    )


def _first(row: Mapping[str, str], columns: tuple[str, ...]) -> str:
    """The first of these columns that has something in it."""
    return next((row[name].strip() for name in columns if row.get(name, "").strip()), "")


def _file(tree: Tree, folder: Path, name: str) -> Path:
    """Raises BenchError for a file that is not there, or not below the root."""
    path = Path(name)
    if path.is_absolute() or ".." in path.parts:
        raise BenchError(f"{name} is not a path below the table's folder")
    if not (folder / path).is_file():
        raise BenchError(f"no file {name}")
    return tree.use(folder / path)
