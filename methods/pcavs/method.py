"""PC-AVS as a method: by the small networks of this project, or by the published ones."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
import pydantic
from numpy.typing import NDArray

import bench
from methods.landmarked_face import landmarked_face, landmarks_of
from methods.pcavs import mel, settings
from methods.pcavs.pictures import SIDE, Transforms, anchors, inner_transforms, transforms
from methods.pcavs.putting_back import put_back

if TYPE_CHECKING:
    from methods.pcavs.talker import Talker

SHIPPED = Path(__file__).with_name("weights")
SETS = ("synth", "grid")  # of shipped weights
SUFFIX = ".safetensors"


class PCAVS(bench.Method, bench.Trainable):
    """PC-AVS: the person of one still, the mouth of the speech, the head pose of a recording.

    The still is the first frame of the clip in which landmarks are found. The published networks
    see and make 224x224 pictures of the face, the small ones of this project 96x96.

    Needs: a recording or an image with a face, the feature landmarks; speech that is not silent.
    Source: Zhou et al., CVPR 2021; Hangz-nju-cuhk/Talking-Face_PC-AVS @ 201d2b9 (CC-BY-4.0).
    Weights: shipped, small, with `weights: synth`; or a path; or, as option folder, the authors'
        latest_net_G.pth, _E, _A_sync and _V, which are not shipped.
    Deviations: methods/pcavs/README.md. A face is made for every frame; the official program leaves
        out the first two and the last.
    """

    name, version = "pcavs", "2"
    source = (
        "Zhou et al., CVPR 2021; Hangz-nju-cuhk/Talking-Face_PC-AVS @ 201d2b9; "
        "methods/pcavs/README.md"
    )
    licence = "CC-BY-4.0 (the original's)"
    needs = ("a recording or image in which a face is found",)
    reads = frozenset({"landmarks"})
    tried_on = "talkers"

    class Options(bench.Options):
        """With `folder`, the defaults are the official program's, but for `output` and `noise`.

        weights: "synth", small networks trained on the embedded corpora, which are shipped; "grid",
            trained on GRID; or the path of a file that `bench train` wrote.
        folder: where the authors' four files are; then `weights` does not count.
        pose: whose head pose the pictures have: that of the clip's frames ("recording", which go
            forth and back), that of the still throughout ("still"), or that of the frames of
            another recording, by its path.
        mouth_weight: what the speech feature is multiplied by; 1.2 with the authors' files, else 1.
        noise: "stored" with the published generator, or "drawn" anew for each picture from the
            case's seed. The small one has none.
        output: "frame" puts the picture back into the frame that gave the pose (with another
            recording's pose, into the still's); "crop" is the picture alone, and the reference is
            cut as that frame was.
        frames: "official" leaves out the first two and the last, as the official program does.
        feather: pixels of 224 over which the picture fades in.
        batch: frames per batch. It changes speed and memory only.
        """

        weights: str | Path = "synth"
        folder: Path | None = None
        pose: Literal["recording", "still"] | Path = "recording"
        mouth_weight: float | None = pydantic.Field(default=None, gt=0)
        noise: Literal["stored", "drawn"] = "stored"
        output: Literal["frame", "crop"] = "frame"
        frames: Literal["all", "official"] = "all"
        feather: int = pydantic.Field(default=16, ge=0)
        batch: int = pydantic.Field(default=4, ge=1)

        @pydantic.field_validator("weights")
        @classmethod
        def is_name_or_file(cls, weights: str | Path) -> str | Path:
            """A known name, or the path of a weights file."""
            if weights in SETS:
                return weights
            if Path(weights).suffix != SUFFIX:
                raise ValueError(
                    f"there are no weights {str(weights)!r}; write {' or '.join(SETS)}, or the "
                    f"path of a file that ends with {SUFFIX}; the authors' files go by `folder`"
                )
            return Path(weights)  # a Path is relative to the config's folder

        @pydantic.field_validator("pose")
        @classmethod
        def is_word_or_video(cls, pose: str | Path) -> str | Path:
            """One of the words, or the path of a video."""
            if isinstance(pose, Path) and not pose.suffix:
                raise ValueError(
                    f"expected recording, still or the path of a video, found {str(pose)!r}"
                )
            return pose

        @pydantic.model_validator(mode="after")
        def _fits(self) -> PCAVS.Options:
            if self.noise == "drawn" and self.folder is None:
                raise ValueError("noise: drawn is of the published generator; give its folder")
            return self

    options: Options
    _talker: Talker | None = None

    @property
    def protocol(self) -> str:
        """What is shown, and where the head pose comes from."""
        options = self.options
        pose = "another recording" if isinstance(options.pose, Path) else options.pose
        made = "" if options.frames == "all" else "; frames: official"
        cut = ", reference cut alike" if options.output == "crop" else ""
        return f"reference: first; pose: {pose}; output: {options.output}{cut}{made}"

    def identity(self) -> Mapping[str, object]:
        """The digests of all files that the options name; raises BenchError if one is missing."""
        options = self.options
        found: dict[str, object] = {}
        if isinstance(options.pose, Path):
            if not options.pose.is_file():
                raise bench.BenchError(
                    f"options.pose: {options.pose}: no such file; give a video, or write recording "
                    "or still"
                )
            found["pose"] = bench.file_sha256(options.pose)
        if options.folder is None:
            return {**found, "weights": bench.file_sha256(self._weights_file())}
        from methods.pcavs.checkpoints import FILES

        for file in FILES.values():
            if not (options.folder / file).is_file():
                raise bench.BenchError(
                    f"options.folder: {options.folder / file}: no such file; get it as "
                    "Talking-Face_PC-AVS's README says, the authors' weights do not ship with this "
                    "project"
                )
        return found | {part: bench.file_sha256(options.folder / f) for part, f in FILES.items()}

    def load(self, device: str) -> None:
        """Reads the files; raises BenchError if one is missing, damaged or another network's."""
        from methods.pcavs import talker
        from methods.pcavs.networks import OFFICIAL_MOUTH_WEIGHT

        options = self.options
        if options.folder is None:
            weight = 1.0 if options.mouth_weight is None else options.mouth_weight
            self._talker = talker.SmallTalker.of(self._weights_file(), device, weight=weight)
        else:
            usual = OFFICIAL_MOUTH_WEIGHT
            weight = usual if options.mouth_weight is None else options.mouth_weight
            self._talker = talker.PublishedTalker.of(options.folder, device, weight=weight)

    def generate(self, job: bench.Job) -> bench.Generation:
        """The talking face; raises BenchError for silent speech and where no face is found."""
        if self._talker is None:
            raise RuntimeError("call load(device) before generate")
        face = landmarked_face(job)
        for warning in self._talker.warnings:
            job.log.warning(warning)
        frames = job.face.read()
        own = _Aligned(frames, transforms(anchors(face.arrays, face.is_seen)))
        pose, poses = self.options.pose, own
        if isinstance(pose, Path):
            poses = _other_recording(pose, job)
        shown = bench.forth_and_back(len(poses.frames), job.frames)
        if pose == "still":
            shown = np.full_like(shown, face.still)
        into = np.full_like(shown, face.still) if isinstance(pose, Path) else shown
        made = self._made(job)
        return bench.Generation(
            video=self._frames(job, own, face.still, poses, shown, into, made),
            notes=face.notes,
            cut=self._cut(inner_transforms(own.found)[into]),
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

    class Settings(settings.Settings):
        """Settings of the networks, small or published, and of what judges them in training."""

    parts = settings.PARTS

    @classmethod
    def train(cls, job: bench.TrainJob[settings.Settings]) -> Path:
        """Trains the small or the published networks; returns the last weights file."""
        from methods.pcavs.training import train

        return train(job)

    def _weights_file(self) -> Path:
        wanted = self.options.weights
        path = SHIPPED / f"{wanted}_pcavs{SUFFIX}" if wanted in SETS else Path(wanted)
        if path.is_file():
            return path
        config = "pcavs_grid_small" if wanted == "grid" else "pcavs_small"
        here = sorted(each.name for each in SHIPPED.glob(f"*{SUFFIX}"))
        raise bench.BenchError(
            f"{path}: no such file, expected weights of pcavs; train them with `bench train "
            f"configs/train/{config}.yaml` and write the file's path as options.weights (shipped: "
            f"{', '.join(here) or 'none'})"
        )

    def _frames(
        self,
        job: bench.Job,
        own: _Aligned,
        still: int,
        poses: _Aligned,
        shown: NDArray[np.int64],
        into: NDArray[np.int64],
        made: range,
    ) -> Iterator[bench.Frame]:
        """The video. shown: (T,), frames of `poses`; into: (T,), frames of `own`."""
        import cv2

        assert self._talker is not None
        options = self.options
        inner = inner_transforms(own.found)
        spectrogram = mel.mel_spectrogram(job.speech)
        speak = self._talker.begin(
            own.frames[still],
            own.found[still],
            seed=job.seed if options.noise == "drawn" else None,
        )
        for start in range(made.start, made.stop, options.batch):
            number = np.arange(start, min(start + options.batch, made.stop))
            pictures = speak(
                mel.windows(spectrogram, number),
                [poses.frames[index] for index in shown[number]],
                poses.found[shown[number]],
            )
            for index, picture in zip(into[number], pictures, strict=True):
                whole = picture
                if len(picture) != SIDE:
                    resized = cv2.resize(picture, (SIDE, SIDE), interpolation=cv2.INTER_CUBIC)
                    whole = np.asarray(resized, dtype=np.uint8)
                if options.output == "crop":
                    yield whole
                else:
                    yield put_back(own.frames[index], whole, inner[index], feather=options.feather)


@dataclass(frozen=True)
class _Aligned:
    """A recording. frames: (T, H, W, 3) uint8 RGB; found: (T, 2, 3), of `pictures.transforms`."""

    frames: bench.Frames
    found: Transforms


def _other_recording(path: Path, job: bench.Job) -> _Aligned:
    """The recording that gives the pose, its face found as the clip's is."""
    from bench.data.conform import conform_clip
    from bench.ground.types import Clip

    conformed = conform_clip(Clip(id="pose", video=path), cache=job.workdir)
    video = bench.Video(conformed.path, features=job.face.features, sha256=conformed.sha256)
    arrays, is_seen = landmarks_of(video, "recording of options.pose")
    return _Aligned(video.read(), transforms(anchors(arrays, is_seen)))


@bench.hookimpl
def register_methods() -> list[type[bench.Method]]:
    """PC-AVS."""
    return [PCAVS]
