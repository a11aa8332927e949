"""Cuts the face out upright, as VG-net takes it, and puts a made one back into the frame.

Source: lelechen63/ATVGnet @ 02d8f8f, demo.py: there the similarity is fitted to 18 points of nose
and eyes, in two cuts one after the other. Here one similarity takes the middles of the eyes and the
tip of the nose to where the template has them, so that every model of landmarks can do it.
Putting it back is an option of this project; the official program writes the crop.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bench import Frame
from bench.networks.pasting import blended, opacity
from bench.networks.similarity import Points, Transform, inverse, similarity
from methods.atvg.landmarks import Scheme

TEMPLATE_SIDE = 128
# Right eye, left eye, tip of the nose in the official crop of 128x128.
TEMPLATE = ((38.8, 38.8), (90.2, 38.0), (66.0, 68.0))
LEAST_SHARE = 0.05  # of the network's own picture, below which a pixel stays as it was
FEATHER = 8  # pixels of the crop over which a made face fades in from its edges


def crop_transform(face: Points, scheme: Scheme, *, side: int) -> Transform:
    """The similarity from the frame to the crop, (2, 3). face: (P, 2) pixels, of the scheme."""
    right, left = face[list(scheme.right_eye)], face[list(scheme.left_eye)]
    anchors = np.stack([right.mean(axis=0), left.mean(axis=0), face[scheme.nose_tip]])
    return similarity(anchors, np.array(TEMPLATE) * (side / TEMPLATE_SIDE))


def cropped(frame: Frame, transform: Transform, *, side: int) -> Frame:
    """The upright face, (side, side, 3) uint8; what lies outside the frame repeats its border."""
    import cv2

    made = cv2.warpAffine(frame, transform, (side, side), borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(made, dtype=np.uint8)


def put_back(frame: Frame, face: Frame, share: NDArray[np.float32], transform: Transform) -> Frame:
    """A copy of the frame with the made face where the crop was cut out.

    face: (S, S, 3) uint8. share: (S, S) in [0, 1], `Painted.attention`: where it is at most 0.05
    the frame stays as it is. The seam fades over 8 pixels of the crop.
    """
    import cv2

    height, width = frame.shape[:2]
    side = len(face)
    painted = cv2.GaussianBlur((share > LEAST_SHARE).astype(np.float32), (0, 0), 1.5)
    painted = painted * opacity(side, side, feather=FEATHER)[:, :, 0]
    back = inverse(transform)
    laid = cv2.warpAffine(face, back, (width, height), borderMode=cv2.BORDER_REPLICATE)
    weight = cv2.warpAffine(painted, back, (width, height))[:, :, None]  # 0 outside the crop
    return blended(frame, np.asarray(laid, dtype=np.uint8), np.asarray(weight, dtype=np.float32))
