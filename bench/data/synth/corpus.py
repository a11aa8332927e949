"""Builds the splits of the embedded corpora, in parallel and resumable: who says what."""

from __future__ import annotations

import functools
import hashlib
import json
import shutil
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from bench.data.manifest import read_manifest, write_manifest
from bench.data.synth.clip import points, shoot
from bench.data.synth.crowd import FIRST_STRANGER, stranger
from bench.data.synth.geometry import FacePoints
from bench.data.synth.identity import Identity, identity
from bench.data.synth.render import Renderer
from bench.data.synth.sentences import SPLITS, sentences_of
from bench.files.intact import is_intact
from bench.files.lock import locked
from bench.files.one_move import in_one_move, sweep
from bench.ground.cores import cores
from bench.ground.errors import BenchError, NoSuchSplit
from bench.ground.types import Box, Clip
from bench.machine.worker_pool import WorkerPool
from bench.media import write_video

SEED = {"zh": 2018, "en": 2031}
# (men, women) by split; the test split of zh has 6 men and 5 women, as CLR does
SPEAKERS = {
    "zh": {"test": (6, 5), "val": (3, 3), "train": (20, 20)},
    "en": {"test": (4, 4), "val": (3, 3), "train": (20, 20)},
}
CLIPS = {"test": 24, "val": 12, "train": 240, "crowd": 150}
PERSON_CLIPS = 8  # of each person of the test split, for methods that learn a person
_TWO_PHRASES = 0.5  # share of clips that get a second phrase if it fits
_MARKS = {"person": "p"}  # in the ids, because `test` has clips of the same persons
_CANDIDATES = 24  # sentences among which a short one is searched


@dataclass(frozen=True)
class Speaker:
    """An identity by sex and number."""

    woman: bool
    number: int


@dataclass(frozen=True)
class ClipPlan:
    """One clip to render; `seed` decides everything that is random in it."""

    id: str
    language: str
    split: str
    speaker: Speaker
    texts: tuple[str, ...]
    seed: tuple[int, ...]

    @property
    def who(self) -> str:
        """The speaker's name."""
        return self.id.rpartition("-")[0]


def speakers(language: str, split: str) -> list[Speaker]:
    """The split's speakers, men and women alternating; numbers continue from split to split.

    `person` has those of `test`.
    """
    split = "test" if split == "person" else split
    first = {"men": 1, "women": 1}
    for name in ("test", "val", "train"):
        men, women = SPEAKERS[language][name]
        if name == split:
            both = [Speaker(False, first["men"] + k) for k in range(men)]
            also = [Speaker(True, first["women"] + k) for k in range(women)]
            rest = both[len(also) :] + also[len(both) :]
            return [one for two in zip(both, also, strict=False) for one in two] + rest
        first["men"] += men
        first["women"] += women
    raise NoSuchSplit(f"split: {split!r}; expected one of {', '.join(SPLITS)}.")


