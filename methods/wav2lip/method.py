"""The eight methods of the Wav2Lip family: one implementation, a settings table (`variants`)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal, cast

import numpy as np
import pydantic
from numpy.typing import NDArray

import bench
from bench.config.names import name_or_file
from bench.networks import audio
from bench.networks.face_crops import PADS, Boxes, crops, face_boxes
from bench.networks.pasting import Enlarge, Paste, all_pasted
from bench.networks.references import Reference, reference_frames
from bench.networks.speech_windows import speech_windows
from methods.wav2lip import settings
from methods.wav2lip.variants import VARIANTS, Variant

if TYPE_CHECKING:
    from methods.wav2lip.inference import Talker

SHIPPED = Path(__file__).with_name("weights")
# Of shipped weights, one file for each variant: their names, and the training config.
SETS = {"synth": "synth", "grid": "grid_small", "real": "real_faces"}
OFFICIAL = ("wav2lip", "wav2lip_gan")  # in `bench weights list`
SUFFIXES = (".safetensors", ".pth", ".pt")


class Talking(bench.Method, bench.Trainable):
    """The common base of the eight; the classes in `METHODS` add name, sources and variant."""

    version = "1"
    licence = "Apache-2.0; the official Wav2Lip, its weights included: research use only"
    needs = ("a recording or image in which a face is found", "speech of at least 0.2 s")
    variant: ClassVar[Variant]
    title: ClassVar[str]

    class Options(bench.Options):
        """How to generate. With official weights or a file, the defaults are the official ones.

        weights: "synth" (small, trained on the embedded corpora) or, for wav2lip, m_csawav2lip and
            lpips_attnwav2lip, "grid" (small, trained on GRID), or, for wav2lip and m_csawav2lip,
            "real" (the same, with hidden mouths, other looks and other voices), which are shipped;
            "wav2lip" or "wav2lip_gan", the official ones, for wav2lip only; or the path of a file
            that `bench train` wrote or of an official checkpoint.
        reference: the frame that shows the generator what the person looks like. "same": the frame
            that it generates, as in the official program; the input then contains the true mouth,
            so in `reconstruct` copying it wins. "first": the clip's first frame throughout.
            "other": the frame half a clip away, cyclically.
        pads: pixels added to the face's box above, below, left and right. smooth: each box is the
            mean of five.
        paste: whether the whole "face" is pasted back into the frame, or only its "lower" half,
            the only part that is new. feather: pixels over which it fades in; 0 is a hard seam.
            Defaults: with shipped weights the lower half with 8 pixels (small networks only soften
            the upper half), with others the face with a hard seam.
        enlarge: how a generated face becomes as large as its box: "linear", as in the official
            program, which costs half of its sharpness; "cubic", "lanczos"; "inverse", which
            undoes the cutting out. Defaults: "inverse" with "real", "linear" with others.
        batch: frames per batch (speed and memory only). precision: "bfloat16" is faster and
            slightly less exact.
        """

        weights: str | Path = "synth"
        reference: Reference = "same"
        pads: tuple[int, int, int, int] = PADS
        smooth: bool = True
        paste: Paste | None = None
        feather: int | None = pydantic.Field(default=None, ge=0)
        enlarge: Enlarge | None = None
        batch: int = pydantic.Field(default=16, ge=1)
        precision: Literal["float32", "bfloat16"] = "float32"

        @pydantic.field_validator("weights")
        @classmethod
        def is_name_or_file(cls, weights: str | Path) -> str | Path:
            """A known name, or a path with the ending of a weights file."""
            return name_or_file(weights, (*SETS, *OFFICIAL), SUFFIXES)

    options: Options
    _talker: Talker | None = None

    @property
    def weights(self) -> tuple[str, ...]:
        """The official weights, if the options name them; others are not in the weights table."""
        return (str(self.options.weights),) if self._is_official else ()

    @property
    def protocol(self) -> str:
        """The reference frame: it decides whether the true mouth is in the input."""
        return f"reference: {self.options.reference}"

    def identity(self) -> Mapping[str, object]:
        """The digest of the weights file; raises BenchError if it is missing."""
        return {"weights": bench.file_sha256(self._weights_file())}

    def load(self, device: str) -> None:
        """Reads the weights; raises BenchError if they are missing, damaged or another's."""
        from methods.wav2lip.checkpoints import load_generator
        from methods.wav2lip.inference import Talker

        loaded = load_generator(self._weights_file(), self.variant)
        self._talker = Talker(loaded, device=device, precision=self.options.precision)

    def generate(self, job: bench.Job) -> bench.Generation:
        """The clip with a talking mouth; a clip that is too short goes forth and back.

        The network runs here; faces are pasted while the frames are encoded. Raises BenchError if
        there is no face, or if the speech is silent or shorter than five frames.
        """
        if self._talker is None:
            raise RuntimeError("call load(device) before generate")
        options = self.options
        heard = speech_windows(job, self.variant.audio, lead=self._talker.lead, method=self.name)
        frames, track = job.face.read(), job.face.faces()
        if track.missing:
            job.log.warning("no face in %.0f %% of the frames", 100 * track.missing)
        boxes = face_boxes(track, *frames.shape[1:3], pads=options.pads, smooth=options.smooth)
        shown = bench.forth_and_back(len(frames), job.frames)
        paste, feather = self._paste
        faces = _generated(
            self._talker,
            _Recording(frames, boxes),
            heard,
            shown,
            reference_frames(shown, len(frames), options.reference),
            batch=options.batch,
            is_lower=paste == "lower",
        )
        enlarge = options.enlarge or ("inverse" if options.weights == "real" else "linear")
        video = all_pasted(
            frames, boxes, shown, faces, paste=paste, feather=feather, enlarge=enlarge
        )
        return bench.Generation(video=video)

    class Settings(settings.Settings):
        """Settings of the sync expert, the generator, and the discriminator trained with it."""

    parts = settings.PARTS

    @classmethod
    def train(cls, job: bench.TrainJob[settings.Settings]) -> Path:
        """Trains the variant's expert and generator; returns the weights file of the last one."""
        from methods.wav2lip.training import train

        return train(job, cls.variant)

    @property
    def _is_official(self) -> bool:
        return self.options.weights in OFFICIAL

    @property
    def _paste(self) -> tuple[Paste, int]:
        """The pasted part, and over how many pixels it fades in."""
        options = self.options
        usual: tuple[Paste, int] = ("lower", 8) if options.weights in SETS else ("face", 0)
        return (
            usual[0] if options.paste is None else options.paste,
            usual[1] if options.feather is None else options.feather,
        )

    def _weights_file(self) -> Path:
        wanted = self.options.weights
        if self._is_official:
            if self.name != "wav2lip":
                raise bench.BenchError(
                    f"options.weights: expected weights of {self.name}, found {str(wanted)!r}, "
                    f"which are for wav2lip; write one of {', '.join(SETS)}, or the path of a file"
                )
            from bench.files import weights

            return weights.find(str(wanted))
        is_shipped = wanted in SETS
        path = SHIPPED / f"{wanted}_{self.name}.safetensors" if is_shipped else Path(wanted)
        if path.is_file():
            return path
        shared = SETS.get(str(wanted), "synth")
        config = f"configs/train/{self.variant.recipe or shared}.yaml"
        here = sorted(each.name for each in SHIPPED.glob(f"*_{self.name}.safetensors"))
        raise bench.BenchError(
            f"{path}: no such file, expected weights of {self.name}; train them with "
            f"`bench train {config} --plugin {self.name}` and write the file's path as "
            f"options.weights (shipped for {self.name}: {', '.join(here) or 'none'})"
        )


