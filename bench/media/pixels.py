"""Converts decoded frames to RGB and back, turns them upright and resizes them."""

from __future__ import annotations

from typing import cast

import av
import numpy as np
from av.sidedata.sidedata import SideDataContainer
from av.sidedata.sidedata import Type as SideDataType
from av.video.reformatter import ColorRange, Colorspace, Interpolation, VideoReformatter
from numpy.typing import NDArray

from bench.ground.types import Frame

_EXACT = Interpolation.ACCURATE_RND | Interpolation.FULL_CHR_H_INT | Interpolation.BITEXACT
_DECODING = Interpolation.BILINEAR | _EXACT
_ENCODING = Interpolation.AREA | Interpolation.FULL_CHR_H_INP | _EXACT
_ENLARGING = Interpolation.BICUBIC | _EXACT
_SHRINKING = Interpolation.AREA | _EXACT
_THREADS = 1  # by default each frame starts threads of its own, one a core, and ends them


def resize(frame: Frame, *, width: int, height: int) -> Frame:
    """The frame at another size, (height, width, 3): area means to shrink, bicubic to enlarge."""
    if frame.shape[:2] == (height, width):
        return frame
    shrinks = width * height < frame.shape[0] * frame.shape[1]
    raw = av.VideoFrame.from_ndarray(np.ascontiguousarray(frame), format="rgb24")
    scaled = raw.reformat(
        width=width,
        height=height,
        interpolation=_SHRINKING if shrinks else _ENLARGING,
        threads=_THREADS,
    )
    return np.ascontiguousarray(_plane(scaled))


def rgb(convert: VideoReformatter, raw: av.VideoFrame) -> Frame:
    """A decoded frame as (H, W, 3) uint8 RGB."""
    return _plane(convert.reformat(raw, format="rgb24", interpolation=_DECODING, threads=_THREADS))


def yuv420p(convert: VideoReformatter, frame: Frame) -> av.VideoFrame:
    """The frame, (H, W, 3) uint8 RGB, as yuv420p for H.264: BT.601, limited range."""
    return convert.reformat(
        av.VideoFrame.from_ndarray(frame, format="rgb24"),
        format="yuv420p",
        dst_colorspace=Colorspace.SMPTE170M,
        dst_color_range=ColorRange.MPEG,
        interpolation=_ENCODING,
        threads=_THREADS,
    )


def _plane(raw: av.VideoFrame) -> Frame:
    """A view of an rgb24 frame's pixels, (H, W, 3); its rows need not be adjacent in memory."""
    plane = raw.planes[0]
    pixels: NDArray[np.uint8] = np.frombuffer(memoryview(plane), np.uint8)
    rows = pixels.reshape(plane.height, plane.line_size)  # (H, bytes)
    return rows[:, : plane.width * 3].reshape(plane.height, plane.width, 3)


def display_matrix(raw: av.VideoFrame) -> tuple[int, int, int, int]:
    """a, b, c, d of x' = a x + c y, y' = b x + d y (ISO 14496-12, 16.16 fixed point)."""
    side_data = cast("SideDataContainer", raw.side_data)  # PyAV's stubs type it as a dict of names
    try:
        data = side_data[SideDataType.DISPLAYMATRIX]
    except KeyError:
        return (1, 0, 0, 1)
    numbers = np.frombuffer(bytes(data)[:36], "=i4").tolist()
    return (numbers[0], numbers[1], numbers[3], numbers[4])


def upright(frame: Frame, matrix: tuple[int, int, int, int]) -> Frame:
    """The frame turned and mirrored by a display matrix, to the nearest quarter turn."""
    a, b, c, d = matrix
    if abs(a) >= abs(b):
        return frame[:: -1 if d < 0 else 1, :: -1 if a < 0 else 1]
    return frame.transpose(1, 0, 2)[:: -1 if b < 0 else 1, :: -1 if c < 0 else 1]