def strangers(count: int) -> list[Speaker]:
    """So many speakers of `crowd`, men and women alternating."""
    return [Speaker(bool(place % 2), FIRST_STRANGER + place // 2) for place in range(count)]


def plan_clips(language: str, split: str, clips: int) -> list[ClipPlan]:
    """The clips of a split; a larger number only adds clips at the end.

    In `crowd`, each is of another speaker.
    """
    who = strangers(clips) if split == "crowd" else speakers(language, split)
    texts = sentences_of(language, split, SEED[language])
    plans = []
    for number in range(clips):
        speaker = who[number % len(who)]
        rng = np.random.default_rng([SEED[language], 51, SPLITS.index(split), number])
        first = texts[number % len(texts)]
        # the second phrase must be short to fit
        others = [texts[int(index)] for index in rng.integers(len(texts), size=_CANDIDATES)]
        fits = [s for s in others if s.topic == first.topic and s != first]
        # what is learned from is to hold much speech
        joins = (rng.random() < _TWO_PHRASES or split == "person") and fits
        second = (min(fits, key=lambda s: len(s.text)).text,) if joins else ()
        both = (first.text, *second)
        who_says = f"{language}-{'f' if speaker.woman else 'm'}{speaker.number:02d}"
        name = f"{who_says}-{_MARKS.get(split, '')}{number:04d}"
        seed = (SEED[language], SPLITS.index(split), number)
        plans.append(ClipPlan(name, language, split, speaker, both, seed))
    return plans


def clips_of(language: str, split: str) -> int:
    """How many clips a split has, unless another number is asked for; raises NoSuchSplit."""
    if split not in SPLITS:
        raise NoSuchSplit(f"split: {split!r}; expected one of {', '.join(SPLITS)}.")
    if split == "person":
        return PERSON_CLIPS * len(speakers(language, split))
    return CLIPS[split]


def unrendered_clips(language: str, split: str, folder: Path) -> list[Clip]:
    """The clips of a split, at the places in `folder` where `build_split` renders a speaker's."""
    return [
        Clip(
            id=plan.id,
            video=_video(folder / f"{split}-{plan.who}", plan),
            speaker=plan.who,
            language=language,
            split=split,
        )
        for plan in plan_clips(language, split, clips_of(language, split))
    ]


def plan_of(clip: Clip) -> ClipPlan | None:
    """The plan of the clip of an embedded corpus that has this id and split; else None."""
    language, _, number = clip.id.split("-") if clip.id.count("-") == 2 else ("", "", "")
    number = number.removeprefix(_MARKS.get(clip.split, ""))
    if language not in SEED or clip.split not in SPLITS or not number.isdecimal():
        return None
    plan = plan_clips(language, clip.split, int(number) + 1)[-1]
    return plan if plan.id == clip.id else None


def points_of(clip: Clip) -> FacePoints:
    """Where the face is in each frame of a clip of these corpora, by the renderer's geometry.

    Raises BenchError for a clip that is none of theirs.
    """
    plan = plan_of(clip)
    if plan is not None:
        text, found = points(person_of(plan.language, plan.speaker), plan.texts, plan.seed)
        if text == clip.text:
            return found
    raise BenchError(f"{clip.id}: is no clip of the embedded corpora")


def person_of(language: str, speaker: Speaker) -> Identity:
    """The speaker's identity."""
    drawn = stranger if speaker.number >= FIRST_STRANGER else identity
    return drawn(language, woman=speaker.woman, number=speaker.number, seed=SEED[language])


@functools.lru_cache(maxsize=2)
def _renderer(language: str, speaker: Speaker) -> Renderer:
    return Renderer(
        person_of(language, speaker), (SEED[language], int(speaker.woman), speaker.number)
    )


def _render(task: tuple[ClipPlan, Path]) -> str:
    """Renders one clip and writes its row of the manifest beside it; returns its id."""
    import cv2

    cv2.setNumThreads(1)  # the processes share the cores
    plan, folder = task
    note, video = _note(folder, plan), _video(folder, plan)
    if note.exists() and video.exists():
        return plan.id
    renderer = _renderer(plan.language, plan.speaker)
    take = shoot(renderer, plan.texts, plan.seed)
    crf = renderer.identity.filming.crf
    write_video(video, take.frames, sound=take.utterance.sound, crf=crf)
    sha256 = hashlib.sha256(video.read_bytes()).hexdigest()
    _write_note(note, plan, take.utterance.text, take.box, sha256, renderer.identity.name)
    return plan.id


def build_split(
    language: str,
    split: str,
    folder: Path,
    *,
    clips: int | None,
    speaker: str | None = None,
    workers: int | None,
    progress: Callable[[int, int], None] | None,
) -> Path:
    """The manifest of one split in `folder`; missing or damaged clips are rendered.

    speaker: whose clips alone are wanted; they have a manifest of their own.
    """
    usual = clips_of(language, split)
    count = usual if clips is None else clips
    if count < 1:
        raise BenchError(f"clips: {count}; expected at least 1.")
    name = split if count == usual else f"{split}-{count}"
    name = name if speaker is None else f"{name}-{speaker}"
    target = folder / name
    manifest = target / "manifest.csv"
    if manifest.exists() and not _damaged(manifest):
        return manifest
    with locked(folder / f".{name}.lock"):
        plans = [p for p in plan_clips(language, split, count) if speaker in (None, p.who)]
        if not plans:
            raise BenchError(f"speaker: {speaker!r} has no clip in the split {split!r}.")
        if not manifest.exists():  # another process may have built it while this one waited
            part = folder / f".{name}.part"
            _take_over(plans, split, part)
            rendered = _rendered(plans, part, workers=workers, progress=progress)
            write_manifest(part / "manifest.csv", rendered)
            sweep(part)  # removes what killed workers left
            part.rename(target)
        elif damaged := _damaged(manifest):
            again = [plan for plan in plans if plan.id in damaged]
            for plan in again:
                (target / "videos" / f"{plan.id}.mp4").unlink(missing_ok=True)
            rendered = _rendered(again, target, workers=workers, progress=progress)
            replaced = {clip.id: clip for clip in rendered}
            kept = read_manifest(manifest)
            write_manifest(manifest, [replaced.get(clip.id, clip) for clip in kept])
    return manifest


def _take_over(plans: list[ClipPlan], split: str, part: Path) -> None:
    """Copies clips into `part` that a build of another number of clips has finished."""
    folder = part.parent
    finished = [folder / split, *folder.glob(f"{split}-*")]
    there = {
        clip.id: clip
        for target in finished
        if (target / "manifest.csv").exists()
        for clip in read_manifest(target / "manifest.csv")
    }
    for plan in plans:
        clip = there.get(plan.id)
        note = _note(part, plan)
        if clip is None or note.exists() or not is_intact(clip.video, clip.sha256):
            continue
        for place in (note, _video(part, plan)):
            place.parent.mkdir(parents=True, exist_ok=True)
        with in_one_move(_video(part, plan)) as copy:
            shutil.copyfile(clip.video, copy)
        _write_note(note, plan, clip.text, clip.box, clip.sha256, clip.speaker)


def _note(folder: Path, plan: ClipPlan) -> Path:
    return folder / "notes" / f"{plan.id}.json"


def _video(folder: Path, plan: ClipPlan) -> Path:
    return folder / "videos" / f"{plan.id}.mp4"


def _write_note(
    note: Path, plan: ClipPlan, text: str, box: Box | None, sha256: str, speaker: str
) -> None:
    """What the manifest says of a finished clip."""
    facts = {"text": text, "box": box, "sha256": sha256, "speaker": speaker, "order": asdict(plan)}
    with in_one_move(note) as part:
        part.write_text(json.dumps(facts, ensure_ascii=False, sort_keys=True), encoding="utf-8")


def _damaged(manifest: Path) -> set[str]:
    """The ids of the clips whose file is missing or has changed."""
    clips = read_manifest(manifest)
    return {clip.id for clip in clips if not is_intact(clip.video, clip.sha256)}


def _rendered(
    plans: list[ClipPlan],
    folder: Path,
    *,
    workers: int | None,
    progress: Callable[[int, int], None] | None,
) -> list[Clip]:
    """The clips, rendered in `folder`; those that a killed process finished there are used."""
    for inner in ("notes", "videos"):
        (folder / inner).mkdir(parents=True, exist_ok=True)
    _render_all(plans, folder, workers=workers, progress=progress)
    clips = [_row(plan, folder) for plan in plans]
    shutil.rmtree(folder / "notes")
    return clips


def _row(plan: ClipPlan, folder: Path) -> Clip:
    facts = json.loads(_note(folder, plan).read_text(encoding="utf-8"))
    x, y, width, height = facts["box"]
    return Clip(
        id=plan.id,
        video=_video(folder, plan),
        speaker=facts["speaker"],
        language=plan.language,
        split=plan.split,
        text=facts["text"],
        box=(x, y, width, height),
        sha256=facts["sha256"],
    )


def _render_all(
    plans: list[ClipPlan],
    folder: Path,
    *,
    workers: int | None,
    progress: Callable[[int, int], None] | None,
) -> None:
    """Renders the clips, grouped by person so that each portrait is painted once."""
    by_person = sorted(plans, key=lambda plan: (plan.speaker.woman, plan.speaker.number))
    tasks = [(plan, folder) for plan in by_person]
    count = min(workers or len(cores()), len(tasks))
    if count == 1:
        for done, task in enumerate(tasks, start=1):
            _render(task)
            if progress is not None:
                progress(done, len(tasks))
        return
    chunk = max(1, min(6, len(tasks) // (2 * count)))
    with WorkerPool(count) as pool:
        for done, _ in enumerate(pool.map(_render, tasks, chunksize=chunk), start=1):
            if progress is not None:
                progress(done, len(tasks))