@dataclass(frozen=True)
class _Recording:
    """The face clip. frames: (T, H, W, 3) uint8 RGB; boxes: (T, 4), the face in each frame."""

    frames: bench.Frames
    boxes: Boxes

    def faces(self, chosen: NDArray[np.int64]) -> bench.Frames:
        """The faces of these frames, (B, 96, 96, 3)."""
        return crops(self.frames[chosen], self.boxes[chosen])


def _generated(
    talker: Talker,
    recording: _Recording,
    heard: audio.Features,
    shown: NDArray[np.int64],
    references: NDArray[np.int64],
    *,
    batch: int,
    is_lower: bool,
) -> bench.Frames:
    """All faces, (T, 96, 96, 3) uint8 RGB, generated batch by batch to save memory."""
    made = [
        talker.faces(
            recording.faces(shown[start : start + batch]),
            recording.faces(references[start : start + batch]),
            heard[start : start + batch],
            is_lower=is_lower,
        )
        for start in range(0, len(shown), batch)
    ]
    return np.concatenate(made)


WAV2LIP = "Prajwal et al. 2020, doi 10.1145/3394171.3413532; Rudrabha/Wav2Lip @ 5c90fa9"
ABLATION = f"Guo et al. 2026, doi 10.11896/jsjkx.241200067, no code published; {WAV2LIP}"
HEARS = {
    "mel": "the mel spectrogram",
    "mfcc": "cepstra with their differences",
    "fused": "the mel spectrogram and cepstra with their differences",
}
ATTENDS = {
    "none": "no attention",
    "channel": "channel attention",
    "spatial": "spatial attention",
    "both": "channel and spatial attention",
    "residual": "residual attention in every block, a shallower encoder and semantic alignment",
}
LPIPS_ATTNWAV2LIP = (
    "Chen et al. 2023, Speech Communication, 103028; arXiv:2602.00189; its code could not be had: "
    f"re-made from its abstract; {WAV2LIP}"
)
SOURCES = {"wav2lip": WAV2LIP, "lpips_attnwav2lip": LPIPS_ATTNWAV2LIP}
WEIGHTS = """shipped, small, with `weights: synth`, and for wav2lip, m_csawav2lip and
    lpips_attnwav2lip also with `weights: grid`; or a path. For wav2lip also the official ones, see
    `bench weights list`."""
DOCSTRING = """{title}: Wav2Lip's generator that hears {hears}, with {attends}.

Needs: a recording or an image with a face, speech of at least 0.2 s that is not silent.
Source: {source}.
Weights: {weights}
Deviations: faces come from the harness's tracker; a clip that is too short goes forth and back
    rather than starting again; the video covers all of the speech; pixel values are rounded, not
    truncated. The card, methods/wav2lip/cards/{name}.md, gives reasons, recipe and results.
"""


def _declared(variant: Variant) -> type[Talking]:
    """The method of one variant."""
    source = SOURCES.get(variant.name, ABLATION)
    documented = DOCSTRING.format(
        title=variant.title,
        name=variant.name,
        source=source,
        weights=WEIGHTS,
        hears=HEARS[variant.audio],
        attends=ATTENDS[variant.attention],
    )
    attributes = {
        "__doc__": documented,
        "__module__": __name__,
        "name": variant.name,
        "title": variant.title,
        "source": f"{source}; card: methods/wav2lip/cards/{variant.name}.md",
        "variant": variant,
    }
    return cast("type[Talking]", type(variant.title.replace("-", ""), (Talking,), attributes))


METHODS = tuple(_declared(variant) for variant in VARIANTS)


@bench.hookimpl
def register_methods() -> list[type[bench.Method]]:
    """All variants."""
    return list(METHODS)
