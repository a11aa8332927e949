"""What `settings:` of the lip predictor's training config may hold."""

from __future__ import annotations

from collections.abc import Mapping

import pydantic

from bench.train.ready_clips import Detector
from bench.train.settings import TrainSettings


class Settings(TrainSettings):
    """What `settings:` of the config may hold."""

    ridge: float = pydantic.Field(default=0.3, gt=0)
    clips: int | None = pydantic.Field(default=None, ge=1)  # of each data set, evenly spaced
    weights: Mapping[str, float] = pydantic.Field(default_factory=dict)  # of data sets, else 1
    faces: Detector = "haar"
