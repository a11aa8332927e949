"""Networks of the two sizes, for any model of landmarks."""

from __future__ import annotations

from dataclasses import replace

from methods.atvg.layers import Recurrence
from methods.atvg.pictures import OFFICIAL_PICTURES, SMALL_PICTURES, LandmarksToPictures
from methods.atvg.settings import Size
from methods.atvg.speech import OFFICIAL_SPEECH, SMALL_SPEECH, SpeechToLandmarks

SIDES = {"official": OFFICIAL_PICTURES.side, "small": SMALL_PICTURES.side}


def new_speech(size: Size, components: int) -> SpeechToLandmarks:
    """An AT-net with drawn weights. components: coefficients."""
    own = OFFICIAL_SPEECH if size == "official" else SMALL_SPEECH
    return SpeechToLandmarks(replace(own, components=components))


def new_pictures(size: Size, points: int, *, recurrence: Recurrence) -> LandmarksToPictures:
    """A VG-net with drawn weights. points: landmarks."""
    own = OFFICIAL_PICTURES if size == "official" else SMALL_PICTURES
    return LandmarksToPictures(replace(own, points=points), recurrence=recurrence)
