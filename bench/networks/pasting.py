"""Puts a generated face back into its frame.

Sources: Rudrabha/Wav2Lip, inference.py (the whole box, resized bilinearly, with a hard seam); Irani
and Peleg, "Improving resolution by image registration", CVGIP 53(3), 1991, 231-239 (back
projection). Pasting only the lower half, softening the seam and enlarging by more than the four
nearest pixels are options of this project.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from bench.ground.types import Frame, Frames

Paste: TypeAlias = Literal["face", "lower"]
Enlarge: TypeAlias = Literal["linear", "cubic", "lanczos", "inverse"]

ROUNDS = 2  # of back projection; a third changes the error of true faces by a tenth at most


def all_pasted(
    frames: Frames,
    boxes: NDArray[np.int64],
    shown: NDArray[np.int64],
    faces: Frames,
    *,
    paste: Paste,
    feather: int,
    enlarge: Enlarge,
) -> Iterator[Frame]:
    """`pasted` for each of `faces`, (S, 96, 96, 3), one by one.

    frames: (T, H, W, 3) uint8. boxes: (T, 4), the face in each frame. shown: (S,), the frame of
    each generated face.
    """
    for source, face in zip(shown, faces, strict=True):
        yield pasted(
            frames[source], face, boxes[source], paste=paste, feather=feather, enlarge=enlarge
        )


def pasted(
    frame: Frame,
    face: Frame,
    box: NDArray[np.int64],
    *,
    paste: Paste,
    feather: int,
    enlarge: Enlarge = "linear",
) -> Frame:
    """A copy of the frame with the face in the box.

    frame: (H, W, 3) uint8. face: (96, 96, 3) uint8, colours in the same order. box: (4,), x0 y0 x1
    y1 within the frame. paste: the whole box, or only its lower half, which is hidden from the
    generator. feather: pixels over which the pasted part fades in from its edges; 0 is a hard seam.
    enlarge: how the face becomes as large as the box, as in `enlarged`.
    """
    x0, y0, x1, y1 = (int(edge) for edge in box)
    made = enlarged(face, x1 - x0, y1 - y0, enlarge)
    skipped = (y1 - y0) // 2 if paste == "lower" else 0
    made, y0 = made[skipped:], y0 + skipped
    whole = frame.copy()
    if feather:
        share = opacity(made.shape[0], made.shape[1], feather=feather)
        made = blended(whole[y0:y1, x0:x1], np.asarray(made, dtype=np.uint8), share)
    whole[y0:y1, x0:x1] = made
    return whole


def enlarged(face: Frame, width: int, height: int, enlarge: Enlarge) -> Frame:
    """The face (96, 96, 3) uint8 as (height, width, 3) uint8.

    "inverse" undoes the cutting out: cut out again as `bench.networks.face_crops` does, which
    softens, the result is the face. The others are interpolations.
    """
    import cv2

    kernels = {
        "linear": cv2.INTER_LINEAR,
        "cubic": cv2.INTER_CUBIC,
        "lanczos": cv2.INTER_LANCZOS4,
    }
    if enlarge != "inverse":
        return np.asarray(cv2.resize(face, (width, height), interpolation=kernels[enlarge]))
    wanted = face.astype(np.float32)
    made = np.zeros((height, width, 3), dtype=np.float32)
    for _ in range(1 + ROUNDS):
        lacking = wanted - cv2.resize(made, face.shape[1::-1])
        made = made + cv2.resize(lacking, (width, height), interpolation=cv2.INTER_LANCZOS4)
    return np.asarray(np.rint(made.clip(0, 255)), dtype=np.uint8)


def opacity(height: int, width: int, *, feather: int) -> NDArray[np.float32]:
    """The opacity of the face, (height, width, 1): from nearly 0 at the edges up to 1."""
    rows, columns = (
        np.minimum(np.arange(1, length + 1), np.arange(length, 0, -1)) for length in (height, width)
    )
    distance = np.minimum(rows[:, None], columns[None, :])[:, :, None]  # pixels, 1 at the edge
    return np.minimum(distance / (feather + 1), 1.0).astype(np.float32)


def blended(below: Frame, above: Frame, share: NDArray[np.float32]) -> Frame:
    """`above` over `below`, both (H, W, 3) uint8. share: (H, W, 1) in [0, 1], that of `above`."""
    under = below.astype(np.float32)
    return np.rint(under + share * (above.astype(np.float32) - under)).astype(np.uint8)
