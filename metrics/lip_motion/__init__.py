"""A second opinion on sync: does the mouth move as its speech makes mouths move?"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import bench
from metrics.lip_motion import settings

if TYPE_CHECKING:
    from metrics.lip_motion.predictor import Predictor

WEIGHTS = Path(__file__).with_name("lip_motion.safetensors")
MOST_LEFT_OUT = 0.1  # the share of frames without a face


class LipMotion(bench.ClipMetric, bench.Trainable):
    """Agreement of the mouth's movement with the movement that the speech lets expect.

    A linear map, fitted to real and rendered speakers, says from the loudness of speech in 18 bands
    how lips open, and how upper and lower lip move. Their correlation with the video's own
    landmarks is taken at 31 offsets of the sound. It shares no network, no crops and no front end
    with LSE's scorers: where the two disagree about a method, a score is being won without being
    right.

    Reads: the feature landmarks; sound (S,) int16 at 16 kHz; at least 25 frames of both.
    Output: motion_c, correlation, higher is better: the best agreement of 31 offsets, less 0.02 for
        each frame of its offset, above the median of the 31; for a still mouth near 0. offset,
        frames in -15..15, positive if the sound is early: where that best is. motion_at_0, the
        agreement without a search, in [-1, 1], higher is better. left_out, the share of frames
        without a face; the curve agreement (31), entry k at offset 15 - k.
    Raises: Undefined without a face, where more than a tenth of the frames have landmarks with a
        score below 0.5, without sound, with digitally silent sound, and with fewer than 25 frames.
    Source: defined here; correlation of lips and bands after Yehia, Rubin, Vatikiotis-Bateson 1998.
    Deviations: one linear map for all speakers, where they fit one for each.
    """

    name, version = "lip_motion", "1"
    source = "defined here"
    reads = frozenset({"landmarks", "faces", "sound"})
    outputs = (
        bench.Output("motion_c", unit="correlation", better="higher", title="motion C"),
        bench.Output("offset", unit="frames", better="none", best=0.0, low=-15.0, high=15.0),
        bench.Output(
            "motion_at_0",
            unit="correlation",
            better="higher",
            low=-1.0,
            high=1.0,
            title="motion at 0",
        ),
        bench.Output(
            "left_out", unit="share", better="none", low=0.0, high=1.0, title="frames left out"
        ),
        bench.Output("agreement", unit="correlation", better="none", curve=True),
    )
    # Where lips are, soft or noisy frames still show: it sees movement, not pictures.
    sees = frozenset(
        {"frozen:motion_c", "exchanged:motion_c", "shifted:offset", "shifted:motion_at_0"}
    )
    tried_on = "talkers"

    class Options(bench.Options):
        """weights: of a predictor that `bench train` fitted, or the shipped one."""

        weights: Path | None = None

    class Settings(settings.Settings):
        """Of the predictor's fit."""

    options: Options
    _predictor: Predictor | None = None

    @property
    def protocol(self) -> str:
        """Landmarks, whose faces, and digest of the weights."""
        return f"lip_motion[{{landmarks}}; {{faces}}; {self._digest()[:8]}]"

    def identity(self) -> Mapping[str, object]:
        """The digest of the weights."""
        return {"weights": self._digest()}

    def load(self, device: str) -> None:  # noqa: ARG002 (two thousand numbers need no device)
        """Reads the weights."""
        from metrics.lip_motion.predictor import read_predictor

        self._predictor = read_predictor(self._path())

    def measure(self, sample: bench.Sample) -> dict[str, float | list[float]]:
        """The clip's values and the curve over offsets."""
        from metrics.lip_motion.agreement import LEAST_FRAMES, agree
        from metrics.lip_motion.mouth_curves import mouth_curves, quick_part

        sound = sample.video.sound()
        if sound is None:
            raise bench.Undefined("no sound")
        if not sound.any():
            raise bench.Undefined(f"the sound is digitally silent: all {len(sound)} samples are 0")
        curves, seen = mouth_curves(sample.video.feature("landmarks"))
        frames = min(len(curves), len(sound) // bench.SAMPLES_PER_FRAME)
        if frames < LEAST_FRAMES:
            raise bench.Undefined(
                f"needs at least {LEAST_FRAMES} frames with sound, got {len(curves)} frames and"
                f" {len(sound)} samples"
            )
        curves, seen = curves[:frames], seen[:frames]
        left_out = float(1.0 - seen.mean())
        if left_out > MOST_LEFT_OUT:
            raise bench.Undefined(
                f"in {left_out:.0%} of the frames the landmarks have a score below 0.5; more than"
                f" {MOST_LEFT_OUT:.0%} would be left out"
            )
        if self._predictor is None:
            raise RuntimeError("call load(device) before measure")
        expected, known = self._predictor.expect(sound, frames)
        made = quick_part(curves, seen) / self._predictor.usual
        found = agree(expected, made, known=known, seen=seen)
        return {
            "motion_c": found.confidence,
            "offset": float(found.offset),
            "motion_at_0": found.at_0,
            "left_out": left_out,
            "agreement": found.curve.tolist(),
        }

    @classmethod
    def train(cls, job: bench.TrainJob[settings.Settings]) -> Path:
        """Fits a predictor and returns its weights file."""
        from metrics.lip_motion.fitting import train

        return train(job)

    def _path(self) -> Path:
        return self.options.weights or WEIGHTS

    def _digest(self) -> str:
        return _digest(self._path())


@cache
def _digest(path: Path) -> str:
    if not path.is_file():
        raise bench.BenchError(f"{path}: the weights of lip_motion are missing; reinstall")
    return hashlib.sha256(path.read_bytes()).hexdigest()


@bench.hookimpl
def register_metrics() -> list[type[bench.Metric]]:
    """Registers lip_motion."""
    return [LipMotion]
