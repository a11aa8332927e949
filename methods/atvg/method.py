"""ATVGnet with its published networks, as a method; not installed, because no weights ship."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import bench
from methods.landmarked_face import landmarked_face

if TYPE_CHECKING:
    from bench.networks.similarity import Transform
    from methods.atvg.demo import Basics
    from methods.atvg.inference import Steps, Talk, Talker


@dataclass(frozen=True)
class _Talking:
    """The still's frame, the similarity that cut its face out, and the made faces."""

    frame: bench.Frame
    transform: Transform
    talks: tuple[Talk, ...]


class ATVGnet(bench.Method):
    """ATVGnet: one still face and speech to landmarks, and landmarks to pictures, 128x128.

    The still is the first frame of the clip in which the landmarks are found. The head keeps still:
    where the recording's head moves, full-reference metrics count it against the method.

    Needs: a recording or an image with a face, the feature landmarks; speech of at least a frame
        that is not silent; the files of the authors, which are not shipped.
    Source: Chen et al., CVPR 2019; lelechen63/ATVGnet @ 02d8f8f (MIT).
    Weights: options speech (atnet_lstm_18.pth), pictures (generator_23.pth), basics (the folder).
    Deviations: methods/atvg/README.md. A face is made for every frame; the official program makes
        one less.
    """

    name, version = "atvg", "1"
    source = "Chen et al., CVPR 2019; lelechen63/ATVGnet @ 02d8f8f; methods/atvg/README.md"
    licence = "MIT (the original's)"
    needs = ("a recording or image in which a face is found", "the authors' weights and `basics`")
    reads = frozenset({"landmarks"})
    tried_on = "talkers"

    class Options(bench.Options):
        """The defaults are the demo's, but for `output` and `contrast`.

        speech, pictures: the authors' files. basics: the folder of that name in a checkout.
        example: "constant" is the demo's landmarks of the still, one for everybody; "own" keeps
            whose face it is, and needs `landmarks: mesh`.
        strength: "demo" and "atnet_test" more than double the coefficients; "plain" does not.
        contrast: "stretched" is the demo's, which flickers. recurrence: "none" is the demo's.
        output: "frame" puts the face back into the still's frame; "crop" is the face alone, and
            the reference is cut as the still was.
        frames: "official" makes one frame less, as the official program does.
        """

        speech: Path
        pictures: Path
        basics: Path
        example: Literal["constant", "own"] = "constant"
        strength: Literal["demo", "atnet_test", "plain"] = "demo"
        contrast: Literal["kept", "stretched"] = "kept"
        recurrence: Literal["none", "time"] = "none"
        output: Literal["frame", "crop"] = "frame"
        frames: Literal["all", "official"] = "all"

    options: Options
    _talker: Talker | None = None
    _basics: Basics

    @property
    def protocol(self) -> str:
        """What is shown, and what the still gives away."""
        made = "" if self.options.frames == "all" else "; frames: official"
        cut = ", reference cut alike" if self.options.output == "crop" else ""
        return f"reference: first; output: {self.options.output}{cut}{made}"

    def identity(self) -> Mapping[str, object]:
        """The digests of the files; raises BenchError if one is missing."""
        from methods.atvg.demo import read_basics

        basics = read_basics(self.options.basics)
        files = {"speech": self.options.speech, "pictures": self.options.pictures}
        for name, path in files.items():
            if not path.is_file():
                raise bench.BenchError(
                    f"options.{name}: {path}: no such file; get it as lelechen63/ATVGnet's README "
                    "says, no weights of ATVGnet ship with this project"
                )
        found: dict[str, object] = {name: bench.file_sha256(each) for name, each in files.items()}
        return {**found, "basics": basics.digest}

    def load(self, device: str) -> None:
        """Reads the files; raises BenchError if one is missing, damaged or another network's."""
        from methods.atvg.demo import read_basics
        from methods.atvg.inference import Talker

        options = self.options
        self._basics = read_basics(options.basics)
        self._talker = Talker.of_official(
            options.speech,
            options.pictures,
            self._basics,
            recurrence=options.recurrence,
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
        from methods.atvg.inference import example_coefficients
        from methods.atvg.landmarks import MESH, SCHEMES

        assert self._talker is not None
        name = str(arrays["model"])
        if name not in SCHEMES:
            raise bench.BenchError(f"no landmarks of the model {name!r} are known to ATVGnet")
        # The published networks take 68 points; all others do for the crop alone.
        scheme = MESH if self.options.example == "own" else SCHEMES[name]
        face, frame = scheme.of(arrays)[place], job.face.read()[place]
        side = self._talker.side
        transform = crop_transform(face, scheme, side=side)
        example = example_coefficients(face, self._basics, self.options.example)
        still = cropped(frame, transform, side=side)
        heard = audio.windows(job.speech)
        if self.options.frames == "official":
            heard = heard[: audio.official_frames(job.speech)]
        talks = tuple(self._talker.talk(still, example, heard, self._steps()))
        return _Talking(frame, transform, talks)

    def _shown(self, talking: _Talking) -> Iterator[bench.Frame]:
        """The frames, put together while the video is encoded."""
        from methods.atvg.alignment import put_back

        frame = talking.frame
        for made in talking.talks:
            if self.options.output == "crop":
                yield made.face
            else:
                yield put_back(frame, made.face, made.share, talking.transform)

    def _steps(self) -> Steps:
        from methods.atvg.demo import ATNET_TEST, DEMO
        from methods.atvg.inference import Steps

        factors = {"demo": DEMO, "atnet_test": ATNET_TEST, "plain": None}
        return Steps(factors[self.options.strength], self.options.contrast)


@bench.hookimpl
def register_methods() -> list[type[bench.Method]]:
    """ATVGnet."""
    return [ATVGnet]
