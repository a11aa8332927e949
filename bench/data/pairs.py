"""Pairs of a face and another clip's speech, from published lists or drawn by a seed.

List formats: Wav2Lip's evaluation lists (`audio video` per line, audio first, names without
endings) and ReSyncED's (`video audio`, with endings). Names are matched with clips by id, or by the
ends of their files' paths.
"""

from __future__ import annotations

import hashlib
import itertools
from collections import defaultdict
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Literal, TypeAlias

from bench.ground.errors import BenchError
from bench.ground.types import Clip

NameOrder: TypeAlias = Literal["audio video", "video audio"]
Pair: TypeAlias = tuple[Clip, Clip]  # (whose face, whose speech)

SHOWN_PROBLEMS = 20
TRIES = 50  # clips searched for another text, so that pairing takes linear time
_ENDINGS = (".mp4", ".avi", ".mpg", ".mov", ".mkv", ".webm", ".wav", ".mp3", ".flac", ".m4a")


def read_pairs(
    path: Path, clips: Sequence[Clip], *, order: NameOrder = "audio video"
) -> list[Pair]:
    """The pairs of a list, in its order, as (face, speech); a repeated pair counts once.

    A tab or, without one, blanks separate the two names of a line. Raises one BenchError with all
    lines that have not two names, an unknown or ambiguous name, or the same clip twice.
    """
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise BenchError(f"{path}: cannot be read as utf-8 text: {error}.") from error
    index = _by_name(clips)
    pairs: dict[tuple[str, str], Pair] = {}
    problems: list[str] = []
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        found = _read_line(line, index, order)
        if isinstance(found, str):
            problems.append(f"{path}:{number}: {found}.")
            continue
        face, speech = found
        pairs[(face.id, speech.id)] = found
    if problems:
        more = len(problems) - SHOWN_PROBLEMS
        rest = [f"{path}: and {more} more problems."] if more > 0 else []
        raise BenchError("\n".join(problems[:SHOWN_PROBLEMS] + rest))
    if not pairs:
        raise BenchError(f"{path}: has no pairs. Each line names two clips: {order}.")
    return list(pairs.values())


def seeded_pairs(
    clips: Sequence[Clip],
    seed: int,
    count: int | None = None,
    *,
    barred: Collection[str] = frozenset(),
) -> list[Pair]:
    """Every clip's face with another clip's speech, each speech once; `count` pairs if given.

    barred: ids of clips that must not be used. The pairs of other clips stay the same as without
    `barred`, as far as possible.

    The speech is another speaker's in as many pairs as the numbers of clips allow, and has another
    text where a few exchanges achieve that. The pairs depend on ids and seed, not on the order of
    `clips`. Fewer than two usable clips give no pair.
    Raises BenchError if `count` exceeds the number of clips.
    """
    if count is not None and not 0 < count <= len(clips):
        raise BenchError(
            f"pairs: count is {count}, but there are {len(clips)} clips. Ask for fewer."
        )
    usable = [clip for clip in clips if clip.id not in barred]
    if len(usable) < 2:
        return []
    pairs = _without(_drawn(clips, seed), barred)
    if pairs is None:
        pairs = _drawn(usable, seed)
    chosen = sorted(pairs, key=lambda pair: _mix(seed, pair[0].id))
    return chosen[:count]


def _drawn(clips: Sequence[Clip], seed: int) -> list[Pair]:
    """Every clip's face with another clip's speech, each speech once."""
    groups = _groups(clips, seed)
    faces = [clip for group in groups for clip in group]
    # A speaker's clips are adjacent. Rotating by the largest group pairs as many clips as possible
    # with another speaker, and none with itself.
    rotation = len(groups[0]) if len(groups) > 1 else 1
    speeches = faces[rotation:] + faces[:rotation]
    _avoid_equal_texts(faces, speeches)
    return list(zip(faces, speeches, strict=True))


def _without(pairs: list[Pair], barred: Collection[str]) -> list[Pair] | None:
    """The pairs without the barred clips; None if that makes a pair worse.

    A face that was paired with a barred clip's speech gets the speech of that clip's own pair; all
    other pairs stay. Worse: a clip would be paired with itself, with its own text, or with its own
    speaker where it had another's.
    """
    speech_of = {face.id: speech for face, speech in pairs}
    kept: list[Pair] = []
    for face, drawn in pairs:
        if face.id in barred:
            continue
        speech = drawn
        while speech.id in barred:
            speech = speech_of[speech.id]
        is_worse = _is_cross(face, drawn) and not _is_cross(face, speech)
        if speech is not drawn and (is_worse or not _differ(face, speech)):
            return None
        kept.append((face, speech))
    return kept


