"""AD-NeRF in small, as a method that learns each person first; no person ships."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field as Limits

import bench
from methods.adnerf import settings
from methods.landmarked_face import landmarked_face

if TYPE_CHECKING:
    from methods.adnerf.portrait import SmallPortrait
    from methods.radiance.learning import Learning
    from methods.radiance.recording import Cameras, Recording

PERSON = "person.safetensors"
SHIPPED = Path(__file__).with_name("weights")


class ADNeRF(bench.Method, bench.Trainable):
    """A radiance field of one person's face that hears speech, rendered where the head stands.

    The face's box is rendered in the pose of the recording and pasted into it: body, hair and
    background are the recording's. A person is learned from other clips of the same speaker.

    Needs: clips of the person that are not tested, with sound; a recording with a face; speech that
        is not silent; the feature landmarks.
    Source: Guo et al., ICCV 2021; YudongGuo/AD-NeRF @ 9fdcd7e (MIT).
    Weights: none ship; each person is learned in `prepare`, or ahead of a run by `bench train`.
    Deviations: methods/adnerf/README.md.
    """

    name, version, title = "ad_nerf", "1", "AD-NeRF (2021)"
    source = "Guo et al., ICCV 2021; YudongGuo/AD-NeRF @ 9fdcd7e; methods/adnerf/README.md"
    licence = "MIT (the original's)"
    needs = ("clips of the person that are not tested", "a recording in which a face is found")
    reads = frozenset({"landmarks"})
    tried_on = "talkers"

    class Options(bench.Options):
        """The small settings, for two cores.

        field: "mlp" is AD-NeRF's class of network, "planes" learns faster. persons: a folder of
        files that `bench train` wrote, in place of those that ship. side: pixels of the rendered
        box. samples: along a ray. clips: to learn from, at most; more are thinned out evenly.
        steps, rays, mouth_share: of the learning. patience: steps after which a portrait that has
        become transparent is started anew. keep_every: steps between checkpoints. feather: share
        of the box over which the pasted face fades in.
        """

        field: Literal["mlp", "planes"] = "planes"
        persons: Path | None = None
        side: int = Limits(64, ge=16, le=512)
        samples: int = Limits(16, ge=4)
        clips: int = Limits(30, ge=1)
        steps: int = Limits(4000, ge=1)
        rays: int = Limits(768, ge=8)
        mouth_share: float = Limits(0.7, ge=0, le=1)
        patience: int = Limits(300, ge=1)
        keep_every: int = Limits(250, ge=1)
        feather: float = Limits(0.12, ge=0, le=0.5)

    options: Options
    _device = "cpu"

    @property
    def protocol(self) -> str:
        """What is drawn, from where the pose is, and what is heard."""
        return f"region: face; pose: the recording's; speech: mel29; field: {self.options.field}"

    @property
    def _persons(self) -> Path:
        return SHIPPED if self.options.persons is None else self.options.persons

    def identity(self) -> Mapping[str, object]:
        """The digests of the persons that were learned ahead."""
        known = sorted(self._persons.glob("*.safetensors"))
        return {"persons": {path.stem: bench.file_sha256(path) for path in known}}

    def load(self, device: str) -> None:
        """Keeps the device; a person's weights are read by `generate`."""
        self._device = device

    def prepare(self, job: bench.PrepareJob) -> None:
        """Learns the person, or takes a file that was learned from clips of this job.

        Goes on from the checkpoint of an attempt that was killed. Raises BenchError where no clip
        can be used, or three seeds in a row become transparent.
        """
        from bench.files.one_move import in_one_move
        from bench.networks.checkpoints import save_described
        from methods.radiance.learning import CHECKPOINT, learned
        from methods.radiance.persons import shipped_person

        target, described = job.folder / PERSON, self._described
        known = shipped_person(self._persons, job, described)
        if known is not None:
            job.log.info("%s was learned before: %s", job.person, known.name)
            with in_one_move(target) as part:
                part.write_bytes(known.read_bytes())
        if not target.is_file():
            recording, clips = self._recording(job)
            portrait = learned(
                self._new,
                recording,
                self._learning(),
                folder=job.folder,
                seed=job.seed,
                device=job.device,
                log=job.log,
            )
            save_described(portrait, target, {**described, "person": job.person, "clips": clips})
        (job.folder / CHECKPOINT).unlink(missing_ok=True)

    def generate(self, job: bench.Job) -> bench.Generation:
        """The talking face; raises BenchError for silent speech and where no face is found."""
        from bench.features.head_pose import head_poses
        from methods.radiance.recording import Cameras

        if job.prepared is None:
            raise bench.BenchError("ad_nerf learns each person first: give the config `prepare`")
        face = landmarked_face(job)
        heads = head_poses(face.arrays)
        portrait = self._read(job.prepared / PERSON)
        notes = (f"{heads.missing} frames without a face are left out",) if heads.missing else ()
        cameras = Cameras.of(heads)
        order = list(bench.forth_and_back(len(heads.places), job.frames))
        faces = self._faces(job, portrait, cameras, order)

        def shown() -> Iterator[bench.Frame]:
            recorded = job.face.read()
            for at, face in zip(order, faces, strict=True):
                place = heads.places[at]
                yield put_in(recorded[place], face, cameras.boxes[at], self.options.feather)

        return bench.Generation(shown(), notes=notes)

    def _faces(
        self, job: bench.Job, portrait: SmallPortrait, cameras: Cameras, order: list[int]
    ) -> list[bench.Frame]:
        """All faces: the network runs here, so that its time counts as generating."""
        import torch

        from methods.radiance.learning import face_shown
        from methods.radiance.speech import around, speech_windows

        heard = torch.from_numpy(around(speech_windows(job.speech), np.arange(job.frames)))
        return [
            face_shown(
                portrait,
                cameras.at(np.array([at])),
                heard[index : index + 1].to(self._device),
                side=self.options.side,
            )
            for index, at in enumerate(order)
        ]

    def _new(self) -> SmallPortrait:
        from methods.adnerf.portrait import SmallPortrait

        return SmallPortrait(self.options.field, self.options.samples)

    def _read(self, path: Path) -> SmallPortrait:
        from bench.networks.checkpoints import load_weights

        portrait = self._new()
        portrait.finish()
        load_weights(portrait, path)
        return portrait.to(self._device).eval()

    def _learning(self) -> Learning:
        from methods.radiance.learning import Learning

        options = self.options
        return Learning(
            steps=options.steps,
            rays=options.rays,
            mouth_share=options.mouth_share,
            patience=options.patience,
            keep_every=options.keep_every,
        )

    def _recording(self, job: bench.PrepareJob) -> tuple[Recording, str]:
        """What is learned from, and the clips' digests; clips that cannot be used are told."""
        from methods.radiance.persons import clips_said
        from methods.radiance.recording import Recording

        parts: list[Recording] = []
        used: list[str] = []
        missing = 0
        every = -(-len(job.clips) // self.options.clips)
        chosen = range(0, len(job.clips), every)
        for number in chosen:
            clip = job.clips[number]
            try:
                part, without = Recording.of(clip, self.options.side)
            except bench.BenchError as reason:
                job.log.warning("clip %d cannot be used: %s", number + 1, reason)
                continue
            parts.append(part)
            used.append(clip.sha256)
            missing += without
        if not parts:
            raise bench.BenchError(f"none of {len(chosen)} clips of {job.person} can be used")
        recording = Recording.joined(parts)
        job.log.info(
            "%d of %d clips, %d frames; %d frames without a face left out",
            *(len(parts), len(job.clips), len(recording), missing),
        )
        return recording, clips_said(used)

    @property
    def _described(self) -> dict[str, str]:
        """What decides over a person's file, as its metadata say it."""
        names = ("field", "side", "samples", "steps", "rays", "mouth_share")
        return {"network": self.name, **{name: str(getattr(self.options, name)) for name in names}}

    class Settings(settings.Settings):
        """Which persons, and the options with which they are learned."""

    @classmethod
    def train(cls, job: bench.TrainJob[settings.Settings]) -> Path:
        """Learns every person of the clips to train on; returns the last person's file."""
        from methods.adnerf.ahead import learn_ahead

        options = cls.Options.model_validate(job.settings.options)
        method = cls(options.model_copy(update={"persons": job.folder / "persons"}))
        return learn_ahead(job, method, most=options.clips, made=PERSON)


def put_in(
    frame: bench.Frame, face: bench.Frame, box: NDArray[np.float32], feather: float
) -> bench.Frame:
    """A copy of the frame (H, W, 3) with the face (S, S, 3) in its box x0 y0 side, faded in."""
    import cv2

    from bench.networks.pasting import blended, opacity

    height, width = frame.shape[:2]
    side, (x0, y0, length) = len(face), (float(value) for value in box)
    scale = length / side
    shift = 0.5 * scale - 0.5
    matrix = np.array([[scale, 0, x0 + shift], [0, scale, y0 + shift]])
    share = opacity(side, side, feather=round(feather * side))[..., 0]
    share[[0, -1]] = share[:, [0, -1]] = 0.0  # nothing is drawn beyond the box
    size = (width, height)
    above = cv2.warpAffine(face, matrix, size, borderMode=cv2.BORDER_REPLICATE)
    placed = cv2.warpAffine(share, matrix, size)
    return blended(frame, np.asarray(above, np.uint8), np.asarray(placed, np.float32)[..., None])


@bench.hookimpl
def register_methods() -> list[type[bench.Method]]:
    """AD-NeRF."""
    return [ADNeRF]
