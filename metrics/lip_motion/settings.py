"""What `settings:` of the lip predictor's training config may hold."""

from __future__ import annotations

import pydantic

from bench.train.ready_clips import Detector
from bench.train.settings import TrainSettings


class Settings(TrainSettings):
    """What `settings:` of the config may hold."""

    ridge: float = pydantic.Field(default=0.3, gt=0)
    clips: int | None = pydantic.Field(default=None, ge=1)  # of each data set, evenly spaced
    weights: dict[str, float] = {}  # of data sets in the fit, by name; 1 for those not named
    faces: Detector = "haar"
