"""LSE-D and LSE-C: are the lips in sync with the speech?"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import pydantic

import bench
from bench.config.names import name_or_file
from metrics.lse import sync_small
from metrics.lse.core import SYNCNET_DIGEST
from metrics.lse.sync_small import settings

if TYPE_CHECKING:
    from metrics.lse.core import Scorer

SMALL, SYNCNET = "sync_small", "syncnet_v2"
NAMED = (*sync_small.SHIPPED, SYNCNET)


class Lse(bench.ClipMetric, bench.Trainable):
    """Lip-sync error: distance (LSE-D) and confidence (LSE-C) of a sync scorer over 31 shifts.

    Windows of five frames and of 0.2 s of sound are embedded. m[k] is the mean distance of frames
    and sound at shift k; the sound is shifted by up to 15 frames either way, with zeros beyond its
    ends. LSE-D is the smallest m, LSE-C the median of m minus the smallest. The search ignores a
    constant shift: only offset, lse_d_at_0 and lse_c_at_0 show it.

    Reads: video (T, H, W, 3) uint8 RGB, sound (S,) int16 at 16 kHz, at least 6 frames of both; the
        face track with front end "tracked".
    Output: lse_d, distance, lower is better, from 0; lse_c, distance, higher is better, from 0;
        offset, frames in -15..15, positive if the sound is early; lse_d_at_0 and lse_c_at_0, the
        same without a search; padding_share in [0, 1], the share of windows compared with zeros;
        curves: distances (31), entry k at offset 15 - k, and framewise_confidence (N).
        Values of different scorers have different scales and cannot be compared.
    Raises: Undefined without sound, with digitally silent sound, with fewer than 6 frames, and, for
        "tracked", without a face.
    Source: joonson/syncnet_python @ 6efbb1c; Rudrabha/Wav2Lip @ 5c90fa9, evaluation/scores_LSE.
    Deviations: frames do not pass through JPEG; "tracked" uses the harness's detector and does not
        pull the first and last boxes towards zero; clips and faces of any size are scored.
    """

    name, version = "lse", "1"
    source = "joonson/syncnet_python @ 6efbb1c; Rudrabha/Wav2Lip @ 5c90fa9"
    reads = frozenset({"video", "sound", "faces"})
    outputs = (
        bench.Output("lse_d", unit="distance", better="lower", low=0.0, title="LSE-D"),
        bench.Output("lse_c", unit="distance", better="higher", low=0.0, title="LSE-C"),
        bench.Output("offset", unit="frames", better="none", best=0.0, low=-15.0, high=15.0),
        bench.Output("lse_d_at_0", unit="distance", better="lower", low=0.0, title="LSE-D at 0"),
        bench.Output("lse_c_at_0", unit="distance", better="higher", title="LSE-C at 0"),
        bench.Output("padding_share", unit="share", better="none", low=0.0, high=1.0),
        bench.Output("distances", unit="distance", better="none", low=0.0, curve=True),
        bench.Output("framewise_confidence", unit="distance", better="none", curve=True),
    )
    # A constant shift changes only the outputs without a search (and the ends of the others).
    sees = frozenset(
        {"blur", "noise", "frozen", "exchanged"}
        | {"shifted:offset", "shifted:lse_d_at_0", "shifted:lse_c_at_0"}
    )

    class Options(bench.Options):
        """front_end: the networks' crops; batch: windows per batch (speed only).

        scorer: the networks. "sync_small" and "sync_wide", the same trained on more persons, ship;
        "syncnet_v2" are the published ones; the path of a file that `bench train` wrote is a small
        scorer trained on other data.
        precision: "bf16" is faster and slightly less exact; only for the scorer syncnet_v2.
        """

        scorer: str | Path = SMALL
        front_end: Literal["lrs", "tracked"] = "tracked"
        precision: Literal["fp32", "bf16"] = "fp32"
        batch: int = pydantic.Field(default=4, ge=1)

        @pydantic.field_validator("scorer")
        @classmethod
        def _is_name_or_file(cls, scorer: str | Path) -> str | Path:
            return name_or_file(scorer, NAMED, (".safetensors",), lacks="is no scorer")

        @pydantic.model_validator(mode="after")
        def _fits(self) -> Lse.Options:
            if self.scorer != SYNCNET and self.front_end != "tracked":
                raise ValueError(
                    f"front_end {self.front_end} does not go with scorer {self.scorer}, which was"
                    " trained on tracked faces; use front_end: tracked, or scorer: syncnet_v2"
                )
            if self.scorer != SYNCNET and self.precision != "fp32":
                raise ValueError(
                    f"precision {self.precision} does not go with scorer {self.scorer}, which has"
                    " fp32 only; use precision: fp32, or scorer: syncnet_v2"
                )
            return self

    options: Options
    _scorer: Scorer | None = None

    @property
    def weights(self) -> tuple[str, ...]:
        """SyncNet's weights, if it is the scorer; the small ones ship."""
        return (SYNCNET,) if self.options.scorer == SYNCNET else ()

    @property
    def protocol(self) -> str:
        """Front end and detector, scorer and digest of its weights, and bf16 if it is used."""
        front_end = "tracked:{faces}" if self.options.front_end == "tracked" else "lrs"
        precision = "; bf16" if self.options.precision == "bf16" else ""
        scorer = SMALL if isinstance(self.options.scorer, Path) else self.options.scorer
        return f"lse[{front_end}; {scorer}@{self._digest()[:8]}{precision}]"

    def identity(self) -> Mapping[str, object]:
        """The digest of the scorer's weights."""
        return {"scorer": self._digest()}

    def load(self, device: str) -> None:
        """Reads the scorer's weights."""
        if self.options.scorer != SYNCNET:
            self._scorer = sync_small.load(device, weights=self._weights_file())
            return
        from metrics.lse import syncnet

        precision, batch = self.options.precision, self.options.batch
        self._scorer = syncnet.load(device, precision=precision, batch=batch)

    def measure(self, sample: bench.Sample) -> dict[str, float | list[float]]:
        """The clip's scores and curves."""
        from metrics.lse import core, front_end

        sound = sample.video.sound()
        if sound is None:
            raise bench.Undefined("no sound")
        if not sound.any():
            raise bench.Undefined(f"the sound is digitally silent: all {len(sound)} samples are 0")
        frames = sample.video.read()
        core.windows(len(frames), len(sound))  # before any work
        if self.options.front_end == "tracked":
            crops = front_end.tracked(frames, sample.video.faces())
        else:
            crops = front_end.lrs(frames)
        if self._scorer is None:
            raise RuntimeError("call load(device) before measure")
        found = core.score(crops, sound, self._scorer)
        return {
            "lse_d": found.lse_d,
            "lse_c": found.lse_c,
            "offset": float(found.offset),
            "lse_d_at_0": found.lse_d_at_0,
            "lse_c_at_0": found.lse_c_at_0,
            "padding_share": found.padding_share,
            "distances": found.mean_distance.tolist(),
            "framewise_confidence": found.framewise_confidence.tolist(),
        }

    class Settings(settings.Settings):
        """Settings of the small scorer's training."""

    @classmethod
    def train(cls, job: bench.TrainJob[settings.Settings]) -> Path:
        """Trains the scorer sync_small and returns its weights file."""
        from metrics.lse.sync_small.training import train

        return train(job)

    def _digest(self) -> str:
        if self.options.scorer == SYNCNET:
            return SYNCNET_DIGEST
        scorer = self.options.scorer
        if isinstance(scorer, Path):
            return bench.file_sha256(self._weights_file())
        return sync_small.digest(scorer)

    def _weights_file(self) -> Path:
        scorer = self.options.scorer
        if not isinstance(scorer, Path):
            return sync_small.SHIPPED[scorer]
        if not scorer.is_file():
            raise bench.BenchError(
                f"{scorer}: no such file, expected a small sync scorer; train one with `bench "
                "train configs/train/sync_scorer.yaml` and write its path as options.scorer"
            )
        return scorer


@bench.hookimpl
def register_metrics() -> list[type[bench.Metric]]:
    """Registers lse."""
    return [Lse]
