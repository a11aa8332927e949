"""CPBD: how much of a picture's edges is sharp enough that no blur is seen; needs no reference."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

import numpy as np
from numpy.typing import NDArray

import bench
from bench.ground.types import Frame, Track
from metrics.regions import check_shapes, whole_boxes

EVERY = 5  # frames: neighbours are nearly copies
BLOCK = 64  # pixels, side
EDGE_SHARE = 0.002  # of a block's pixels: with more edges than that the block counts
SHAPE = 3.6  # beta of the psychometric curve
JUST_NOTICEABLE = 5, 3  # pixels of width, for contrasts up to 50 and above
LOW_CONTRAST = 50
SEEN = 63  # per cent: with up to this chance of seeing blur an edge is sharp
LONGEST = 100  # pixels that an edge is followed to either side
SMALLEST = 128  # pixels of a face, lest one or two blocks decide
LEVEL = np.tan(np.pi / 8)  # a gradient is level within 22.5 degrees


def cpbd(grey: NDArray[np.uint8]) -> float:
    """The share of sharp edges of one picture, (H, W) uint8, in [0, 1]; 0 if it has no edges.

    Pixels beyond the last whole block to the right and below are not counted.
    """
    from skimage.feature import canny

    height, width = (side - side % BLOCK for side in grey.shape)
    if not (height and width):
        raise bench.Undefined(f"a picture of {grey.shape[1]}x{grey.shape[0]} has no block of 64x64")
    edges = _blocks(canny(grey.astype(np.float64)), height, width)  # (B, 64, 64)
    counts = np.count_nonzero(edges, axis=(1, 2)) > EDGE_SHARE * BLOCK * BLOCK
    pixels = _blocks(grey, height, width)
    contrast = pixels.max(axis=(1, 2)).astype(np.int64) - pixels.min(axis=(1, 2))
    noticeable = np.where(contrast <= LOW_CONTRAST, *JUST_NOTICEABLE)  # (B,) pixels
    rows, columns, widths = _edge_widths(grey)
    blocks = rows // BLOCK * (width // BLOCK) + columns // BLOCK
    counted = (rows < height) & (columns < width)
    counted[counted] = counts[blocks[counted]]
    blocks, widths = blocks[counted], widths[counted]
    if not len(widths):
        return 0.0
    chance = 1.0 - np.exp(-((widths / noticeable[blocks]) ** SHAPE))
    # The reference counts whole per cent: 63.4 % still is 63.
    return float(np.mean(np.rint(100 * chance) <= SEEN))


def _blocks(picture: NDArray[np.generic], height: int, width: int) -> NDArray[np.generic]:
    """The whole blocks, (B, 64, 64)."""
    cut = picture[:height, :width].reshape(height // BLOCK, BLOCK, width // BLOCK, BLOCK)
    return cut.swapaxes(1, 2).reshape(-1, BLOCK, BLOCK)


def _edge_widths(
    grey: NDArray[np.uint8],
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Rows, columns and widths in pixels of vertical edges after Marziliano, (E,) each.

    From an edge's pixel the row is followed to both sides as long as it goes on to rise (or fall).
    """
    height, width = grey.shape
    rows, columns = np.nonzero(_vertical_edges(grey))
    inner = (rows > 0) & (rows < height - 1) & (columns > 0) & (columns < width - 1)
    rows, columns = rows[inner], columns[inner]
    wide = grey.astype(np.int16)
    across = wide[rows, columns + 1] - wide[rows, columns - 1]
    down = wide[rows + 1, columns] - wide[rows - 1, columns]
    is_level = np.abs(down) <= LEVEL * np.abs(across)
    # A pixel without any gradient to the side counts as rising, as in the reference.
    rises, falls = (across == 0) | (is_level & (across > 0)), is_level & (across < 0)
    kept = rises | falls
    sign = np.where(falls, -1, 1)[kept]
    rows, columns = rows[kept], columns[kept]
    widths = 2 + _steps(wide, rows, columns, -1, sign) + _steps(wide, rows, columns, 1, sign)
    return rows, columns, widths


def _steps(
    wide: NDArray[np.int16],
    rows: NDArray[np.int64],
    columns: NDArray[np.int64],
    side: int,
    sign: NDArray[np.int64],
) -> NDArray[np.int64]:
    """How often in a row it goes on to rise (sign 1) or fall (-1) from the neighbour of each pixel.

    side: -1 looks to the left, 1 to the right. Returns (E,), at most 100.
    """
    steps = np.zeros(len(rows), dtype=np.int64)
    going = np.arange(len(rows))
    for step in range(1, LONGEST + 1):
        outer = columns[going] + side * (step + 1)
        going = going[(outer >= 0) & (outer < wide.shape[1])]
        row, outer = rows[going], columns[going] + side * (step + 1)
        difference = side * (wide[row, outer] - wide[row, outer - side])
        going = going[sign[going] * difference > 0]
        if not len(going):
            break
        steps[going] += 1
    return steps