def partner(
    clips: Sequence[Clip], seed: int, *, barred: Collection[str] = frozenset()
) -> dict[str, Clip]:
    """For each clip's id another clip, whose speech `mismatched` plays and a `probe` case says.

    It has the same speaker if possible (so that the words differ and not the voice), and another
    text if one is found nearby. A clip without any partner is left out. barred: ids of clips that
    cannot be a partner; they get a partner of their own nevertheless.
    """
    groups = _groups(clips, seed)
    everybody = [clip for group in groups for clip in group]
    found: dict[str, Clip] = {}
    start = 0
    for group in groups:
        for place, clip in enumerate(group):
            own = _following(group, place, barred)
            other = _following(everybody, start + place, barred)
            candidates = own + other
            if candidates:
                found[clip.id] = next(
                    (one for one in candidates if _differ(one, clip)), candidates[0]
                )
        start += len(group)
    return found


def _read_line(line: str, index: dict[str, list[Clip]], order: NameOrder) -> Pair | str:
    """The pair of a line as (face, speech), or what is wrong with it."""
    names = line.strip().split("\t") if "\t" in line.strip() else line.split()
    if len(names) != 2:
        return f"has {len(names)} names. Each line names two clips: {order}"
    clips: list[Clip] = []
    for name in names:
        matches = index.get(_bare(name), [])
        if not matches:
            return f"{name!r} is not a clip of this data set"
        if len(matches) > 1:
            known = ", ".join(clip.id for clip in matches[:3])
            return f"{name!r} fits several clips ({known}). Write more of the path, or the id"
        clips += matches
    first, second = clips
    if first.id == second.id:
        return f"both names are the clip {first.id!r}. A pair has two clips"
    return (second, first) if order == "audio video" else (first, second)


def _by_name(clips: Sequence[Clip]) -> dict[str, list[Clip]]:
    """Clips by id and by every end of their paths, without the file's ending."""
    index: defaultdict[str, list[Clip]] = defaultdict(list)
    ids = {clip.id for clip in clips}
    for clip in clips:
        index[clip.id].append(clip)
        names = set()
        for file in (clip.video, clip.audio):
            if file is not None:
                parts = _bare(file.as_posix()).split("/")
                names |= {"/".join(parts[-length:]) for length in range(1, min(5, len(parts)) + 1)}
        for name in names - ids:
            index[name].append(clip)
    return index


def _bare(name: str) -> str:
    # Only known endings are removed: names without one may hold dots (section_2_000.40_002.98).
    for ending in _ENDINGS:
        if name.lower().endswith(ending):
            name = name[: -len(ending)]
            break
    return name.removeprefix("./")


def _groups(clips: Sequence[Clip], seed: int) -> list[list[Clip]]:
    """The clips grouped by speaker, the largest group first; the seed shuffles clips and ties.

    Clips without a speaker are one group.
    """
    by_speaker: defaultdict[str, list[Clip]] = defaultdict(list)
    for clip in sorted(clips, key=lambda clip: _mix(seed, clip.id)):
        by_speaker[clip.speaker].append(clip)
    names = sorted(by_speaker, key=lambda name: (-len(by_speaker[name]), _mix(seed, name)))
    return [by_speaker[name] for name in names]


def _avoid_equal_texts(faces: list[Clip], speeches: list[Clip]) -> None:
    """Exchanges the speeches of pairs with equal texts, without making any pair worse."""
    count = len(faces)
    for place in range(count):
        if _differ(faces[place], speeches[place]):
            continue
        for step in range(1, min(TRIES, count)):
            other = (place + step) % count
            here, there = (faces[place], speeches[other]), (faces[other], speeches[place])
            if not (_differ(*here) and _differ(*there)):
                continue
            now = _is_cross(faces[place], speeches[place]) + _is_cross(
                faces[other], speeches[other]
            )
            if _is_cross(*here) + _is_cross(*there) < now:
                continue
            speeches[place], speeches[other] = speeches[other], speeches[place]
            break


def _following(row: list[Clip], place: int, barred: Collection[str]) -> list[Clip]:
    """The clips after `place`, continuing at the start of the row, without the barred ones."""
    around = (row[(place + step) % len(row)] for step in range(1, len(row)))
    return list(itertools.islice((clip for clip in around if clip.id not in barred), TRIES))


def _differ(one: Clip, other: Clip) -> bool:
    return one.id != other.id and (not one.text or one.text != other.text)


def _is_cross(one: Clip, other: Clip) -> bool:
    return one.speaker != other.speaker


def _mix(seed: int, name: str) -> str:
    return hashlib.sha256(f"{seed}\0{name}".encode()).hexdigest()
