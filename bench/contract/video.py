"""A video as methods and metrics see it: frames, sound, face track, each read once, on demand."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

from bench.errors import BenchError, NoFace
from bench.types import Frames, Sound, Track

Tracker = Callable[["Video"], Track]


class Video:
    """One conformed video. Arrays are read-only, so that nobody spoils them for the next reader.

    A video stands on a file (`Video(path)`), or on arrays (`Video.of(frames, sound)`) in tests and
    on the way from a method to its file. `tracker` finds the face when somebody asks for it.
    `longest`: seconds of sound above which a file is refused; whoever made a conformed one saw to
    that.
    """

    def __init__(
        self,
        path: Path | None,
        *,
        tracker: Tracker | None = None,
        sha256: str = "",
        longest: float = math.inf,
    ) -> None:
        self.path = path
        self.sha256 = sha256
        self._longest = longest
        self._tracker = tracker
        self._frames: Frames | None = None
        self._sound: Sound | None = None
        self._has_read_sound = False
        self._track: Track | None = None
        self._has_no_face = False

    @classmethod
    def of(cls, frames: Frames, sound: Sound | None = None, *, track: Track | None = None) -> Video:
        """A video on arrays: frames (T, H, W, 3) uint8 RGB, sound (S,) int16 mono at 16 kHz."""
        video = cls(None)
        video._frames = _read_only(frames)
        video._sound = None if sound is None else _read_only_sound(sound)
        video._has_read_sound = True
        video._track = track
        return video

    def read(self) -> Frames:
        """All frames, (T, H, W, 3) uint8 RGB, decoded once."""
        if self._frames is None:
            from bench import media

            self._frames = _read_only(media.read_frames(self._file()))
        return self._frames

    def sound(self) -> Sound | None:
        """The sound, (S,) int16 mono at 16 kHz, decoded once; None where there is no sound."""
        if not self._has_read_sound:
            from bench import media

            sound = media.read_sound(self._file(), longest=self._longest)
            self._sound = None if sound is None else _read_only_sound(sound)
            self._has_read_sound = True
        return self._sound

    def faces(self) -> Track:
        """The track of the one face that speaks; raises BenchError if no frame shows a face."""
        if self._track is None:
            if self._tracker is None:
                raise BenchError("this video was opened without a face tracker")
            try:
                self._track = self._tracker(self)
            except NoFace:
                self._has_no_face = True
                raise
        return self._track

    @property
    def missing_faces(self) -> float | None:
        """The share of frames without a face, in [0, 1]; None as long as nobody asked for faces."""
        if self._has_no_face:
            return 1.0
        return None if self._track is None else self._track.missing

    def _file(self) -> Path:
        if self.path is None:
            raise BenchError("this video stands on arrays and has no file to read from")
        return self.path


def _read_only(frames: Frames) -> Frames:
    view = frames.view()
    view.flags.writeable = False
    return view


def _read_only_sound(sound: Sound) -> Sound:
    view = sound.view()
    view.flags.writeable = False
    return view