def _vertical_edges(grey: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Where Sobel's horizontal gradient is strong and stronger than beside it, or above and below.

    Octave's edge finder, its threshold twice the root of the mean square (of gradients over 8).
    """
    import cv2

    gradient = cv2.Sobel(grey, cv2.CV_16S, 1, 0, ksize=3, borderType=cv2.BORDER_REFLECT)
    strength = np.square(gradient.astype(np.int32))
    strength[strength <= 16.0 * np.sqrt(strength.mean())] = 0
    around = np.pad(strength, 1)
    middle = around[1:-1, 1:-1]
    beside = (middle > around[1:-1, :-2]) & (middle > around[1:-1, 2:])
    upright = (middle > around[:-2, 1:-1]) & (middle > around[2:, 1:-1])
    return np.asarray(beside | upright)


def whole_frames(frames: Iterable[Frame]) -> NDArray[np.float64]:
    """CPBD of every 5th frame, (K,)."""
    return np.array([cpbd(_grey(frame)) for frame in list(frames)[::EVERY]], dtype=np.float64)


def faces(frames: Iterable[Frame], track: Track) -> NDArray[np.float64]:
    """CPBD of the face in every 5th frame, (K,), in the boxes of a track.

    Raises Undefined where one of these faces is smaller than 128 pixels or partly off the frame.
    """
    found = []
    for frame, box in zip(list(frames)[::EVERY], track.boxes[::EVERY], strict=True):
        left, top, right, bottom = whole_boxes(box[None], frame.shape[:2])[0].tolist()
        if min(right - left, bottom - top) < SMALLEST:
            raise bench.Undefined(
                f"a face of {right - left}x{bottom - top} pixels; CPBD needs {SMALLEST} each way,"
                " or region: frame"
            )
        found.append(cpbd(_grey(frame[top:bottom, left:right])))
    return np.array(found, dtype=np.float64)


def _grey(frame: Frame) -> NDArray[np.uint8]:
    import cv2

    return np.asarray(cv2.cvtColor(np.ascontiguousarray(frame), cv2.COLOR_RGB2GRAY), dtype=np.uint8)


class EdgeSharpness(bench.Feature):
    """CPBD of a recording's frames, kept for all methods that are compared with it.

    Reads: video (T, H, W, 3) uint8 RGB, at least 64x64; the face track.
    Gives: frame, face: CPBD of every 5th frame and of the face in it; empty where it has none.
    Raises: nothing.
    Source: Narvekar and Karam 2011, doi 10.1109/TIP.2011.2131660.
    """

    name, version = "edge_sharpness", "1"
    source = "Narvekar and Karam 2011, doi 10.1109/TIP.2011.2131660"
    reads = frozenset({"video", "faces"})
    arrays = {  # noqa: RUF012 (as every feature declares it)
        "frame": "(K,) float64 in [0, 1], every 5th frame; empty for frames under 64 pixels",
        "face": "(K,) float64 in [0, 1]; empty where a face is missing or under 128 pixels",
    }

    def compute(self, video: bench.Video) -> bench.Arrays:
        """Both arrays of one video."""
        frames = video.read()
        try:
            frame = whole_frames(frames)
        except bench.Undefined:
            frame = np.empty(0)
        try:
            face = faces(frames, video.faces())
        except bench.Undefined:
            face = np.empty(0)
        return {"frame": frame, "face": face}


class Cpbd(bench.ClipMetric):
    """Cumulative probability of blur detection: the share of edges too narrow to look blurred.

    Blocks of 64x64 pixels with enough Canny edges count; in them, each vertical edge's width gives
    the chance that its blur is seen, and CPBD is the share of edges with at most 63 %. It needs no
    reference, but no picture should be sharper than its recording: read the ratio as well. Noise
    and the block edges of compression count as sharp.

    Reads: video and reference, (T, H, W, 3) uint8 RGB of one shape; the reference's face track.
    Output: cpbd, a share in [0, 1], higher is sharper, mean over every 5th frame; cpbd_ratio, that
        divided by the reference's, 1 is as sharp as the recording, no direction is better.
    Raises: Undefined with region "face" where a face is missing or smaller than 128 pixels, for
        frames smaller than 64 pixels, and where the reference has no sharp edge. BenchError where
        the shapes differ.
    Source: Narvekar and Karam 2011, doi 10.1109/TIP.2011.2131660; 0x64746b/python-cpbd.
    Deviations: the reference has no edges where no gradient of the whole picture is tilted; here
        such a picture is measured as all others are.
    """

    name, version = "cpbd", "1"
    source = "Narvekar and Karam 2011, doi 10.1109/TIP.2011.2131660; 0x64746b/python-cpbd @ 09c99a4"
    reads = frozenset({"video", "reference", "faces", "edge_sharpness"})
    outputs = (
        bench.Output("cpbd", unit="share", better="higher", low=0.0, high=1.0, title="CPBD"),
        bench.Output(
            "cpbd_ratio",
            unit="1",
            better="none",
            best=1.0,
            low=0.0,
            title="CPBD, ratio to the reference",
        ),
    )
    sees = frozenset({"blur:cpbd"})

    class Options(bench.Options):
        """region: the whole frame, or the face at its own size."""

        region: Literal["frame", "face"] = "frame"

    options: Options

    @property
    def protocol(self) -> str:
        """Region, with the detector where it is the face, and which frames."""
        region = "frame" if self.options.region == "frame" else "face:{faces}"
        return f"cpbd[{region}; grey; native; every {EVERY}th]"

    def measure(self, sample: bench.Sample) -> dict[str, float]:
        """The clip's share and its ratio."""
        if sample.reference is None:
            raise bench.BenchError(f"case {sample.case.id}: no reference to compare with")
        truth, made = sample.reference.read(), sample.video.read()
        check_shapes(truth, made, f"case {sample.case.id}: ")
        region = self.options.region
        is_frame = region == "frame"
        values = whole_frames(made) if is_frame else faces(made, sample.reference.faces())
        known = sample.reference.feature("edge_sharpness")[region]
        if not len(known) or not known.any():
            raise bench.Undefined("the recording has no sharp edge to compare with")
        value = float(values.mean())
        return {"cpbd": value, "cpbd_ratio": value / float(known.mean())}


@bench.hookimpl
def register_metrics() -> list[type[bench.Metric]]:
    """Registers cpbd."""
    return [Cpbd]


@bench.hookimpl
def register_features() -> list[type[bench.Feature]]:
    """Registers what cpbd keeps of a recording."""
    return [EdgeSharpness]
