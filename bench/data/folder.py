"""Imports any folder of videos, searched to the bottom.

Beside a video lie its text (`.txt`) and its sound (`.wav`, `.m4a`, ...) under the same name, and
the folder that holds it is its speaker (none for videos that lie directly in the root). Where a
data set keeps them elsewhere, a `Layout` says so, which may name splits, too; else there are none.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from bench.contract.importer import Imported
from bench.data.manifest import plain_id
from bench.data.tree import SOUNDS, TEXTS, VIDEOS, Tree, counted, text_of, without_ending
from bench.errors import BenchError
from bench.types import Clip

_FIELD = re.compile(r"\{(\w+)\}")


@dataclass(frozen=True)
class Layout:
    """Where videos, their sounds and texts lie: paths below the root with fields in braces.

    videos: `mp4/{speaker}/{talk}/{clip}.mp4`; a field stands for any text within one folder's or
    file's name. sounds, texts: the same with fields of `videos`, `aac/{speaker}/{talk}/{clip}.m4a`;
    None where they lie beside the videos. The fields speaker, split and language are taken into
    the manifest.
    Raises BenchError for a path that has no field, leads out of the root, or has an unknown field.
    """

    videos: str | None = None
    sounds: str | None = None
    texts: str | None = None

    def __post_init__(self) -> None:
        fields = set(_FIELD.findall(self.videos or ""))
        for option, pattern in (("sounds", self.sounds), ("texts", self.texts)):
            if unknown := set(_FIELD.findall(pattern or "")) - fields:
                listed = ", ".join(sorted(fields)) or "none, for there is no --videos"
                raise BenchError(
                    f"--{option} {pattern}: the field {{{min(unknown)}}} stands in no path of "
                    f"--videos. Its fields: {listed}."
                )
        for option in ("videos", "sounds", "texts"):
            pattern = getattr(self, option)
            if pattern is None:
                continue
            if not _FIELD.search(pattern):
                raise BenchError(
                    f"--{option} {pattern}: has no field. Write what changes from clip to clip in "
                    "braces, as in mp4/{speaker}/{talk}/{clip}.mp4."
                )
            if Path(pattern).is_absolute() or ".." in Path(pattern).parts:
                raise BenchError(
                    f"--{option} {pattern}: is not below ROOT. Write a path from there."
                )

    def fields(self, video: str) -> dict[str, str] | None:
        """The fields of a video's path below the root; None where the path does not fit."""
        if self.videos is None:
            return {}
        ending = _ending(self.videos)
        if not video.lower().endswith(ending or VIDEOS):
            return None
        known: set[str] = set()
        shape = ""
        pattern = self.videos.removeprefix("./")[: -len(ending) or None]
        for number, piece in enumerate(_FIELD.split(pattern)):
            if number % 2 == 0:
                shape += re.escape(piece)
                continue
            shape += f"(?P={piece})" if piece in known else f"(?P<{piece}>[^/]+)"
            known.add(piece)
        match = re.fullmatch(shape, str(without_ending(Path(video))))
        return None if match is None else match.groupdict()


def import_folder(root: Path, layout: Layout | None = None) -> Imported:
    """All videos under `root` in the order of their paths; the ids are their paths with hyphens.

    layout: where the files lie, if not beside each other; only videos that fit it are taken.
    Raises BenchError if `root` is no folder or holds no video.
    """
    layout = layout or Layout()
    tree = Tree(root)
    clips: list[Clip] = []
    dropped: list[tuple[str, str]] = []
    unfit: list[Path] = []
    taken: dict[str, Path] = {}
    for file in tree.files if layout.videos else tree.ending_with(VIDEOS):
        relative = file.relative_to(root)
        fields = layout.fields(relative.as_posix())
        if fields is None:
            unfit += [file] * (file.suffix.lower() in VIDEOS)
            continue
        tree.read(file)
        if not file.is_file():
            dropped.append((relative.as_posix(), "is no file"))
            continue
        identity = plain_id("-".join(relative.with_suffix("").parts))
        first = taken.setdefault(identity, relative)
        if first != relative:
            reason = f"would have the same id as {first.as_posix()}: {identity}"
            dropped.append((relative.as_posix(), reason))
            continue
        try:
            clips.append(_clip(tree, identity, file, layout, fields))
        except BenchError as error:
            dropped.append((relative.as_posix(), str(error)))
    if not clips:
        raise _nothing(root, layout, dropped)
    notes = tree.passed_over({*VIDEOS, *SOUNDS, *TEXTS})
    if unfit:
        example = unfit[0].relative_to(root).as_posix()
        notes.append(f"not taken, for they do not fit --videos: {counted(unfit)} ({example})")
    if alone := tree.unread(SOUNDS):
        example = alone[0].relative_to(root).as_posix()
        notes.append(
            f"sounds that belong to no video: {counted(alone)} ({example}). Where they lie in "
            "folders of their own, say so with --videos and --sounds"
        )
    return Imported(clips, dropped, notes)


def _clip(tree: Tree, identity: str, file: Path, layout: Layout, fields: Mapping[str, str]) -> Clip:
    """Raises BenchError where the layout names a sound or a text that is not there."""
    beside = without_ending(file)
    text = _apart(tree, layout.texts, fields, TEXTS) or tree.named(beside, TEXTS)
    return Clip(
        identity,
        file,
        _apart(tree, layout.sounds, fields, SOUNDS) or tree.named(beside, SOUNDS),
        speaker=fields.get("speaker", "" if file.parent == tree.root else file.parent.name),
        language=fields.get("language", ""),
        split=fields.get("split", ""),
        text="" if text is None else " ".join(text_of(text).split()),
    )


def _apart(
    tree: Tree, pattern: str | None, fields: Mapping[str, str], endings: tuple[str, ...]
) -> Path | None:
    """The file of a clip that a pattern names, with the pattern's ending first, if it has one."""
    if pattern is None:
        return None
    ending = _ending(pattern)
    path = _FIELD.sub(lambda match: fields[match[1]], pattern[: -len(ending) or None])
    file = tree.named(tree.root / path, (*([ending] if ending else ()), *endings))
    if file is None:
        raise BenchError(f"no file {path}{ending or endings[0]}")
    return file


def _ending(pattern: str) -> str:
    """The ending that a layout's path has, in small letters; nothing where a field stands last."""
    ending = Path(pattern).suffix.lower()
    return "" if "}" in ending else ending


def _nothing(root: Path, layout: Layout, dropped: list[tuple[str, str]]) -> BenchError:
    if dropped:
        name, reason = dropped[0]
        return BenchError(f"{root}: no video can be taken. The first, {name}: {reason}.")
    if layout.videos:
        return BenchError(f"{root}: has no videos. Looked for {layout.videos} (--videos).")
    known = ", ".join(sorted(VIDEOS))
    return BenchError(f"{root}: has no videos. Looked for files that end in {known}.")
