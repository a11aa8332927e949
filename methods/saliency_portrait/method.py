"""The region-saliency portrait in small, as a method that learns each person first."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
from pydantic import Field as Limits

import bench
from methods.adnerf.method import put_in
from methods.landmarked_face import landmarked_face

if TYPE_CHECKING:
    from methods.radiance.learning import Learning
    from methods.radiance.recording import Cameras, Recording
    from methods.saliency_portrait.portrait import SaliencyPortrait

PERSON = "person.safetensors"
SHIPPED = Path(__file__).with_name("weights")


class RegionSaliency(bench.Method):
    """A radiance field of one person's head, in which speech, lids and pose act by region.

    The face's box is rendered in the pose, with the lids and in the light of the recording, and
    pasted into it: body, hair and background are the recording's. A person is learned from other
    clips of the same speaker.

    Needs: clips of the person that are not tested, with sound; a recording with a face; speech that
        is not silent; the feature landmarks.
    Source: jsjkx 2025, 52(3): 58-67, re-made from its abstracts, on Li et al., ICCV 2023;
        Fictionarry/ER-NeRF @ 0cf72d8 (MIT).
    Weights: those of one person ship (GRID's s1); others are learned in `prepare`.
    Deviations: methods/saliency_portrait/README.md.
    """

    name, version, title = "saliency_portrait", "1", "Region-saliency NeRF (2025, re-made)"
    source = (
        "jsjkx 2025, 52(3): 58-67, of which the abstracts are public; Fictionarry/ER-NeRF @ "
        "0cf72d8; methods/saliency_portrait/README.md"
    )
    licence = "MIT (ER-NeRF's)"
    needs = ("clips of the person that are not tested", "a recording in which a face is found")
    reads = frozenset({"landmarks"})
    tried_on = "talkers"

    class Options(bench.Options):
        """The small settings, for two cores.

        saliency: what the saliency module does: "gates" speech and eyes, scales and shifts the
        points' features, "both", or "none", which is ER-NeRF in small. torso: what the head stands
        before in its box: one colour, or a torso by a grid or by the reference's features. persons:
        a folder of persons' files in place of those that ship. side:
        pixels of the rendered box. samples: along a ray. clips: to learn from, at most; more are
        thinned out evenly. steps, rays, mouth_share: of the learning. patience: steps after which
        a portrait that has become transparent is started anew. keep_every: steps between
        checkpoints. feather: share of the box over which the pasted face fades in.
        """

        saliency: Literal["none", "gates", "scale_and_shift", "both"] = "both"
        torso: Literal["none", "grid", "reference"] = "none"
        persons: Path | None = None
        side: int = Limits(64, ge=16, le=512)
        samples: int = Limits(11, ge=4)
        clips: int = Limits(40, ge=1)
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
        """What is drawn, what the recording gives, what is heard, and which parts take part."""
        options = self.options
        return (
            "region: face; pose, lids, light: the recording's; speech: mel29; "
            f"saliency: {options.saliency}; torso: {options.torso}"
        )

    def identity(self) -> Mapping[str, object]:
        """The digests of the persons that ship, or that lie in the folder `persons`."""
        known = sorted(self._persons.glob("*.safetensors"))
        return {"persons": {path.stem: bench.file_sha256(path) for path in known}}

    @property
    def _persons(self) -> Path:
        return SHIPPED if self.options.persons is None else self.options.persons

    def load(self, device: str) -> None:
        """Keeps the device; a person's weights are read by `generate`."""
        self._device = device

    def prepare(self, job: bench.PrepareJob) -> None:
        """Learns the person, or takes a known one that was learned from clips of this job.

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
            job.log.info("%s is known already: %s", job.person, known.name)
            with in_one_move(target) as part:
                part.write_bytes(known.read_bytes())
        if not target.is_file():
            recording, clips = self._recording(job)
            portrait = learned(
                lambda: self._new(clips=int(recording.clip[-1]) + 1),
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
        from methods.radiance.recording import Cameras, cut_out, shut_lids
        from methods.saliency_portrait.light import light_of

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

    def _faces(
        self,
        job: bench.Job,
        portrait: SaliencyPortrait,
        cameras: Cameras,
        lids: np.ndarray,
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

    def _new(self, *, clips: int) -> SaliencyPortrait:
        from methods.saliency_portrait.portrait import SaliencyPortrait

        options = self.options
        return SaliencyPortrait(
            options.saliency,
            options.torso,
            samples=options.samples,
            side=options.side,
            clips=clips,
        )

    def _read(self, path: Path) -> SaliencyPortrait:
        from bench.networks.checkpoints import load_weights

        portrait = self._new(clips=1)
        load_weights(portrait, path)
        return portrait.to(self._device).eval()

    @property
    def _described(self) -> dict[str, str]:
        """What decides over a person's file, as its metadata say it."""
        names = ("saliency", "torso", "side", "samples", "steps", "rays", "mouth_share")
        return {"network": self.name, **{name: str(getattr(self.options, name)) for name in names}}

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


@bench.hookimpl
def register_methods() -> list[type[bench.Method]]:
    """The region-saliency portrait."""
    return [RegionSaliency]
