"""The sizes of the network: the published one, and a small one for two cores. No torch here.

Source: soumik-kanad/diff2lip @ 0655a45, scripts/inference.sh (the flags of the published weights).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

Filling: TypeAlias = Literal["noise", "grey"]  # of the condition's hidden rows

SPEECH_WIDTH = 32  # channels of the speech encoder at multiplier 1


@dataclass(frozen=True)
class Size:
    """What the network sees of a face, and how large it is.

    side: height and width of the face, pixels. top: the first row that the network sees. hidden:
    the first row that it draws, and never sees. width: channels at multiplier 1, a multiple of 32.
    multipliers: of each level's channels; each level halves the picture. blocks: residual blocks of
    a level. attention: by how much a picture is reduced where there is attention. head: channels of
    one head. speech_multipliers, speech_blocks: those of the speech encoder. has_variance: whether
    three further channels say the range of the noise, which ancestral sampling alone needs.
    from_reference: whether the network tells how its picture differs from the reference frame.
    """

    side: int
    top: int
    hidden: int
    width: int
    multipliers: tuple[int, ...]
    blocks: int
    attention: tuple[int, ...]
    head: int
    speech_multipliers: tuple[int, ...]
    speech_blocks: int
    has_variance: bool
    from_reference: bool

    @property
    def rows(self) -> int:
        """Rows that the network sees."""
        return self.side - self.top

    @property
    def seen(self) -> int:
        """Rows above the drawn ones that the network sees."""
        return self.hidden - self.top


OFFICIAL = Size(
    side=128,
    top=0,
    hidden=64,
    width=128,
    multipliers=(1, 1, 2, 3, 4),
    blocks=2,
    attention=(4, 8, 16),
    head=64,
    speech_multipliers=(1, 2, 3, 4),
    speech_blocks=2,
    has_variance=True,
    from_reference=False,
)
SMALL = Size(
    side=96,
    top=40,
    hidden=48,
    width=32,
    multipliers=(1, 1, 2, 3),
    blocks=1,
    attention=(8,),
    head=32,
    speech_multipliers=(1, 1, 2, 2),
    speech_blocks=1,
    has_variance=False,
    from_reference=True,
)
