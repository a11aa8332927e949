"""The form that a generated video must have: its size and which frames of the speech it holds."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from bench.contract.jobs import Cut, Generation, Job
from bench.contract.video import Video
from bench.data.conform import SMALLEST
from bench.ground.errors import BenchError
from bench.ground.types import SAMPLES_PER_FRAME, Box, Frame, Sound
from bench.records.record import Corners, CutPart
from bench.run.cutting import check_cut, cut_boxes, cut_frame


@dataclass(frozen=True)
class OutputForm:
    """height, width: of the frames that a method returns. made: the frames of the speech it makes.

    asked: how many frames the speech has. cut: as in `Generation`.
    """

    height: int
    width: int
    made: range
    asked: int
    cut: Cut | None

    @classmethod
    def of(cls, generation: Generation, job: Job) -> OutputForm:
        """What this generation says of itself; raises BenchError where the job has no such form."""
        made = range(job.frames) if generation.made is None else generation.made
        if made.step != 1 or not made or made.start < 0 or made.stop > job.frames:
            raise BenchError(
                f"made: {made}; expected a range of some of the speech's {job.frames} frames, in "
                "steps of 1"
            )
        cut = generation.cut
        if cut is None:
            height, width = job.face.read().shape[1:3]
            return cls(height, width, made, job.frames, None)
        check_cut(cut, job.frames)
        form = cls(cut.height, cut.width, made, job.frames, cut)
        if min(form.size) < SMALLEST:
            raise BenchError(
                f"cut: {cut.width}x{cut.height} pixels; expected at least {SMALLEST}x{SMALLEST}"
            )
        return form

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of the video: those of the frames, or one less where they are odd."""
        return self.height // 2 * 2, self.width // 2 * 2

    @property
    def is_own(self) -> bool:
        """Whether the video differs from the face clip in its frames' place, size or number."""
        return self.cut is not None or len(self.made) < self.asked

    @property
    def notes(self) -> tuple[str, ...]:
        """What a reader should know: which frames are missing, and how the face was cut out."""
        found: list[str] = []
        if len(self.made) < self.asked:
            found.append(
                f"{len(self.made)} of {self.asked} frames made, from frame {self.made.start} on; "
                "compared with these frames alone"
            )
        if self.cut is not None:
            found.append(f"cut out, {self.size[1]}x{self.size[0]}; compared with the same cut")
        return tuple(found)

    def even(self, frames: Iterable[Frame]) -> Iterator[Frame]:
        """Frames (height, width, 3) at the video's size."""
        height, width = self.size
        for frame in frames:
            yield frame[:height, :width]

    def heard(self, sound: Sound) -> Sound:
        """The part of the speech's sound that belongs to the frames that are made."""
        return sound[self.made.start * SAMPLES_PER_FRAME : self.made.stop * SAMPLES_PER_FRAME]

    def shown(self, face: Video) -> Iterator[Frame]:
        """The recording's frames in this form, at the video's size: the reference."""
        frames = face.read()
        own = (
            frames[index] if self.cut is None else cut_frame(self.cut, frames[index], index)
            for index in self.made
        )
        return self.even(own)

    def part(self, box: Box | None) -> CutPart | None:
        """What the record keeps of the cut; None without one. box: of the manifest, x y w h."""
        if self.cut is None:
            return None
        transforms = np.ascontiguousarray(self.cut.transforms, dtype="<f8")
        said = f"{transforms.shape} {self.cut.height} {self.cut.width} {self.cut.beyond} "
        moved: Box | None = None
        if box is not None:
            x, y, width, height = box
            x0, y0, x1, y1 = self._mean((x, y, x + width, y + height))
            moved = (x0, y0, x1 - x0, y1 - y0)
        height, width = self.size
        digest = hashlib.sha256(said.encode() + transforms.tobytes()).hexdigest()
        return CutPart(transforms=digest, height=height, width=width, box=moved)

    def placed(self, mouth: Corners | None) -> Corners | None:
        """Where a mean box x0 y0 x1 y1 of the face clip lies in the video, in pixels."""
        return mouth if mouth is None or self.cut is None else self._mean(mouth)

    def _mean(self, box: Corners) -> Corners:
        assert self.cut is not None
        found = [cut_boxes(self.cut, np.array(box), index) for index in self.made]
        x0, y0, x1, y1 = (round(float(edge), 1) for edge in np.mean(found, axis=0))
        return x0, y0, x1, y1
