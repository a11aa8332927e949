"""AD-NeRF in small, as a method that learns each person first."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal

import bench
from methods.radiance.person_method import PersonMethod, PersonOptions

if TYPE_CHECKING:
    from methods.radiance.learning import Portrait


class ADNeRF(PersonMethod):
    """A radiance field of one person's face that hears speech, rendered where the head stands.

    The face's box is rendered in the pose and in the light of the recording and pasted into it:
    body, hair and background are the recording's. A person is learned from other clips of the same
    speaker.

    Needs: clips of the person that are not tested, with sound; a recording with a face; speech that
        is not silent; the feature landmarks.
    Source: Guo et al., ICCV 2021; YudongGuo/AD-NeRF @ 9fdcd7e (MIT).
    Weights: those of some persons ship (`weights/`); others are learned in `prepare`, or ahead of a
        run by `bench train`.
    Deviations: methods/adnerf/README.md.
    """

    name, version, title = "ad_nerf", "2", "AD-NeRF (2021)"
    source = "Guo et al., ICCV 2021; YudongGuo/AD-NeRF @ 9fdcd7e; methods/adnerf/README.md"
    licence = "MIT (the original's)"
    shipped = Path(__file__).with_name("weights")
    decides = ("field",)

    class Options(PersonOptions):
        """The small settings, for two cores.

        field: "mlp" is AD-NeRF's class of network, "planes" learns faster; "official" has AD-NeRF's
        own size, two fields, of which the second has twice as many samples more, and is for GPUs.
        persons: a folder of
        files that `bench train` wrote, in place of those that ship. side: pixels of the rendered
        box. samples: along a ray. clips: to learn from, at most; more are thinned out evenly.
        steps, rays, mouth_share: of the learning. stop_after: time for it, of which `steps` then is
        the most that are planned. patience: steps after which a portrait that has
        become transparent is started anew. keep_every: steps between checkpoints. feather: share
        of the box over which the pasted face fades in.
        """

        field: Literal["mlp", "planes", "official"] = "planes"

    options: Options

    @property
    def protocol(self) -> str:
        """What is drawn, what the recording gives, and what is heard."""
        field = self.options.field
        return f"region: face; pose, light: the recording's; speech: mel29; field: {field}"

    def new(self, *, clips: int) -> Portrait:  # noqa: ARG002 (it knows no clips)
        """A portrait that has learned nothing."""
        from methods.adnerf.official_portrait import OfficialPortrait
        from methods.adnerf.portrait import SmallPortrait

        if self.options.field == "official":
            return OfficialPortrait(self.options.samples)
        return SmallPortrait(self.options.field, self.options.samples)


@bench.hookimpl
def register_methods() -> list[type[bench.Method]]:
    """AD-NeRF."""
    return [ADNeRF]
