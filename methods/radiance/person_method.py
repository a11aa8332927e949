"""What methods share that learn a person's radiance field and render the face's box with it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field as Limits

import bench
from bench.train.settings import Seconds
from methods.landmarked_face import landmarked_face
from methods.radiance import settings

if TYPE_CHECKING:
    from methods.radiance.learning import Learning, Portrait
    from methods.radiance.recording import Cameras, Recording

PERSON = "person.safetensors"
LANDMARKS = "landmarks"  # the feature, and what a file says of it
LEARNING = ("side", "samples", "steps", "rays", "mouth_share")  # options that decide over a file


class PersonOptions(bench.Options):
    """The small settings, for two cores; each method's `Options` says what they are."""

    persons: Path | None = None
    side: int = Limits(64, ge=16, le=512)
    samples: int = Limits(16, ge=4)
    clips: int = Limits(30, ge=1)
    steps: int = Limits(4000, ge=1)
    stop_after: Seconds | None = None
    rays: int = Limits(768, ge=8)
    mouth_share: float = Limits(0.7, ge=0, le=1)
    patience: int = Limits(300, ge=1)
    keep_every: int = Limits(250, ge=1)
    feather: float = Limits(0.12, ge=0, le=0.5)


class PersonMethod(bench.Method, bench.Trainable):
    """A method that learns each person first, from clips that are not tested.

    The face's box is rendered in the pose and in the light of the recording, and pasted into it. A
    method adds `new`, and names its own options in `decides`.
    """

    needs = ("clips of the person that are not tested", "a recording in which a face is found")
    reads = frozenset({LANDMARKS})
    tried_on = "talkers"
    shipped: ClassVar[Path]  # the folder of persons that ship
    decides: ClassVar[tuple[str, ...]] = ()
    options: PersonOptions
    _device = "cpu"

    def new(self, *, clips: int) -> Portrait:
        """A portrait that has learned nothing. clips: of the person, that are learned from."""
        raise NotImplementedError

    @property
    def persons(self) -> Path:
        """The folder of persons that were learned ahead."""
        return self.shipped if self.options.persons is None else self.options.persons

    def identity(self) -> Mapping[str, object]:
        """The digests of the persons that were learned ahead."""
        known = sorted(self.persons.glob("*.safetensors"))
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
        from methods.radiance.learning import CHECKPOINT, learned
        from methods.radiance.person_file import save_person
        from methods.radiance.persons import shipped_person

        target = job.folder / PERSON
        known = shipped_person(self.persons, job, self._decided(job.features[LANDMARKS]))
        if known is not None:
            job.log.info("%s was learned before: %s", job.person, known.name)
            with in_one_move(target) as part:
                part.write_bytes(known.read_bytes())
        if not target.is_file():
            recording, clips = self.recording(job)
            portrait = learned(
                lambda: self.new(clips=int(recording.clip[-1]) + 1),
                recording,
                self.learning,
                folder=job.folder,
                seed=job.seed,
                device=job.device,
                log=job.log,
            )
            described = self.described(job.person, clips, job.features[LANDMARKS])
            save_person(portrait, target, described)
        (job.folder / CHECKPOINT).unlink(missing_ok=True)

    def generate(self, job: bench.Job) -> bench.Generation:
        """The talking face; raises BenchError for silent speech and where no face is found."""
        from bench.features.head_pose import head_poses
        from methods.radiance.light import light_of
        from methods.radiance.recording import Cameras, cut_out, shut_lids

        if job.prepared is None:
            raise bench.BenchError(
                f"{self.name} learns each person first: give the config `prepare`"
            )
        face = landmarked_face(job)
        heads = head_poses(face.arrays)
        portrait = self._read(job.prepared / PERSON)
        notes = (f"{heads.missing} frames without a face are left out",) if heads.missing else ()
        cameras, lids = Cameras.of(heads), shut_lids(face.arrays)[heads.places]
        order = list(bench.forth_and_back(len(heads.places), job.frames))
        faces = self._faces(job, portrait, cameras, lids, order)
        recorded, side = job.face.read(), self.options.side
        every = [cut_out(recorded[heads.places[at]], cameras.boxes[at], side) for at in order]
        light = light_of(np.stack(every), np.stack(faces))

        def shown() -> Iterator[bench.Frame]:
            for at, face in zip(order, faces, strict=True):
                place, lit = heads.places[at], light.on(face)
                yield put_in(recorded[place], lit, cameras.boxes[at], self.options.feather)

        return bench.Generation(shown(), notes=notes)

    class Settings(settings.Settings):
        """Which persons, and the options with which they are learned."""

    @classmethod
    def train(cls, job: bench.TrainJob[settings.Settings]) -> Path:
        """Learns every person of the clips to train on; returns the last person's file."""
        from methods.radiance.ahead import learn_ahead

        options = cls.Options.model_validate(job.settings.options)
        method = cls(options.model_copy(update={"persons": job.folder / "persons"}))
        return learn_ahead(job, method, most=method.options.clips, made=PERSON)

    def _faces(
        self,
        job: bench.Job,
        portrait: Portrait,
        cameras: Cameras,
        lids: NDArray[np.float32],
        order: list[int],
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
                shut=float(lids[at]),
            )
            for index, at in enumerate(order)
        ]

    def _read(self, path: Path) -> Portrait:
        from methods.radiance.person_file import load_person

        portrait = self.new(clips=1)
        portrait.finish()
        load_person(portrait, path)
        return portrait.to(self._device).eval()

    def described(self, person: str, clips: str, landmarks: str) -> dict[str, str]:
        """The metadata of a person's file. clips: as `clips_said` gives them.

        landmarks: the protocol of those that poses, mouths and lids were read from.
        """
        return {**self._decided(landmarks), "person": person, "clips": clips}

    def _decided(self, landmarks: str) -> dict[str, str]:
        """What decides over a person's file, as its metadata say it."""
        names = (*self.decides, *LEARNING)
        chosen = {name: str(getattr(self.options, name)) for name in names}
        return {"network": self.name, LANDMARKS: landmarks, **chosen}

    @property
    def learning(self) -> Learning:
        """How a person is learned, by the options."""
        from methods.radiance.learning import Learning

        options = self.options
        return Learning(
            steps=options.steps,
            rays=options.rays,
            mouth_share=options.mouth_share,
            patience=options.patience,
            keep_every=options.keep_every,
            stop_after=options.stop_after,
        )

    def recording(self, job: bench.PrepareJob) -> tuple[Recording, str]:
        """What is learned from, and the clips' names; clips that cannot be used are told."""
        from methods.radiance.persons import clips_said
        from methods.radiance.recording import Recording

        parts: list[Recording] = []
        used: list[str] = []
        missing = 0
        every = -(-len(job.clips) // self.options.clips)
        chosen = range(0, len(job.clips), every)
        for number in chosen:
            try:
                part, without = Recording.of(job.clips[number], self.options.side)
            except bench.BenchError as reason:
                job.log.warning("clip %d cannot be used: %s", number + 1, reason)
                continue
            parts.append(part)
            used.append(job.names[number])
            missing += without
        if not parts:
            raise bench.BenchError(f"none of {len(chosen)} clips of {job.person} can be used")
        recording = Recording.joined(parts)
        job.log.info(
            "%d of %d clips, %d frames; %d frames without a face left out",
            *(len(parts), len(job.clips), len(recording), missing),
        )
        return recording, clips_said(used)


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
