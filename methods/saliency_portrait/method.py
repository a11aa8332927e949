"""The region-saliency portrait in small, as a method that learns each person first."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pydantic import Field as Limits

import bench
from methods.radiance.person_method import PersonMethod, PersonOptions

if TYPE_CHECKING:
    from methods.saliency_portrait.portrait import SaliencyPortrait


class RegionSaliency(PersonMethod):
    """A radiance field of one person's head, in which speech, lids and pose act by region.

    The face's box is rendered in the pose, with the lids and in the light of the recording, and
    pasted into it: body, hair and background are the recording's. A person is learned from other
    clips of the same speaker.

    Needs: clips of the person that are not tested, with sound; a recording with a face; speech that
        is not silent; the feature landmarks.
    Source: jsjkx 2025, 52(3): 58-67, re-made from its abstracts, on Li et al., ICCV 2023;
        Fictionarry/ER-NeRF @ 0cf72d8 (MIT).
    Weights: those of some persons ship (`weights/`); others are learned in `prepare`, or ahead of
        a run by `bench train`.
    Deviations: methods/saliency_portrait/README.md.
    """

    name, version, title = "saliency_portrait", "1", "Region-saliency NeRF (2025, re-made)"
    source = (
        "jsjkx 2025, 52(3): 58-67, of which the abstracts are public; Fictionarry/ER-NeRF @ "
        "0cf72d8; methods/saliency_portrait/README.md"
    )
    licence = "MIT (ER-NeRF's)"
    shipped = Path(__file__).with_name("weights")
    decides = ("saliency", "torso", "head")

    class Options(PersonOptions):
        """The small settings, for two cores.

        saliency: what the saliency module does: "gates" speech and eyes, scales and shifts the
        points' features, "both", or "none", which is ER-NeRF. head: "official" has ER-NeRF's
        hashed planes and codes, and is for GPUs. torso: what the head stands
        before in its box: one colour, or a torso by a grid or by the reference's features. persons:
        a folder of persons' files in place of those that ship. side:
        pixels of the rendered box. samples: along a ray. clips: to learn from, at most; more are
        thinned out evenly. steps, rays, mouth_share: of the learning. stop_after: time for it, of
        which `steps` then is the most that are planned. patience: steps after which
        a portrait that has become transparent is started anew. keep_every: steps between
        checkpoints. feather: share of the box over which the pasted face fades in.
        """

        saliency: Literal["none", "gates", "scale_and_shift", "both"] = "both"
        torso: Literal["none", "grid", "reference"] = "none"
        head: Literal["small", "official"] = "small"
        samples: int = Limits(11, ge=4)
        clips: int = Limits(40, ge=1)

    options: Options

    @property
    def protocol(self) -> str:
        """What is drawn, what the recording gives, what is heard, and which parts take part."""
        options = self.options
        return (
            "region: face; pose, lids, light: the recording's; speech: mel29; "
            f"saliency: {options.saliency}; torso: {options.torso}"
        )

    def new(self, *, clips: int) -> SaliencyPortrait:
        """A portrait that has learned nothing, with a code for each clip."""
        from methods.saliency_portrait.portrait import SaliencyPortrait

        options = self.options
        return SaliencyPortrait(
            options.saliency,
            options.torso,
            options.head,
            samples=options.samples,
            side=options.side,
            clips=clips,
        )


@bench.hookimpl
def register_methods() -> list[type[bench.Method]]:
    """The region-saliency portrait."""
    return [RegionSaliency]
