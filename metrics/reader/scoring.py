"""What the reader sees of a video, and how its reading is counted."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from bench.errors import BenchError, Undefined
from bench.networks.face_crops import crops, face_boxes
from bench.types import Frames, Track
from metrics.error_rates import errors
from metrics.reader.mouths import view
from metrics.reader.network import ReaderNetwork, seen
from metrics.reader.reading import Answers
from metrics.reader.settings import UnitKind
from metrics.reader.units import SLOTS

GUESSED = sum(1.0 - 1.0 / len(words) for words in SLOTS) / len(SLOTS)  # 0.81


def answers_of(network: ReaderNetwork, frames: Frames, track: Track) -> Answers:
    """The network's answers for a whole clip, (2 T, classes), logarithms of chances.

    Raises Undefined where the face's box lies outside the frame.
    """
    try:
        boxes = face_boxes(track, *frames.shape[1:3])
    except BenchError as error:
        raise Undefined(str(error)) from error
    sights = torch.from_numpy(seen(view(crops(frames, boxes))))[None]
    with torch.inference_mode():
        return np.asarray(network(sights)[0].numpy())


def compared(
    reading: tuple[int, ...], ways: Sequence[tuple[int, ...]], kind: UnitKind
) -> dict[str, float]:
    """The error rate against the nearest way of saying the text, and what chance gives."""
    rate = min(errors(reading, way).rate for way in ways)
    chance = GUESSED if kind == "words" else min(errors(reading, way[::-1]).rate for way in ways)
    return {"error_rate": rate, "chance": chance}
