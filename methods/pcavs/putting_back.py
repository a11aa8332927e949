"""Puts a generated 224x224 picture back into its frame."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bench.ground.types import Frame
from bench.networks.pasting import blended, opacity
from methods.pcavs.pictures import SIDE


def put_back(
    frame: Frame, picture: Frame, transform: NDArray[np.float64], *, feather: int
) -> Frame:
    """A copy of the frame with the picture in its place.

    frame: (H, W, 3) uint8. picture: (224, 224, 3) uint8. transform: (2, 3), from the frame's x y to
    the picture's (`pictures.inner_transforms`). feather: pixels of the picture over which it fades
    in from its edges; 0 is a hard seam.
    """
    import cv2

    size = (frame.shape[1], frame.shape[0])
    back = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    inside = opacity(SIDE, SIDE, feather=feather)
    share = cv2.warpAffine(inside, transform, size, flags=back)[..., None]
    # The border is repeated, so that no black mixes into the seam.
    made = cv2.warpAffine(picture, transform, size, flags=back, borderMode=cv2.BORDER_REPLICATE)
    return blended(frame, np.asarray(made, dtype=np.uint8), np.asarray(share, dtype=np.float32))
