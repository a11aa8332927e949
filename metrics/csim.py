"""CSIM: whether a generated face is still the same person, for a face recognition network."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

import bench
from metrics.features.identity import Identity

MOST_UNSEEN = 0.1  # of the frames looked at may lack a face in one of the two videos


class Csim(bench.ClipMetric):
    """Mean cosine of the identity embeddings of video and reference in the same frames.

    What a value means depends on the network: for dlib's, different people have a cosine near 0.8,
    so only the range above is of use. Compare with the chance level, the value of the control
    `stranger` (another speaker's recording): where that is near the truth's, as among rendered
    faces, the number says nothing of identity on this data. Methods that paste a mouth into the
    recording leave nearly all of the face as it was, and are near 1 whatever they do.

    Reads: the feature identity (every fifth frame), of video and reference of one length.
    Output: csim, a cosine, higher is better, 1 for the reference itself, from -1 to 1.
    Raises: Undefined where more than a tenth of the frames looked at show no face in one of the
        two. BenchError where the lengths differ.
    Source: Deng et al. 2019, arXiv:1801.07698 (the cosine of ArcFace's embeddings). Papers differ
        in network and alignment, which the protocol names.
    """

    name, version = "csim", "1"
    source = "arXiv:1801.07698; the network is the feature's"
    reads = frozenset({"identity", "reference"})
    outputs = (
        bench.Output("csim", unit="", better="higher", best=1.0, low=-1.0, high=1.0, title="CSIM"),
    )
    sees = frozenset({"blur"})

    @property
    def protocol(self) -> str:
        """Against what, the network, where the face comes from, which frames."""
        return "csim[same frame; {identity}]"

    def alike(self, features: Mapping[str, bench.Feature]) -> Mapping[str, float]:
        """The network's own line."""
        return {"csim": alike(features)}

    def measure(self, sample: bench.Sample) -> dict[str, float]:
        """The clip's mean cosine."""
        assert sample.reference is not None
        made, truth = (each.feature("identity") for each in (sample.video, sample.reference))
        if made["length"] != truth["length"]:
            raise bench.BenchError(
                f"case {sample.case.id}: the video has {made['length']} frames, its reference "
                f"{truth['length']}; conform the video to its reference first"
            )
        _, ours, theirs = np.intersect1d(made["frames"], truth["frames"], return_indices=True)
        looked_at = max(len(made["frames"]), len(truth["frames"]))
        if len(ours) < (1.0 - MOST_UNSEEN) * looked_at:
            raise bench.Undefined(
                f"{looked_at - len(ours)} of {looked_at} frames show no face in the video or in its"
                " reference"
            )
        return {"csim": mean_cosine(made["embeddings"][ours], truth["embeddings"][theirs])}


class CsimFace(bench.ClipMetric):
    """Mean cosine of the video's identity embeddings and that of the face recording's first frame.

    For cases of every kind: `cross` has no reference, but a face that the method got. The first
    frame that shows the face stands for it. Head pose and expression enter, so the reference itself
    has a value below 1. How to read it: see `csim`.

    Reads: the feature identity (every fifth frame), of the video and of the face recording.
    Output: csim_face, a cosine, higher is better, from -1 to 1.
    Raises: Undefined where no frame of one of the two shows a face.
    Source: as csim; against the source picture as in one-shot methods' papers.
    """

    name, version = "csim_face", "1"
    source = "arXiv:1801.07698; the network is the feature's"
    reads = frozenset({"identity", "face"})
    outputs = (
        bench.Output(
            "csim_face", unit="", better="higher", low=-1.0, high=1.0, title="CSIM to the face"
        ),
    )
    sees = frozenset({"blur"})

    @property
    def protocol(self) -> str:
        """Against what, the network, where the face comes from, which frames."""
        return "csim_face[first frame; {identity}]"

    def alike(self, features: Mapping[str, bench.Feature]) -> Mapping[str, float]:
        """The network's own line."""
        return {"csim_face": alike(features)}

    def measure(self, sample: bench.Sample) -> dict[str, float]:
        """The clip's mean cosine."""
        assert sample.face is not None
        made = sample.video.feature("identity")["embeddings"]
        face = sample.face.feature("identity")["embeddings"][:1]
        return {"csim_face": mean_cosine(made, face)}


def alike(features: Mapping[str, bench.Feature]) -> float:
    """The cosine from which the run's network takes two faces for one person's."""
    identity = features["identity"]
    assert isinstance(identity, Identity)
    return identity.alike


def mean_cosine(first: np.ndarray, second: np.ndarray) -> float:
    """The mean cosine of embeddings (K, D) with (K, D) or (1, D), in [-1, 1]."""
    ours, theirs = first.astype(np.float64), second.astype(np.float64)
    lengths = np.linalg.norm(ours, axis=1) * np.linalg.norm(theirs, axis=1)
    return float(np.clip((ours * theirs).sum(axis=1) / lengths, -1.0, 1.0).mean())


@bench.hookimpl
def register_metrics() -> list[type[bench.Metric]]:
    """Registers csim and csim_face."""
    return [Csim, CsimFace]
