"""Batches for trainings of talking faces, built from stored clips in a second process.

Every batch depends only on the seed and the step, so that a resumed training gets the same ones.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset

from bench.ground.errors import BenchError
from bench.networks import audio
from bench.networks.audio import AudioKind, Features
from bench.networks.sync_expert import WINDOW
from bench.train.draws import Draw
from bench.train.face_bank import FaceBank
from bench.train.face_clips import FaceClip
from bench.train.looks import Look, look, skin_of
from bench.train.voices import Voice, voice


@dataclass(frozen=True)
class TalkingBatch:
    """F frames for the generator: B windows of five, then single frames of other clips.

    targets, references: (F, 96, 96, 3) uint8 RGB. heard: (F, 1, D, 16) float32. owners: (F,), to
    which of the B + S draws a frame belongs. clips, starts: (B,), each window's clip, and its first
    frame in that clip.
    """

    targets: Tensor
    references: Tensor
    heard: Tensor
    owners: Tensor
    clips: Tensor
    starts: Tensor


@dataclass(frozen=True)
class _Drawn:
    """Consecutive frames of one clip, and a reference frame of a clip, `shown`, for each."""

    clip: int
    frames: NDArray[np.int64]
    shown: int
    reference: NDArray[np.int64]
    is_mirrored: bool
    look: Look | None  # of another person, as whom the clip's own appears
    voice: Voice | None  # with which the clip's speech is heard


class TalkingBatches(Dataset[TalkingBatch]):
    """Windows of some clips, with reference frames from elsewhere in the same clip.

    singles: how many further clips contribute a single frame each: the frames of a window look
    alike, so more faces help the pixel losses more. other_sentences: in which share of the draws
    the reference is from another clip of the same speaker, if there is one. other_persons: in which
    share the speaker looks like somebody who is drawn anew, in both pictures. other_voices: in
    which share he sounds like somebody else. If the clips are a FaceBank, batches are built on its
    device, which can change neither looks nor voices: BenchError.
    """

    def __init__(
        self,
        clips: Sequence[FaceClip],
        kind: AudioKind,
        *,
        batch: int,
        singles: int,
        lead: int,
        steps: int,
        seed: int,
        other_sentences: float = 0.0,
        other_persons: float = 0.0,
        other_voices: float = 0.0,
    ) -> None:
        if (other_persons or other_voices) and isinstance(clips, FaceBank):
            raise BenchError(
                f"settings.generator has other_persons {other_persons} and other_voices "
                f"{other_voices}, and clips that lie in a GPU's memory keep their looks and "
                "voices; leave both out, or train from a manifest"
            )
        self.clips = clips
        self.draw = Draw(clips, group=lambda clip: clip.dataset, power=0.5)
        self.kind: AudioKind = kind
        self.batch = batch
        self.singles = singles
        self.lead = lead
        self.steps = steps
        self.seed = seed
        self.other_sentences = other_sentences
        self.other_persons = other_persons
        self.other_voices = other_voices
        self.by_speaker: dict[tuple[str, str], list[int]] = {}
        for number, clip in enumerate(clips):
            self.by_speaker.setdefault((clip.dataset, clip.speaker), []).append(number)

    def __len__(self) -> int:
        """The number of steps."""
        return self.steps

    def __getitem__(self, step: int) -> TalkingBatch:
        """The batch of one step."""
        drawn = list(self._drawn(step))
        if isinstance(self.clips, FaceBank):
            targets, references, heard = _taken(self.clips, drawn, lead=self.lead)
        else:
            targets, references, heard = self._read(drawn)
        windows = drawn[: self.batch]
        return TalkingBatch(
            targets=targets,
            references=references,
            heard=heard,
            owners=torch.arange(len(drawn)).repeat_interleave(
                torch.tensor([len(each.frames) for each in drawn])
            ),
            clips=torch.tensor([each.clip for each in windows]),
            starts=torch.tensor([int(each.frames[0]) for each in windows]),
        )

    def _drawn(self, step: int) -> Iterator[_Drawn]:
        random = np.random.default_rng([self.seed, step])
        # Their own deviates: the same frames are drawn, whoever shows and says them.
        seen, heard = (np.random.default_rng([self.seed, step, part]) for part in (1, 2))
        for row, number in enumerate(self.draw.several(self.batch + self.singles, random)):
            frames = len(self.clips[number].faces())
            start = int(random.integers(frames - WINDOW + 1))
            count = WINDOW if row < self.batch else 1
            reference = reference_window(frames, start, random)[:count]
            is_mirrored = bool(random.random() < 0.5)
            shown = int(number)
            if self.other_sentences and random.random() < self.other_sentences:
                shown, reference = self._elsewhere(shown, reference, random)
            yield _Drawn(
                clip=int(number),
                frames=start + np.arange(count),
                shown=shown,
                reference=reference,
                is_mirrored=is_mirrored,
                look=look(seen) if seen.random() < self.other_persons else None,
                voice=voice(heard) if heard.random() < self.other_voices else None,
            )

    def _elsewhere(
        self, clip: int, reference: NDArray[np.int64], random: np.random.Generator
    ) -> tuple[int, NDArray[np.int64]]:
        """Another clip of the speaker, and one of its frames as often as `reference` has frames."""
        own = self.clips[clip]
        others = [one for one in self.by_speaker[own.dataset, own.speaker] if one != clip]
        if not others:
            return clip, reference
        shown = int(random.choice(others))
        frame = int(random.integers(len(self.clips[shown].faces())))
        return shown, np.full(len(reference), frame)

    def _read(self, drawn: Sequence[_Drawn]) -> tuple[Tensor, Tensor, Tensor]:
        targets: list[NDArray[np.uint8]] = []
        references: list[NDArray[np.uint8]] = []
        heard: list[Features] = []
        for each in drawn:
            clip = self.clips[each.clip]
            direction = slice(None, None, -1 if each.is_mirrored else 1)  # columns of pixels
            targets.append(_seen(clip, each.frames, each.look)[:, :, direction])
            shown = _seen(self.clips[each.shown], each.reference, each.look)
            references.append(shown[:, :, direction])
            spectrum = (
                clip.features(self.kind)
                if each.voice is None
                else each.voice.says(clip.features("mel"), self.kind)
            )
            first = audio.first_columns(len(clip.faces()), spectrum.shape[1], lead=self.lead)
            heard.append(audio.windows(spectrum, first[each.frames]))
        return (
            torch.from_numpy(np.concatenate(targets)),
            torch.from_numpy(np.concatenate(references)),
            torch.from_numpy(np.concatenate(heard)),
        )


def some_of_each(owners: Tensor, windows: int, count: int) -> Tensor:
    """Indices (R,) of the first `count` frames of each window and of all single frames.

    owners: (F,), as in `TalkingBatch`. A window's frames look alike, so that few show most.
    """
    frame = torch.arange(len(owners))
    is_single = frame >= WINDOW * windows
    return frame[(frame % WINDOW < count) | is_single]


def _seen(clip: FaceClip, frames: NDArray[np.int64], worn: Look | None) -> NDArray[np.uint8]:
    """These frames of the clip, (F, 96, 96, 3), with another person's look if there is one."""
    pictures = clip.faces()[frames]
    return pictures if worn is None else worn.worn(pictures, _skin(clip))


