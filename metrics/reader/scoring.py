"""What the reader sees of a video, and how its reading is counted."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch.nn import functional

from bench.ground.errors import BenchError, Undefined
from bench.ground.types import Frames, Track
from bench.networks.face_crops import crops, face_boxes
from metrics.error_rates import errors
from metrics.reader.mouths import view
from metrics.reader.network import ReaderNetwork, seen
from metrics.reader.reading import Answers, read
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
    sights = torch.from_numpy(seen(view(crops(frames, boxes), None)))[None]
    with torch.inference_mode():
        return np.asarray(network(sights)[0].numpy())


def compared(answers: Answers, ways: Sequence[tuple[int, ...]], kind: UnitKind) -> dict[str, float]:
    """The reading against the nearest way of saying the text, what chance gives, and the evidence.

    Raises Undefined where the video is too short for so long a text.
    """
    reading = read(answers, kind)
    rate = min(errors(reading, way).rate for way in ways)
    back = [way[::-1] for way in ways]
    chance = GUESSED if kind == "words" else min(errors(reading, way).rate for way in back)
    evidence = max(_likelihood(answers, way) for way in ways)
    evidence -= max(_likelihood(answers, way) for way in back)
    return {"error_rate": rate, "chance": chance, "evidence": evidence}


def _likelihood(answers: Answers, units: tuple[int, ...]) -> float:
    """The logarithm of the chance that just these units are said in this order, a unit.

    Over all times at which they may be said (connectionist temporal classification).
    """
    loss = functional.ctc_loss(
        torch.from_numpy(answers)[:, None].double(),
        torch.tensor([units]),
        torch.tensor([len(answers)]),
        torch.tensor([len(units)]),
        reduction="sum",
    )
    if not torch.isfinite(loss):
        raise Undefined(f"{len(answers) // 2} frames are too few for {len(units)} units of speech")
    return -float(loss) / len(units)
