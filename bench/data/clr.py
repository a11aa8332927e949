"""Builds CLR, the paper's Chinese Lip Reading set, from CMLR by the paper's rules.

The paper (M-CSAWav2Lip) describes CLR: 11 newsreaders of CMLR (6 men, 5 women), 29,198 sentences of
at most 29 characters; 1,459 sentences of at most 20 characters on sights of Guilin; the face
centred; no clip longer than 3 s; 25 fps, 16 kHz. Neither its clips nor its choice of 29,198 among
CMLR's 102,072 sentences are published. So this keeps every clip that fits the rules: more clips of
the same kind.
"""

from __future__ import annotations

import dataclasses
import os
import unicodedata
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeAlias

from bench.contract.importer import Imported
from bench.data.cmlr import import_cmlr
from bench.data.folder import import_folder
from bench.data.manifest import plain_id, write_manifest
from bench.files.digests import place_of
from bench.ground.errors import BenchError
from bench.ground.types import FPS, SAMPLE_RATE, Clip

if TYPE_CHECKING:
    from bench.features.faces import Detector

Part: TypeAlias = Literal["news", "sights"]

NEWSREADERS = frozenset(f"s{number}" for number in range(1, 12))  # all speakers of CMLR
MAX_CHARACTERS: dict[Part, int] = {"news": 29, "sights": 20}
MAX_SECONDS = 3.0
SPLIT_SHARES = (("train", 0.7), ("val", 0.1), ("test", 0.2))  # of CMLR: 71,448 10,206 20,418
CENTRE = 1 / 3  # a face is centred if its middle lies in the middle third of the frame's width
WORKERS = 4

NO_TEXT = "no text"
NO_READER = "not one of the newsreaders s1 to s11"
TOO_MANY = "more than {} characters"
TOO_LONG = f"longer than {MAX_SECONDS:g} s"
NO_SOUND = "no sound"
UNREADABLE = "unreadable"
NOT_CENTRED = "no face in the middle"


@dataclass(frozen=True)
class Account:
    """What the rules kept and dropped.

    kept: the clips of the manifest. dropped: (clip, rule, detail). converted: how many of the kept
    clips have another rate than 25 fps or 16 kHz, to which conforming converts them. unchecked:
    rules of the paper that this build did not check. notes: the importers' notes on the folders.
    """

    manifest: Path
    kept: tuple[Clip, ...]
    seconds: float
    dropped: tuple[tuple[str, str, str], ...]
    converted: int
    unchecked: tuple[str, ...]
    notes: tuple[str, ...] = ()

    @property
    def reasons(self) -> dict[str, int]:
        """How many clips each rule dropped, the most frequent first."""
        return dict(Counter(rule for _, rule, _ in self.dropped).most_common())

    def __str__(self) -> str:
        speakers = {clip.speaker for clip in self.kept}
        readers = len(speakers & NEWSREADERS)
        splits = Counter(clip.split or "none" for clip in self.kept)
        lines = [
            f"kept {len(self.kept)} clips, {self.seconds / 3600:.2f} h",
            f"speakers: {readers} of 11 newsreaders, {len(speakers) - readers} others",
            "splits: " + ", ".join(f"{name} {count}" for name, count in sorted(splits.items())),
            f"dropped {len(self.dropped)} clips",
            *(f"  {count} {rule}" for rule, count in self.reasons.items()),
            f"not at 25 fps and 16 kHz, converted when conformed: {self.converted}",
            *(f"not checked: {rule}" for rule in self.unchecked),
            *self.notes,
        ]
        return "\n".join(lines)


def build_clr(
    cmlr_root: Path, extra_root: Path | None, out: Path, *, detector: Detector | None = None
) -> Account:
    """Writes CLR's manifest to `out`, and returns what was kept and dropped.

    cmlr_root: CMLR as bench.data.cmlr reads it. extra_root: a folder of clips on Guilin's sights,
    each with its text beside it; the digests of their ids split them in CMLR's proportions.
    detector: checks that a face is centred in the first, the middle and the last frame.
    Raises BenchError if a root has no clips or nothing is left.
    """
    sources: list[tuple[Part, Imported]] = [("news", import_cmlr(cmlr_root))]
    if extra_root is not None:
        sources.append(("sights", _sights(extra_root)))
    kept: list[Clip] = []
    dropped: list[tuple[str, str, str]] = []
    seconds, converted = 0.0, 0
    for part, imported in sources:
        dropped += [(name, "not imported", reason) for name, reason in imported.dropped]
        for clip, verdict in zip(
            imported.clips, _verdicts(part, imported.clips, detector), strict=True
        ):
            if verdict.rule:
                dropped.append((clip.id, verdict.rule, verdict.detail))
                continue
            kept.append(clip)
            seconds += verdict.seconds
            converted += verdict.is_converted
    if not kept:
        counts = Counter(rule for _, rule, _ in dropped).most_common()
        reasons = "; ".join(f"{count} {rule}" for rule, count in counts)
        raise BenchError(f"{cmlr_root}: no clip fits CLR's rules: {reasons}.")
    roots = [cmlr_root.resolve(), *([extra_root.resolve()] if extra_root else [])]
    write_manifest(out, kept, root=Path(os.path.commonpath(roots)))
    notes = tuple(note for _, imported in sources for note in imported.notes)
    unchecked = _unchecked(detector)
    return Account(out, tuple(kept), seconds, tuple(dropped), converted, unchecked, notes)


