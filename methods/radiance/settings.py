"""The settings of persons that are learned ahead of a run."""

from __future__ import annotations

import pydantic

from bench.train.ready_clips import Detector, Landmarks
from bench.train.settings import TrainSettings


class Settings(TrainSettings):
    """How persons are learned ahead.

    options: those of the method. only: these speakers; by default all. faces, landmarks: as in the
    run that is to use the files. threads: of torch; 0: as many as torch wants.
    """

    options: dict[str, object] = pydantic.Field(default_factory=dict)
    only: tuple[str, ...] = ()
    faces: Detector = "haar"
    landmarks: Landmarks = "small"
    threads: int = pydantic.Field(default=0, ge=0)
