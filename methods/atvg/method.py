"""ATVGnet as a method: with small networks that are shipped, or with the authors' files."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import pydantic

import bench
from bench.config.names import name_or_file
from methods.atvg import settings
from methods.landmarked_face import landmarked_face

if TYPE_CHECKING:
    from bench.networks.similarity import Transform
    from methods.atvg.demo import Basics
    from methods.atvg.inference import Steps, Talk, Talker, TrainedTalker
    from methods.atvg.landmarks import Scheme

SHIPPED = Path(__file__).with_name("weights")
SETS = ("synth", "grid")  # of shipped weights
OFFICIAL = ("speech", "pictures", "basics")  # options that name the authors' files


@dataclass(frozen=True)
class _Talking:
    """The still's frame, the similarity that cut its face out, and the made faces."""

    frame: bench.Frame
    transform: Transform
    talks: tuple[Talk, ...]


class ATVGnet(bench.Method, bench.Trainable):
    """ATVGnet: one still face and speech to landmarks, and landmarks to pictures.

    The still is the first frame of the clip in which the landmarks are found. The head keeps still:
    where the recording's head moves, full-reference metrics count it against the method.

    Needs: a recording or an image with a face, the feature landmarks, of the model that the
        networks know; speech of at least a frame that is not silent.
    Source: Chen et al., CVPR 2019; lelechen63/ATVGnet @ 02d8f8f (MIT).
    Weights: shipped, small, 96x96: `weights: synth`, `grid`; or a path. The authors' files with
        options speech (atnet_lstm_18.pth), pictures (generator_23.pth), basics (the folder);
        128x128.
    Deviations: a face is made for every frame; the official program makes one less. Landmarks are
        the harness's, not dlib's. The shipped networks keep whose face it is in the landmarks, only
        the mouth's points move, and the memory runs over time. The card,
        methods/atvg/cards/atvg.md, and methods/atvg/README.md give reasons, recipe and results.
    """

    name, version = "atvg", "1"
    source = (
        "Chen et al., CVPR 2019; lelechen63/ATVGnet @ 02d8f8f; card: methods/atvg/cards/atvg.md"
    )
    licence = "Apache-2.0 (shipped networks); MIT (the original)"
    needs = ("a recording or image in which a face is found", "speech that is not silent")
    reads = frozenset({"landmarks"})
    tried_on = "talkers"

    class Options(bench.Options):
        """How to generate. With the authors' files the defaults are the demo's, but for `output`
        and `contrast`.

        weights: "synth" (small, trained on the embedded corpora) or "grid" (small, on GRID's s1),
            which are shipped, or the path of a file that `bench train` wrote.
        speech, pictures, basics: the authors' files, all three, in place of `weights`. basics: the
            folder of that name in a checkout.
        example: with the authors' files. "constant" is the demo's landmarks of the still, one for
            everybody; "own" keeps whose face it is, and needs `landmarks: mesh`.
        strength: "demo" and "atnet_test" more than double the coefficients; "plain" does not, and
            is the only one for networks that are trained here.
        contrast: "stretched" is the demo's, which flickers. recurrence: with the authors' files.
            "none" is the demo's; "time" the paper's.
        output: "frame" puts the face back into the still's frame; "crop" is the face alone, and
            the reference is cut as the still was.
        frames: "official" makes one frame less, as the official program does.
        """

        weights: str | Path = "synth"
        speech: Path | None = None
        pictures: Path | None = None
        basics: Path | None = None
        example: Literal["constant", "own"] | None = None
        strength: Literal["demo", "atnet_test", "plain"] | None = None
        contrast: Literal["kept", "stretched"] = "kept"
        recurrence: Literal["none", "time"] | None = None
        output: Literal["frame", "crop"] = "frame"
        frames: Literal["all", "official"] = "all"

        @pydantic.field_validator("weights")
        @classmethod
        def is_name_or_file(cls, weights: str | Path) -> str | Path:
            """A known name, or a path with the ending of a weights file."""
            return name_or_file(weights, tuple(SETS), (".safetensors",))

        @pydantic.model_validator(mode="after")
        def _fits(self) -> ATVGnet.Options:
            given = [name for name in OFFICIAL if getattr(self, name) is not None]
            if given and len(given) < len(OFFICIAL):
                raise ValueError(f"the authors' files are {', '.join(OFFICIAL)}, all three")
            if given:
                return self
            for name, plain in (("example", None), ("recurrence", None), ("strength", "plain")):
                if getattr(self, name) not in (None, plain):
                    raise ValueError(
                        f"{name} goes with the authors' files ({', '.join(OFFICIAL)}); leave it out"
                    )
            return self

    options: Options
    _talker: Talker | TrainedTalker | None = None
    _basics: Basics | None = None

    @property
    def protocol(self) -> str:
        """What is shown, and what the still gives away."""
        made = "" if self.options.frames == "all" else "; frames: official"
        cut = ", reference cut alike" if self.options.output == "crop" else ""
        return f"reference: first; output: {self.options.output}{cut}{made}"

    def identity(self) -> Mapping[str, object]:
        """The digests of the files; raises BenchError if one is missing."""
        if not self._is_official:
            return {"weights": bench.file_sha256(self._weights_file())}
        from methods.atvg.demo import read_basics

        speech, pictures, basics = self._official_files()
        files = {"speech": speech, "pictures": pictures}
        digest = read_basics(basics).digest
        for name, path in files.items():
            if not path.is_file():
                raise bench.BenchError(
                    f"options.{name}: {path}: no such file; get it as lelechen63/ATVGnet's README "
                    "says: the authors' weights do not ship with this project"
                )
        found: dict[str, object] = {name: bench.file_sha256(each) for name, each in files.items()}
        return {**found, "basics": digest}

    def load(self, device: str) -> None:
        """Reads the files; raises BenchError if one is missing, damaged or another network's."""
        from methods.atvg.demo import read_basics
        from methods.atvg.inference import Talker, TrainedTalker

        if not self._is_official:
            from methods.atvg.checkpoints import load_trained

            self._talker = TrainedTalker(load_trained(self._weights_file()), device=device)
            return
        speech, pictures, basics = self._official_files()
        self._basics = read_basics(basics)
        self._talker = Talker.of_official(
            speech,
            pictures,
            self._basics,
            recurrence=self.options.recurrence or "none",
            device=device,
        )

    def generate(self, job: bench.Job) -> bench.Generation:
        """The talking face; raises BenchError for silent speech and where no face is found."""
        if self._talker is None:
            raise RuntimeError("call load(device) before generate")
        face = landmarked_face(job)
        talking = self._talk(job, face.arrays, face.still)
        return bench.Generation(
            video=self._shown(talking),
            notes=face.notes,
            cut=self._cut(talking),
            made=range(len(talking.talks)),
        )

    def _cut(self, talking: _Talking) -> bench.Cut | None:
        if self.options.output == "frame":
            return None
        assert self._talker is not None
        side = self._talker.side
        return bench.Cut(talking.transform, height=side, width=side)

    def _talk(self, job: bench.Job, arrays: bench.Arrays, place: int) -> _Talking:
        """All faces: the networks run here, so that their time counts as generating."""
        from methods.atvg import audio
        from methods.atvg.alignment import crop_transform, cropped
        from methods.atvg.inference import Talker, example_coefficients

        talker = self._talker
        assert talker is not None
        scheme = self._scheme(str(arrays["model"]))
        face, frame = scheme.of(arrays)[place], job.face.read()[place]
        transform = crop_transform(face, scheme, side=talker.side)
        still = cropped(frame, transform, side=talker.side)
        heard = audio.windows(job.speech)
        if self.options.frames == "official":
            heard = heard[: audio.official_frames(job.speech)]
        if not isinstance(talker, Talker):
            return _Talking(frame, transform, tuple(talker.talk(still, face, heard, self._steps())))
        assert self._basics is not None
        example = example_coefficients(face, self._basics, self.options.example or "constant")
        return _Talking(frame, transform, tuple(talker.talk(still, example, heard, self._steps())))

    def _scheme(self, model: str) -> Scheme:
        """The points that the networks know, for a model of landmarks."""
        from methods.atvg.inference import TrainedTalker
        from methods.atvg.landmarks import MESH, SCHEMES

        if isinstance(self._talker, TrainedTalker):
            return self._talker.coding.scheme
        if model not in SCHEMES:
            raise bench.BenchError(f"no landmarks of the model {model!r} are known to ATVGnet")
        # The published networks take 68 points; all others do for the crop alone.
        return MESH if self.options.example == "own" else SCHEMES[model]

    def _shown(self, talking: _Talking) -> Iterator[bench.Frame]:
        """The frames, put together while the video is encoded."""
        from methods.atvg.alignment import put_back

        frame = talking.frame
        for made in talking.talks:
            if self.options.output == "crop":
                yield made.face
            else:
                yield put_back(frame, made.face, made.share, talking.transform)

    @property
    def _is_official(self) -> bool:
        return self.options.speech is not None

    def _official_files(self) -> tuple[Path, Path, Path]:
        """speech, pictures, basics."""
        speech, pictures, basics = (getattr(self.options, name) for name in OFFICIAL)
        return speech, pictures, basics

    def _weights_file(self) -> Path:
        wanted = self.options.weights
        path = SHIPPED / f"{wanted}_{self.name}.safetensors" if wanted in SETS else Path(wanted)
        if path.is_file():
            return path
        config = "atvg_grid_small" if wanted == "grid" else "atvg_small"
        here = sorted(each.name for each in SHIPPED.glob(f"*_{self.name}.safetensors"))
        raise bench.BenchError(
            f"{path}: no such file; train it with `bench train configs/train/{config}.yaml` and "
            f"write the file's path as options.weights (shipped: {', '.join(here) or 'none'})"
        )

    class Settings(settings.Settings):
        """Settings of AT-net (`speech`) and VG-net (`pictures`)."""

    parts = settings.PARTS

    @classmethod
    def train(cls, job: bench.TrainJob[settings.Settings]) -> Path:
        """Trains both networks; returns the weights file, which holds both."""
        from methods.atvg.training import train

        return train(job)

    def _steps(self) -> Steps:
        from methods.atvg.demo import ATNET_TEST, DEMO
        from methods.atvg.inference import Steps

        factors = {"demo": DEMO, "atnet_test": ATNET_TEST, "plain": None}
        strength = self.options.strength or ("demo" if self._is_official else "plain")
        return Steps(factors[strength], self.options.contrast)


@bench.hookimpl
def register_methods() -> list[type[bench.Method]]:
    """ATVGnet."""
    return [ATVGnet]
