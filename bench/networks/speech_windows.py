"""What each frame of a job hears: windows of speech features, checked for what cannot be heard."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench.ground.errors import BenchError
from bench.networks import audio
from bench.networks.audio import AudioKind, Features

if TYPE_CHECKING:
    from bench.contract.jobs import Job


def speech_windows(job: Job, kind: AudioKind, *, lead: int, method: str) -> Features:
    """The speech features of each frame, (T, 1, D, 16).

    lead: as in `audio.first_columns`. method: its name, for messages. Raises BenchError if the
    speech is silent or shorter than five frames.
    """
    if not job.speech.any():
        raise BenchError(
            f"the speech of {job.case.speech.id!r} is digitally silent (all {len(job.speech)} "
            "samples are 0); give a clip with sound"
        )
    features = audio.features(job.speech, kind)
    columns = features.shape[1]
    if columns < audio.COLUMNS:
        raise BenchError(
            f"the speech of {job.case.speech.id!r} has {job.frames} frames; {method} needs at "
            "least 5 (0.2 s), the window that each frame hears; give a longer clip"
        )
    return audio.windows(features, audio.first_columns(job.frames, columns, lead=lead))
