"""Imports any folder of videos, including the folders below it.

A video's text (`.txt`) and sound (`.wav`, `.m4a`, ...) lie beside it under the same name, and its
folder is its speaker (none for videos directly in the root). A `Layout` describes data sets with
another arrangement and may name splits; without one, clips have no split.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from bench.contract.importer import Imported
from bench.data.manifest import plain_id
from bench.data.tree import SOUNDS, TEXTS, VIDEOS, Tree, counted, text_of, without_ending
from bench.ground.errors import BenchError
from bench.ground.types import Clip

_FIELD = re.compile(r"\{(\w+)\}")


@dataclass(frozen=True)
class Layout:
    """Where videos, sounds and texts are: paths below the root with fields in braces.

    videos: `mp4/{speaker}/{talk}/{clip}.mp4`; a field matches any text within one folder or file
    name. sounds, texts: paths with fields of `videos`, `aac/{speaker}/{talk}/{clip}.m4a`; None
    where they lie beside the videos. The fields speaker, split and language go into the manifest.
    Raises BenchError for a path that has no field, leads out of the root, or has an unknown field.
    """

    videos: str | None = None
    sounds: str | None = None
    texts: str | None = None

    def __post_init__(self) -> None:
        fields = set(_FIELD.findall(self.videos or ""))
        for option, pattern in (("sounds", self.sounds), ("texts", self.texts)):
            if unknown := set(_FIELD.findall(pattern or "")) - fields:
                listed = ", ".join(sorted(fields)) or "none, since --videos is not given"
                raise BenchError(
                    f"--{option} {pattern}: the field {{{min(unknown)}}} is not in --videos. "
                    f"Its fields: {listed}."
                )
        for option in ("videos", "sounds", "texts"):
            pattern = getattr(self, option)
            if pattern is None:
                continue
            if not _FIELD.search(pattern):
                raise BenchError(
                    f"--{option} {pattern}: has no field. Put what differs between clips in "
                    "braces, as in mp4/{speaker}/{talk}/{clip}.mp4."
                )
            if Path(pattern).is_absolute() or ".." in Path(pattern).parts:
                raise BenchError(
                    f"--{option} {pattern}: is not below ROOT. Write a path relative to ROOT."
                )

    def fields(self, video: str) -> dict[str, str] | None:
        """The fields of a video's path below the root; None where the path does not fit."""
        if self.videos is None:
            return {}
        ending = _ending(self.videos)
        if not video.lower().endswith(ending or VIDEOS):
            return None
        known: set[str] = set()
        expression = ""
        pattern = self.videos.removeprefix("./")[: -len(ending) or None]
        for number, part in enumerate(_FIELD.split(pattern)):
            if number % 2 == 0:
                expression += re.escape(part)
                continue
            expression += f"(?P={part})" if part in known else f"(?P<{part}>[^/]+)"
            known.add(part)
        match = re.fullmatch(expression, str(without_ending(Path(video))))
        return None if match is None else match.groupdict()


def import_folder(root: Path, layout: Layout | None = None) -> Imported:
    """All videos under `root` in the order of their paths; the ids are the paths with hyphens.

    layout: where the files are, if not beside each other; only videos that match are imported.
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
        tree.use(file)
        if not file.is_file():
            dropped.append((relative.as_posix(), "is not a file"))
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
    notes = tree.unused_note({*VIDEOS, *SOUNDS, *TEXTS})
    if unfit:
        example = unfit[0].relative_to(root).as_posix()
        notes.append(f"not imported, do not match --videos: {counted(unfit)} ({example})")
    if alone := tree.unused(SOUNDS):
        example = alone[0].relative_to(root).as_posix()
        notes.append(
            f"sounds that belong to no video: {counted(alone)} ({example}). If sounds are in "
            "folders of their own, name them with --videos and --sounds"
        )
    return Imported(clips, dropped, notes)


def _clip(tree: Tree, identity: str, file: Path, layout: Layout, fields: Mapping[str, str]) -> Clip:
    """Raises BenchError where the layout names a sound or text that does not exist."""
    beside = without_ending(file)
    text = _by_pattern(tree, layout.texts, fields, TEXTS) or tree.named(beside, TEXTS)
    return Clip(
        identity,
        file,
        _by_pattern(tree, layout.sounds, fields, SOUNDS) or tree.named(beside, SOUNDS),
        speaker=fields.get("speaker", "" if file.parent == tree.root else file.parent.name),
        language=fields.get("language", ""),
        split=fields.get("split", ""),
        text="" if text is None else " ".join(text_of(text).split()),
    )


def _by_pattern(
    tree: Tree, pattern: str | None, fields: Mapping[str, str], endings: tuple[str, ...]
) -> Path | None:
    """A clip's file by a pattern of the layout; the pattern's own ending is tried first."""
    if pattern is None:
        return None
    ending = _ending(pattern)
    path = _FIELD.sub(lambda match: fields[match[1]], pattern[: -len(ending) or None])
    file = tree.named(tree.root / path, (*([ending] if ending else ()), *endings))
    if file is None:
        raise BenchError(f"no file {path}{ending or endings[0]}")
    return file


def _ending(pattern: str) -> str:
    """The ending of a layout's path in lower case; "" where the path ends in a field."""
    ending = Path(pattern).suffix.lower()
    return "" if "}" in ending else ending


def _nothing(root: Path, layout: Layout, dropped: list[tuple[str, str]]) -> BenchError:
    if dropped:
        name, reason = dropped[0]
        return BenchError(f"{root}: no video can be imported. The first, {name}: {reason}.")
    if layout.videos:
        return BenchError(f"{root}: has no videos. Looked for {layout.videos} (--videos).")
    known = ", ".join(sorted(VIDEOS))
    return BenchError(f"{root}: has no videos. Looked for files that end in {known}.")
