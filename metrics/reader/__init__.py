"""A lip reader: can the speech be read from the lips?"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import bench
from metrics.lse import sync_small
from metrics.reader import settings
from metrics.reader.settings import UnitKind

if TYPE_CHECKING:
    from metrics.reader.network import ReaderNetwork
    from metrics.reader.reading import Answers

FEWEST = 5  # frames that one glance of the reader takes in


class Reader(bench.ClipMetric, bench.Trainable):
    """Lip-reading error: the share of what the speech says that cannot be read from the lips.

    A small network trained by this project reads the mouth, without hearing. units "visemes": 12
    groups of phonemes that look alike, as the embedded corpora draw them; what should be read is
    what espeak-ng makes of the speech clip's text, without a language model on either side. units
    "words": GRID's sentences, six words of 51 in fixed places; the reader knows the grammar.
    The text is that of the case's *speech*, so a `probe` or `cross` case asks for the words that
    the face was to say. The sound of the video is not heard: `mismatched` and `shifted`, whose
    pictures are the recording's, keep the recording's value.

    Reads: video (T, H, W, 3) uint8 RGB, at least 5 frames; the video's own face track; the text and
        language of the speech clip.
    Output: error_rate, substitutions, deletions and insertions over the units spoken, lower is
        better, from 0, above 1 where more is read than is said; chance, the same for what is no
        reading of this speech: "visemes", the text's visemes backwards, "words", one blind guess a
        place. An error_rate near chance means that nothing was read. evidence, nats a
        unit, higher is better: how much likelier the speech's units are than the same backwards,
        by the network's own chances; near 0 for lips that say something else, or nothing. It moves
        where error_rate, a count, does not yet.
    Raises: Undefined without a text, for a text that is no sentence of GRID ("words") or of another
        language than zh and en ("visemes"), with fewer than 5 frames, and without a face.
    Source: defined here; GRID's grammar from Cooke et al. 2006, doi 10.1121/1.2229005.
    Deviations: none.
    """

    name, version = "reader", "1"
    source = "defined here; GRID's grammar from Cooke et al. 2006, doi 10.1121/1.2229005"
    reads = frozenset({"video", "text", "faces"})
    outputs = (
        bench.Output(
            "error_rate",
            unit="share",
            better="lower",
            best=None,
            low=0.0,
            title="lip-reading error",
        ),
        bench.Output("chance", unit="share", better="none", low=0.0, title="reading at chance"),
        bench.Output("evidence", unit="nats", better="higher", title="evidence of the speech"),
    )
    # error_rate is a count: a step may change it by one viseme either way.
    sees = frozenset({"blur:evidence", "noise:evidence", "frozen:evidence"})

    class Options(bench.Options):
        """units: what is read; weights: of a reader that `bench train` made, or the shipped one."""

        units: UnitKind = "visemes"
        weights: Path | None = None

    class Settings(settings.Settings):
        """Of the readers' training."""

    options: Options
    _network: ReaderNetwork | None = None

    @property
    def protocol(self) -> str:
        """Units, detector, and digest of the weights."""
        return f"reader[{self.options.units}; face 96:{{faces}}; {self._digest()[:8]}]"

    def identity(self) -> Mapping[str, object]:
        """The digest of the weights."""
        return {"weights": self._digest()}

    def load(self, device: str) -> None:  # noqa: ARG002 (it is small and works on the CPU)
        """Reads the weights."""
        from bench.networks.checkpoints import description, load_weights
        from metrics.reader.network import ReaderNetwork
        from metrics.reader.units import classes

        path = self._path()
        found = description(path, wanted="a lip reader", names=("network", "units", "eyes"))
        if (found["network"], found["units"]) != ("reader", self.options.units):
            raise bench.BenchError(
                f"{path}: expected a reader of {self.options.units}, found a {found['network']} of"
                f" {found['units']}; give the weights that go with units: {self.options.units}"
            )
        if found["eyes"] != sync_small.digest():
            raise bench.BenchError(
                f"{path}: was trained on what sync_small {found['eyes'][:8]} sees, and here is"
                f" {sync_small.digest()[:8]}; train the reader anew"
            )
        network = ReaderNetwork(len(classes(self.options.units)))
        load_weights(network, path)
        self._network = network.eval()

    def measure(self, sample: bench.Sample) -> dict[str, float]:
        """The clip's error rate, and what chance would give."""
        from metrics.reader.scoring import compared
        from metrics.reader.units import said

        speech = sample.case.speech
        ways = said(speech.text, speech.language, self.options.units)
        return compared(self.answers(sample.video), ways, self.options.units)

    def answers(self, video: bench.Video) -> Answers:
        """What the network says of a video, (2 T, classes): logarithms of the units' chances."""
        from metrics.reader.scoring import answers_of

        if self._network is None:
            raise RuntimeError("call load(device) before measure")
        frames = video.read()
        if len(frames) < FEWEST:
            raise bench.Undefined(f"{len(frames)} frames; the reader needs {FEWEST}")
        return answers_of(self._network, frames, video.faces())

    @classmethod
    def train(cls, job: bench.TrainJob[settings.Settings]) -> Path:
        """Trains a reader and returns its weights file."""
        from metrics.reader.training import train

        return train(job)

    def _path(self) -> Path:
        shipped = Path(__file__).with_name(f"reader_{self.options.units}.safetensors")
        return self.options.weights or shipped

    def _digest(self) -> str:
        return _digest(self._path())


@cache
def _digest(path: Path) -> str:
    if not path.is_file():
        raise bench.BenchError(f"{path}: the lip reader's weights are missing; reinstall")
    return hashlib.sha256(path.read_bytes()).hexdigest()


@bench.hookimpl
def register_metrics() -> list[type[bench.Metric]]:
    """Registers reader."""
    return [Reader]
