"""PC-AVS with its published networks, as a method; not installed, because no weights ship."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
import pydantic
from numpy.typing import NDArray

import bench
from methods.landmarked_face import landmarked_face
from methods.pcavs import mel
from methods.pcavs.pictures import (
    SIDE,
    Transforms,
    anchors,
    crop,
    inner_transforms,
    seen,
    transforms,
)
from methods.pcavs.putting_back import put_back

if TYPE_CHECKING:
    from methods.pcavs.checkpoints import Loaded


class PCAVS(bench.Method):
    """PC-AVS: the person of one still, the mouth of the speech, the head pose of a recording.

    The still is the first frame of the clip in which landmarks are found. The networks see, and
    make, 224x224 pictures of the face.

    Needs: a recording or an image with a face, the feature landmarks; speech that is not silent;
        the files of the authors, which are not shipped.
    Source: Zhou et al., CVPR 2021; Hangz-nju-cuhk/Talking-Face_PC-AVS @ 201d2b9 (CC-BY-4.0).
    Weights: option folder, with latest_net_G.pth, _E, _A_sync and _V.
    Deviations: methods/pcavs/README.md. A face is made for every frame; the official program leaves
        out the first two and the last.
    """

    name, version = "pcavs", "1"
    source = (
        "Zhou et al., CVPR 2021; Hangz-nju-cuhk/Talking-Face_PC-AVS @ 201d2b9; "
        "methods/pcavs/README.md"
    )
    licence = "CC-BY-4.0 (the original's)"
    needs = ("a recording or image in which a face is found", "the authors' weights")
    reads = frozenset({"landmarks"})
    tried_on = "talkers"

    class Options(bench.Options):
        """The defaults are the official program's, but for `output` and `noise`.

        folder: where the four official files are.
        pose: whose head pose the pictures have: that of the clip's frames ("recording", which go
            forth and back), or that of the still throughout.
        mouth_weight: what the speech feature is multiplied by.
        noise: "stored" with the generator, or "drawn" anew for each picture from the case's seed.
        output: "frame" puts the picture back into the frame that gave the pose; "crop" is the
            picture alone, and the reference is cut as the frames that gave the pose were.
        frames: "official" leaves out the first two and the last, as the official program does.
        feather: pixels of the 224 over which the picture fades in.
        batch: frames per batch. It changes speed and memory only.
        """

        folder: Path
        pose: Literal["recording", "still"] = "recording"
        mouth_weight: float = pydantic.Field(default=1.2, gt=0)
        noise: Literal["stored", "drawn"] = "stored"
        output: Literal["frame", "crop"] = "frame"
        frames: Literal["all", "official"] = "all"
        feather: int = pydantic.Field(default=16, ge=0)
        batch: int = pydantic.Field(default=4, ge=1)

    options: Options
    _loaded: Loaded | None = None
    _device = "cpu"

    @property
    def protocol(self) -> str:
        """What is shown, and where the head pose comes from."""
        options = self.options
        made = "" if options.frames == "all" else "; frames: official"
        cut = ", reference cut alike" if options.output == "crop" else ""
        return f"reference: first; pose: {options.pose}; output: {options.output}{cut}{made}"

    def identity(self) -> Mapping[str, object]:
        """The digests of the files; raises BenchError if one is missing."""
        from methods.pcavs.checkpoints import FILES

        for file in FILES.values():
            if not (self.options.folder / file).is_file():
                raise bench.BenchError(
                    f"options.folder: {self.options.folder / file}: no such file; get it as "
                    "Talking-Face_PC-AVS's README says, no weights of PC-AVS ship with this project"
                )
        return {part: bench.file_sha256(self.options.folder / f) for part, f in FILES.items()}

    def load(self, device: str) -> None:
        """Reads the files; raises BenchError if one is missing, damaged or another network's."""
        from methods.pcavs.checkpoints import load_official

        self._loaded = load_official(self.options.folder)
        self._loaded.networks.to(device)
        self._device = device

    def generate(self, job: bench.Job) -> bench.Generation:
        """The talking face; raises BenchError for silent speech and where no face is found."""
        if self._loaded is None:
            raise RuntimeError("call load(device) before generate")
        face = landmarked_face(job)
        if self._loaded.harmful:
            job.log.warning(
                "the files lack %d tensors that pictures depend on (%s ..); they are random",
                len(self._loaded.harmful),
                self._loaded.harmful[0],
            )
        shown = bench.forth_and_back(len(face.is_seen), job.frames)
        if self.options.pose == "still":
            shown = np.full_like(shown, face.still)
        found = transforms(anchors(face.arrays, face.is_seen))
        made = self._made(job)
        return bench.Generation(
            video=self._frames(job, found, face.still, shown, made),
            notes=face.notes,
            cut=self._cut(inner_transforms(found)[shown]),
            made=made,
        )

    def _made(self, job: bench.Job) -> range:
        """The frames of the speech that are made."""
        if self.options.frames == "all":
            return range(job.frames)
        official = mel.official_frames(mel.mel_spectrogram(job.speech).shape[1])
        return range(official.start, min(official.stop, job.frames))

    def _cut(self, shown: Transforms) -> bench.Cut | None:
        """How the pictures were cut out. shown: (T, 2, 3), to what the networks make."""
        if self.options.output == "frame":
            return None
        return bench.Cut(shown, height=SIDE, width=SIDE, beyond="black")

    def _frames(
        self,
        job: bench.Job,
        found: Transforms,
        place: int,
        shown: NDArray[np.int64],
        made: range,
    ) -> Iterator[bench.Frame]:
        import torch

        assert self._loaded is not None
        networks, options = self._loaded.networks, self.options
        frames, inner = job.face.read(), inner_transforms(found)
        spectrogram = mel.mel_spectrogram(job.speech)
        random = torch.Generator().manual_seed(job.seed) if options.noise == "drawn" else None

        def looked(indices: NDArray[np.int64]) -> torch.Tensor:
            crops = np.stack([crop(frames[index], found[index]) for index in indices])
            return torch.from_numpy(seen(crops)).to(self._device)

        with torch.inference_mode():
            who = networks.who(looked(np.array([place])))
        for start in range(made.start, made.stop, options.batch):
            number = np.arange(start, min(start + options.batch, made.stop))
            with torch.inference_mode():
                heads = networks.pictures(
                    who,
                    torch.from_numpy(mel.windows(spectrogram, number)).to(self._device),
                    looked(shown[number]),
                    mouth_weight=options.mouth_weight,
                    random=random,
                )
                levels = ((heads.float() + 1.0) * 127.5).round().clamp(0, 255).to(torch.uint8)
                pictures = levels.permute(0, 2, 3, 1).contiguous().cpu().numpy()
            for index, picture in zip(shown[number], pictures, strict=True):
                if options.output == "crop":
                    yield picture
                else:
                    yield put_back(frames[index], picture, inner[index], feather=options.feather)


@bench.hookimpl
def register_methods() -> list[type[bench.Method]]:
    """PC-AVS."""
    return [PCAVS]
