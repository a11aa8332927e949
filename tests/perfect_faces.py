"""What a face of 96 pixels allows: the true faces, cut out and pasted back as the family does it.

No network takes part, so whatever these videos lose, every method with faces of this size loses.
`GRID_ROOT=... bench run tests/perfect_faces.yaml`, then `python -m tests.results_report RUN`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import bench
from bench.networks.audio import Features
from methods.wav2lip.method import Talking
from methods.wav2lip.variants import ABLATION


class _Perfect:
    lead = 1

    def faces(
        self,
        targets: bench.Frames,
        references: bench.Frames,
        heard: Features,
        *,
        is_lower: bool = False,
    ) -> bench.Frames:
        return targets


class PerfectFaces(Talking):
    """Wav2Lip's crop and paste around a generator that is always right.

    Needs: a recording in which a face is found. Source: this project. Weights: none.
    """

    name = "perfect_faces"
    title = "perfect faces"
    source = "tests/perfect_faces.py"
    variant = ABLATION[0]

    def identity(self) -> Mapping[str, object]:
        """Nothing: there are no weights."""
        return {}

    def load(self, device: str) -> None:
        """Nothing is loaded."""
        self._talker: Any = _Perfect()


@bench.hookimpl
def register_methods() -> list[type[bench.Method]]:
    """The one method."""
    return [PerfectFaces]
