"""What the reader sees of a video, and how its reading is counted."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from bench.types import Frames, Track
from metrics.error_rates import errors
from metrics.lse.front_end import tracked
from metrics.lse.sync_small.network import mouth_windows
from metrics.reader.network import ReaderNetwork
from metrics.reader.reading import Answers
from metrics.reader.settings import UnitKind
from metrics.reader.units import SLOTS

GUESSED = sum(1.0 - 1.0 / len(words) for words in SLOTS) / len(SLOTS)  # 0.81


def answers_of(network: ReaderNetwork, frames: Frames, track: Track) -> Answers:
    """The network's answers for a whole clip, (2 T, classes), logarithms of chances."""
    mouths = torch.from_numpy(mouth_windows(tracked(frames, track)))[None]
    with torch.inference_mode():
        return network(mouths)[0].cpu().numpy()


def compared(
    reading: tuple[int, ...], ways: Sequence[tuple[int, ...]], kind: UnitKind
) -> dict[str, float]:
    """The error rate against the nearest way of saying the text, and what chance gives."""
    rate = min(errors(reading, way).rate for way in ways)
    chance = GUESSED if kind == "words" else min(errors(reading, way[::-1]).rate for way in ways)
    return {"error_rate": rate, "chance": chance}