@lru_cache(maxsize=10_000)
def _skin(clip: FaceClip) -> NDArray[np.float64]:
    """`skin_of` a stored clip, which takes longer than the look of a frame: once a process."""
    return skin_of(clip.faces())


def _taken(bank: FaceBank, drawn: Sequence[_Drawn], *, lead: int) -> tuple[Tensor, Tensor, Tensor]:
    clips = [each.clip for each in drawn]
    mirrored = [each.is_mirrored for each in drawn]
    columns = [bank.first_columns(each.clip, lead=lead)[each.frames] for each in drawn]
    return (
        bank.faces(clips, [each.frames for each in drawn], mirrored),
        bank.faces([each.shown for each in drawn], [each.reference for each in drawn], mirrored),
        bank.windows(clips, columns),
    )


def reference_window(frames: int, start: int, random: np.random.Generator) -> NDArray[np.int64]:
    """Reference frames for the window from `start`, (5,), outside the window.

    With probability 1/2 five in a row, as in Wav2Lip's training; else one frame five times, as with
    `reference: first`. If the clip is too short, the frames farthest from the window.
    """
    free = [first for first in range(frames - WINDOW + 1) if abs(first - start) >= WINDOW]
    first = int(random.choice(free)) if free else (0 if start > frames // 2 else frames - WINDOW)
    index = first + np.arange(WINDOW)
    return index if random.random() < 0.5 else np.full(WINDOW, random.choice(index))