def characters(text: str) -> int:
    """The characters of a sentence, without blanks and punctuation."""
    return sum(unicodedata.category(char)[0] not in "ZPC" for char in text)


@dataclass(frozen=True)
class _Verdict:
    """The rule that drops a clip ("" if none does), and what probing found."""

    rule: str = ""
    detail: str = ""
    seconds: float = 0.0
    is_converted: bool = False


def _sights(root: Path) -> Imported:
    """The extra clips, with split and language, and a prefix that keeps their ids unique."""
    imported = import_folder(root)
    clips = [
        dataclasses.replace(
            clip, id=plain_id(f"sights-{clip.id}"), language="zh", split=_split(clip.id)
        )
        for clip in imported.clips
    ]
    return Imported(clips, imported.dropped, imported.notes)


def _split(identity: str) -> str:
    place = place_of(identity)
    for split, share in SPLIT_SHARES:
        if place < share:
            return split
        place -= share
    return SPLIT_SHARES[-1][0]


def _verdicts(part: Part, clips: Sequence[Clip], detector: Detector | None) -> list[_Verdict]:
    if detector is not None:  # OpenCV's detectors must not be shared by threads
        return [_verdict(clip, part, detector) for clip in clips]
    with ThreadPoolExecutor(WORKERS) as pool:
        return list(pool.map(partial(_verdict, part=part, detector=None), clips))


def _verdict(clip: Clip, part: Part, detector: Detector | None) -> _Verdict:
    """Applies the cheapest rules first: names and texts, then the files."""
    if part == "news" and clip.speaker not in NEWSREADERS:
        return _Verdict(NO_READER, clip.speaker)
    if not clip.text:
        return _Verdict(NO_TEXT)
    count, most = characters(clip.text), MAX_CHARACTERS[part]
    if count > most:
        return _Verdict(TOO_MANY.format(most), f"{count} characters")
    try:
        return _probed(clip, detector)
    except BenchError as error:
        return _Verdict(UNREADABLE, str(error))


def _probed(clip: Clip, detector: Detector | None) -> _Verdict:
    from bench import media

    found = media.probe(clip.video)
    if found.width == 0:
        return _Verdict(UNREADABLE, "has no video track")
    sound = found if clip.audio is None else media.probe(clip.audio)
    if not sound.has_sound:
        return _Verdict(NO_SOUND)
    seconds = found.frames / found.fps if found.frames and found.fps else found.seconds
    if seconds > MAX_SECONDS + 0.5 / FPS:  # half a frame more, since lengths are whole frames
        return _Verdict(TOO_LONG, f"{seconds:.2f} s")
    if detector is not None and not _is_centred(clip.video, detector):
        return _Verdict(NOT_CENTRED)
    fits = abs(found.fps - FPS) < 0.01 and sound.sound_rate == SAMPLE_RATE
    return _Verdict(seconds=seconds, is_converted=not fits)


def _is_centred(video: Path, detector: Detector) -> bool:
    from bench import media

    frames = media.read_frames(video)  # (T, H, W, 3), at most 3 s
    low, high = frames.shape[2] * CENTRE, frames.shape[2] * (1 - CENTRE)
    for frame in (frames[0], frames[len(frames) // 2], frames[-1]):
        middles = [(face.box[0] + face.box[2]) / 2 for face in detector.detect(frame)]
        if not any(low <= middle <= high for middle in middles):
            return False
    return True


def _unchecked(detector: Detector | None) -> tuple[str, ...]:
    rules = ["six men and five women (CMLR does not give the speakers' sex)"]
    if detector is None:
        rules.append("the face is centred (--faces haar or yunet checks it)")
    return (*rules, "which 29,198 of CMLR's sentences the authors chose (not published)")
