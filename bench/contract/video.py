"""A video as methods and metrics see it: frames, sound, features, each read once, on demand."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeAlias

from numpy.typing import NDArray

from bench.ground.errors import BenchError, NoFace, Undefined
from bench.ground.types import Box, Frames, Sound, Track

Arrays: TypeAlias = Mapping[str, NDArray[Any]]  # what a feature gives, by name


class Video:
    """One conformed video. Arrays are read-only, so that one reader cannot change another's.

    It reads a file (`Video(path)`), or holds arrays (`Video.of(frames, sound)`), in tests and
    before a method's video is written. `features` computes a requested feature, or finds it on disk
    by `sha256`; `box` is the manifest's face box. `longest`: seconds of sound above which a file is
    refused; a conformed file is never longer. `audio`: the sound's own file, if it has one.
    """

    def __init__(
        self,
        path: Path | None,
        *,
        features: Callable[[Video, str], Arrays] | None = None,
        sha256: str = "",
        box: Box | None = None,
        longest: float = math.inf,
        audio: Path | None = None,
    ) -> None:
        self.path = path
        self.sha256 = sha256
        self.box = box
        self.features = features
        self._longest = longest
        self._audio = audio
        self._known: dict[str, Arrays | Undefined] = {}
        self._frames: Frames | None = None
        self._sound: Sound | None = None
        self._has_read_sound = False

    @classmethod
    def of(cls, frames: Frames, sound: Sound | None = None, *, track: Track | None = None) -> Video:
        """A video of arrays: frames (T, H, W, 3) uint8 RGB, sound (S,) int16 mono at 16 kHz."""
        video = cls(None)
        video._frames = _read_only(frames)
        video._sound = None if sound is None else _read_only(sound)
        video._has_read_sound = True
        if track is not None:
            video._known["faces"] = track.arrays()
        return video

    def read(self) -> Frames:
        """All frames, (T, H, W, 3) uint8 RGB, decoded once."""
        if self._frames is None:
            from bench import media

            self._frames = _read_only(media.read_frames(self._file()))
        return self._frames

    def sound(self) -> Sound | None:
        """The sound, (S,) int16 mono at 16 kHz, decoded once; None if there is no sound."""
        if not self._has_read_sound:
            from bench import media

            sound = media.read_sound(self._audio or self._file(), longest=self._longest)
            self._sound = None if sound is None else _read_only(sound)
            self._has_read_sound = True
        return self._sound

    def feature(self, name: str) -> Arrays:
        """The arrays of a feature that the plugin names in `reads`; Undefined if it has none."""
        if name not in self._known:
            if self.features is None:
                raise BenchError(f"this video was opened without features, so it has no '{name}'")
            try:
                found = self.features(self, name)
                self._known[name] = {each: _read_only(array) for each, array in found.items()}
            except Undefined as absent:
                self._known[name] = absent
        known = self._known[name]
        if isinstance(known, Undefined):
            raise Undefined(str(known))
        return known

    def faces(self) -> Track:
        """The track of the one face that speaks; raises NoFace if no frame shows a face."""
        try:
            return Track.of(self.feature("faces"))
        except Undefined as absent:
            raise NoFace(str(absent)) from absent

    @property
    def missing_faces(self) -> float | None:
        """The share of frames without a face, in [0, 1]; None until faces have been read."""
        if isinstance(self._known.get("faces"), Undefined):
            return 1.0
        return self.faces().missing if "faces" in self._known else None

    def _file(self) -> Path:
        if self.path is None:
            raise BenchError("this video was built from arrays and has no file to read")
        return self.path


def _read_only(array: NDArray[Any]) -> NDArray[Any]:
    view = array.view()
    view.flags.writeable = False
    return view
