"""Diff2Lip as a method: by the small network of this project, or by the published one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
import pydantic
from numpy.typing import NDArray

import bench
from bench.config.names import name_or_file
from bench.networks.face_crops import PADS, crops, face_boxes
from bench.networks.pasting import Enlarge, Paste, all_pasted
from bench.networks.references import Reference, reference_frames
from bench.networks.speech_windows import speech_windows
from methods.diff2lip import settings

if TYPE_CHECKING:
    from methods.diff2lip.inference import Talker

SHIPPED = Path(__file__).with_name("weights")
SETS = ("synth", "grid")  # of shipped weights
SUFFIXES = (".safetensors", ".pth", ".pt")
OFFICIAL_PADS = (0, 0, 0, 0)
STEPS = {"official": 25, "small": 5}


class Diff2Lip(bench.Method, bench.Trainable):
    """Diff2Lip: the lower half of each face is drawn from noise by a diffusion network.

    The network sees the face's upper half and a reference frame of the person, and hears 0.2 s.
    All frames begin with the same noise. With the official weights, a frame takes minutes on a CPU.

    Needs: a recording or an image with a face, speech of at least 0.2 s that is not silent.
    Source: Mukhopadhyay et al., WACV 2024, arXiv:2308.09716; soumik-kanad/diff2lip @ 0655a45
        (CC BY-NC 4.0, code and weights; none of its code is used here).
    Weights: shipped, small, with `weights: synth` or `grid`; or a path: of a file that `bench
        train` wrote, or of the official one (research use only), which is not shipped.
    Deviations: faces come from the harness's tracker; a clip that is too short goes forth and back;
        the video covers all of the speech; pixel values are rounded, not truncated; single
        precision. methods/diff2lip/README.md gives the rest.
    """

    name, version = "diff2lip", "1"
    source = (
        "Mukhopadhyay et al., WACV 2024, arXiv:2308.09716; soumik-kanad/diff2lip @ 0655a45; "
        "card: methods/diff2lip/README.md"
    )
    licence = "CC BY-NC 4.0 (the original's, its weights included)"
    needs = ("a recording or image in which a face is found", "speech of at least 0.2 s")

    class Options(bench.Options):
        """How to generate. With the official file, the defaults are the official ones.

        weights: "synth", the small ones trained on the embedded corpora, or "grid", on GRID's s1,
            which ship; or the path of a file that `bench train` wrote, or of the official one.
        reference: the frame that shows the network what the person looks like. "same": the frame
            that it generates, as in the official program; the input then contains the true mouth,
            so in `reconstruct` copying it wins. "first": the clip's first frame throughout.
            "other": the frame half a clip away, cyclically.
        steps: of DDIM, 1 to 1000; by default 25 with the official file, else 5.
        pads: pixels added to the face's box above, below, left and right; by default none with the
            official file, else those of the training. smooth: each box is the mean of five.
        paste: whether the whole "face" is pasted back into the frame, or only its "lower" half,
            the only part that is new. feather: pixels over which it fades in; 0 is a hard seam.
            Defaults: the face with a hard seam with the official file, else the lower half with 8
            pixels.
        enlarge: how a generated face becomes as large as its box: "linear", as in the official
            program, which costs half of its sharpness; "cubic", "lanczos"; "inverse" undoes
            the cutting out.
        batch: frames per batch (speed and memory only). precision: "bfloat16" is faster,
            on processors that have it, and slightly less exact.
        """

        weights: str | Path = "synth"
        reference: Reference = "same"
        steps: int | None = pydantic.Field(default=None, ge=1, le=1000)
        pads: tuple[int, int, int, int] | None = None
        smooth: bool = True
        paste: Paste | None = None
        feather: int | None = pydantic.Field(default=None, ge=0)
        enlarge: Enlarge = "linear"
        batch: int = pydantic.Field(default=10, ge=1)
        precision: Literal["float32", "bfloat16"] = "float32"

        @pydantic.field_validator("weights")
        @classmethod
        def is_name_or_file(cls, weights: str | Path) -> str | Path:
            """A known name, or a path with the ending of a weights file."""
            return name_or_file(weights, tuple(SETS), SUFFIXES)

    options: Options
    _talker: Talker | None = None

    @property
    def protocol(self) -> str:
        """The reference frame: it decides whether the true mouth is in the input."""
        return f"reference: {self.options.reference}"

    def identity(self) -> Mapping[str, object]:
        """The digest of the weights file; raises BenchError if it is missing."""
        return {"weights": bench.file_sha256(self._weights_file())}

    def load(self, device: str) -> None:
        """Reads the weights; raises BenchError if they are missing, damaged or another's."""
        from methods.diff2lip.checkpoints import load_denoiser
        from methods.diff2lip.inference import Talker

        options = self.options
        usual = STEPS["official" if self._is_official else "small"]
        self._talker = Talker(
            load_denoiser(self._weights_file()),
            device=device,
            steps=usual if options.steps is None else options.steps,
            precision=options.precision,
        )

    def generate(self, job: bench.Job) -> bench.Generation:
        """The clip with a talking mouth; a clip that is too short goes forth and back.

        The network runs here; faces are pasted while the frames are encoded. Raises BenchError if
        there is no face, or if the speech is silent or shorter than five frames.
        """
        if self._talker is None:
            raise RuntimeError("call load(device) before generate")
        options = self.options
        heard = speech_windows(job, "mel", lead=self._talker.diffused.lead, method=self.name)
        frames, track = job.face.read(), job.face.faces()
        if track.missing:
            job.log.warning("no face in %.0f %% of the frames", 100 * track.missing)
        usual = OFFICIAL_PADS if self._is_official else PADS
        pads = usual if options.pads is None else options.pads
        boxes = face_boxes(track, *frames.shape[1:3], pads=pads, smooth=options.smooth)
        shown = bench.forth_and_back(len(frames), job.frames)
        references = reference_frames(shown, len(frames), options.reference)
        side = self._talker.side
        made = [
            self._talker.faces(
                crops(frames[shown[now]], boxes[shown[now]], side=side),
                crops(frames[references[now]], boxes[references[now]], side=side),
                heard[now],
            )
            for now in _batches(job.frames, options.batch)
        ]
        part: tuple[Paste, int] = ("face", 0) if self._is_official else ("lower", 8)
        video = all_pasted(
            frames,
            boxes,
            shown,
            np.concatenate(made),
            paste=part[0] if options.paste is None else options.paste,
            feather=part[1] if options.feather is None else options.feather,
            enlarge=options.enlarge,
        )
        return bench.Generation(video=video)

    class Settings(settings.Settings):
        """Settings of the sync expert and of the small network."""

    parts = settings.PARTS

    @classmethod
    def train(cls, job: bench.TrainJob[settings.Settings]) -> Path:
        """Trains the expert and the small network; returns the weights file of the last one."""
        from methods.diff2lip.training import train

        return train(job)

    @property
    def _is_official(self) -> bool:
        wanted = self.options.weights
        return wanted not in SETS and Path(wanted).suffix != SUFFIXES[0]

    def _weights_file(self) -> Path:
        wanted = self.options.weights
        path = SHIPPED / f"{wanted}_diff2lip.safetensors" if wanted in SETS else Path(wanted)
        if path.is_file():
            return path
        config = "diff2lip_grid_small" if wanted == "grid" else "diff2lip_small"
        here = sorted(each.name for each in SHIPPED.glob(f"*{SUFFIXES[0]}"))
        raise bench.BenchError(
            f"{path}: no such file, expected weights of diff2lip; train small ones with `bench "
            f"train configs/train/{config}.yaml`, or get the official ones as "
            "soumik-kanad/diff2lip's README says, and write the file's path as options.weights "
            f"(shipped: {', '.join(here) or 'none'})"
        )


def _batches(count: int, size: int) -> Iterator[NDArray[np.int64]]:
    """The numbers 0..count - 1, `size` at a time."""
    for start in range(0, count, size):
        yield np.arange(start, min(start + size, count))


@bench.hookimpl
def register_methods() -> list[type[bench.Method]]:
    """Diff2Lip."""
    return [Diff2Lip]
