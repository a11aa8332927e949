"""What training does to faces, so that the network learns faces and not a studio.

Geometry moves the points with the picture: a camera's place, a detector's error, and another face's
proportions (a smooth warp). The rest leaves them where they are: light, colour, codecs, blur,
noise, covered patches, mouths pasted in with seams, as methods make them.
"""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from metrics.features.landmarks.small.network import SIDE

Square = NDArray[np.uint8]  # (128, 128, 3) RGB
Random = np.random.Generator
_COARSE = 5  # knots of a warp along a side


def seen(
    stored: NDArray[np.uint8],
    points: NDArray[np.float32],
    random: Random,
    *,
    scale: float,
    bearded: float = 0.0,
) -> tuple[Square, NDArray[np.float32]]:
    """A stored square (S, S, 3) and its points (P, 2) in a random view: (128, 128, 3), (P, 2).

    scale: pixels of the network's square to one of the stored. bearded: the share of the faces that
    get a moustache or a beard.
    """
    square, placed = _moved(stored, points, random, scale)
    if bearded and random.random() < bearded:
        square = _bearded(square, placed, random)
    return spoilt(square, placed, random), placed


def plain(
    stored: NDArray[np.uint8], points: NDArray[np.float32], *, scale: float
) -> tuple[Square, NDArray[np.float32]]:
    """The view without any change: what finding sees, but for the way over the stored square."""
    matrix = _matrix(len(stored), scale, angle=0.0, aspect=1.0, shift=(0.0, 0.0))
    square = cv2.warpAffine(stored, matrix, (SIDE, SIDE), borderMode=cv2.BORDER_REPLICATE)
    placed = points @ matrix[:, :2].T + matrix[:, 2]
    return np.asarray(square, dtype=np.uint8), placed.astype(np.float32)


def _matrix(
    side: int, scale: float, *, angle: float, aspect: float, shift: tuple[float, float]
) -> NDArray[np.float64]:
    """From the stored square's pixels to the network's, (2, 3)."""
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    linear = scale * turn @ np.diag([aspect, 1.0 / aspect])
    offset = np.array([SIDE / 2, SIDE / 2]) + shift - linear @ np.array([side / 2, side / 2])
    return np.column_stack([linear, offset])


def _moved(
    stored: NDArray[np.uint8], points: NDArray[np.float32], random: Random, scale: float
) -> tuple[Square, NDArray[np.float32]]:
    matrix = _matrix(
        len(stored),
        scale * float(np.exp(random.uniform(-0.18, 0.18))),
        angle=float(np.clip(random.normal(0.0, 0.15), -0.5, 0.5)),
        aspect=float(np.exp(random.uniform(-0.1, 0.1))),
        shift=(float(random.normal(0.0, 5.0)), float(random.normal(0.0, 6.0))),
    )
    placed = points @ matrix[:, :2].T + matrix[:, 2]
    inverse = cv2.invertAffineTransform(matrix)
    if random.random() < 0.7:
        # places in the wanted square, each with where it is read from in the unwarped one
        knots = random.normal(0.0, random.uniform(0.5, 3.5), (_COARSE, _COARSE, 2))
        warp = cv2.resize(knots.astype(np.float32), (SIDE, SIDE), interpolation=cv2.INTER_CUBIC)
        grid = np.arange(SIDE, dtype=np.float32)
        x, y = np.meshgrid(grid, grid)
        x, y = x + warp[..., 0], y + warp[..., 1]
        map_x = (inverse[0, 0] * x + inverse[0, 1] * y + inverse[0, 2]).astype(np.float32)
        map_y = (inverse[1, 0] * x + inverse[1, 1] * y + inverse[1, 2]).astype(np.float32)
        square = cv2.remap(stored, map_x, map_y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        # a point p is seen at q with q + warp(q) = p
        at = placed.copy()
        for _ in range(3):
            moved = cv2.remap(
                warp,
                at[:, 0].astype(np.float32),
                at[:, 1].astype(np.float32),
                cv2.INTER_LINEAR,
                borderMode=cv2.BORDER_REPLICATE,
            )[:, 0]
            at = placed - moved
        placed = at
    else:
        square = cv2.warpAffine(stored, matrix, (SIDE, SIDE), borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(square, dtype=np.uint8), placed.astype(np.float32)


def mirrored(
    square: Square, points: NDArray[np.float32], order: NDArray[np.int64]
) -> tuple[Square, NDArray[np.float32]]:
    """The mirror's view; order: which point becomes which."""
    flipped = points[order].copy()
    flipped[:, 0] = SIDE - 1 - flipped[:, 0]
    return np.ascontiguousarray(square[:, ::-1]), flipped


def spoilt(square: Square, points: NDArray[np.float32], random: Random) -> Square:
    """The same face in another light, through a codec, behind a hand, with a pasted mouth."""
    if random.random() < 0.25:
        square = _pasted(square, points, random)
    square = _graded(square, random)
    if random.random() < 0.2:
        square = _covered(square, random)
    if random.random() < 0.35:
        sigma = float(np.exp(random.uniform(np.log(0.5), np.log(5.0))))
        square = np.asarray(cv2.GaussianBlur(square, (0, 0), sigma), dtype=np.uint8)
    elif random.random() < 0.25:
        rows = int(random.integers(32, SIDE))
        small = cv2.resize(square, (rows, rows), interpolation=cv2.INTER_AREA)
        square = np.asarray(cv2.resize(small, (SIDE, SIDE)), dtype=np.uint8)
    if random.random() < 0.4:
        deviation = float(np.exp(random.uniform(np.log(1.5), np.log(60.0))))
        noise = random.standard_normal(square.shape, np.float32) * deviation
        if random.random() < 0.5:  # compressed noise is coarse
            noise = np.asarray(cv2.GaussianBlur(noise, (0, 0), 0.8), np.float32) * 2.0
        square = (square + noise).clip(0, 255).astype(np.uint8)
    if random.random() < 0.4:
        quality = [cv2.IMWRITE_JPEG_QUALITY, int(random.integers(12, 85))]
        _, code = cv2.imencode(".jpg", square, quality)
        square = np.asarray(cv2.imdecode(code, cv2.IMREAD_COLOR), dtype=np.uint8)
    return square


def nothing(stored: NDArray[np.uint8], random: Random) -> Square:
    """A square without a face: flat, noise, a face in pieces or upside down, a corner of one."""
    kind = int(random.integers(6))
    side, size = len(stored), (SIDE, SIDE)
    square: NDArray[Any]
    if kind == 0:
        square = np.full((SIDE, SIDE, 3), random.integers(0, 256, 3), dtype=np.uint8)
    elif kind == 1:
        coarse = random.uniform(0, 255, (int(random.integers(2, 33)),) * 2 + (3,))
        smooth = cv2.resize(coarse.astype(np.float32), size, interpolation=cv2.INTER_CUBIC)
        square = smooth.clip(0, 255)
    elif kind == 2:
        pieces = int(random.integers(3, 9))
        wide = SIDE // pieces + 1
        small = cv2.resize(stored, (wide * pieces, wide * pieces))
        tiles = small.reshape(pieces, wide, pieces, wide, 3).swapaxes(1, 2)
        tiles = tiles.reshape(-1, wide, wide, 3)[random.permutation(pieces**2)]
        grid = tiles.reshape(pieces, pieces, wide, wide, 3).swapaxes(1, 2)
        square = grid.reshape(pieces * wide, pieces * wide, 3)[:SIDE, :SIDE]
    elif kind == 3:
        square = cv2.resize(stored[::-1], size)
    elif kind == 4:
        part = int(side * random.uniform(0.12, 0.3))
        left, top = random.integers(0, side - part, 2)
        square = cv2.resize(stored[top : top + part, left : left + part], size)
    else:  # far off: a corner of the face at most
        matrix = _matrix(
            side,
            float(SIDE / side * random.uniform(0.9, 1.5)),
            angle=0.0,
            aspect=1.0,
            shift=(float(random.choice([-1, 1]) * random.uniform(75, 110)), 0.0),
        )
        square = cv2.warpAffine(stored, matrix, size, borderMode=cv2.BORDER_REPLICATE)
    return _graded(np.ascontiguousarray(square, dtype=np.uint8), random)


def _graded(square: Square, random: Random) -> Square:
    """Another saturation, cast, gamma, contrast, brightness, and light from a side."""
    saturation = 0.0 if random.random() < 0.2 else random.uniform(0.2, 1.6)
    luma = np.tile([0.299, 0.587, 0.114], (3, 1))
    cast = np.diag(np.exp(random.normal(0.0, 0.12, 3)))
    mixed = random.normal(0.0, 0.05, (3, 3))
    colour = cast @ (luma + saturation * (np.eye(3) - luma)) + mixed
    square = np.asarray(cv2.transform(square, colour.astype(np.float32)), dtype=np.uint8)
    levels = np.linspace(0.0, 1.0, 256)[:, None]
    bent = levels ** np.exp(random.uniform(-0.6, 0.6) + random.normal(0.0, 0.05, 3))
    graded = (bent - 0.5) * np.exp(random.uniform(-0.7, 0.3)) + 0.5 + random.uniform(-0.2, 0.2)
    curves = (graded * 255.0).clip(0, 255).astype(np.uint8)[None]
    square = np.asarray(cv2.LUT(square, curves), dtype=np.uint8)
    if random.random() < 0.4:
        slope = random.normal(0.0, 0.35, 2) / SIDE
        centred = np.arange(SIDE) - SIDE / 2
        light = np.exp(slope[0] * centred[None, :] + slope[1] * centred[:, None])
        square = (square * light[..., None]).clip(0, 255).astype(np.uint8)
    return square


def _covered(square: Square, random: Random) -> Square:
    """A patch of one colour, or of noise, over a part of the face."""
    wide, high = (int(value) for value in random.integers(10, 48, 2))
    left, top = int(random.integers(0, SIDE - wide)), int(random.integers(0, SIDE - high))
    square = square.copy()
    square[top : top + high, left : left + wide] = random.integers(0, 256, 3)
    return square


def _pasted(square: Square, points: NDArray[np.float32], random: Random) -> Square:
    """The lower face as a method pastes it: softer, of another tint, with a visible border."""
    middle = points[:20].mean(axis=0)
    half = random.uniform(0.8, 1.6) * max(float(np.ptp(points[:20, 0])), 8.0) * np.array([1.0, 0.9])
    left, top = np.maximum(middle - half, 0).astype(int)
    right, bottom = np.minimum(middle + half, SIDE).astype(int)
    if right - left < 8 or bottom - top < 8:
        return square
    part = square[top:bottom, left:right].astype(np.float32)
    soft = cv2.GaussianBlur(part, (0, 0), float(random.uniform(0.4, 2.5)))
    tinted = soft * random.uniform(0.9, 1.1) + random.normal(0.0, 6.0, 3)
    square = square.copy()
    square[top:bottom, left:right] = tinted.clip(0, 255).astype(np.uint8)
    return square


def _bearded(square: Square, points: NDArray[np.float32], random: Random) -> Square:
    """A moustache between nose and mouth, a beard around the chin, or both."""
    mouth, base, chin = points[:12], points[34], points[41]
    shapes = []
    kind = float(random.random())
    if kind < 0.8:
        up = (base - mouth[3]) * random.uniform(0.5, 1.0)
        share = np.array([0.25, 0.55, 0.8, 0.8, 0.8, 0.55, 0.25])[:, None]
        out = (mouth[6] - mouth[0]) * random.uniform(0.0, 0.15)
        low = mouth[:7] - up * random.uniform(-0.15, 0.1)
        droop = -up * random.uniform(0.0, 0.9)
        ends = np.array([mouth[6] + out + droop, mouth[0] - out + droop])
        shapes.append(np.concatenate([low + share * up, ends[:1], low[::-1], ends[1:]]))
    if kind > 0.6:
        down = (chin - mouth[9]) * random.uniform(0.3, 1.1)
        wide = (mouth[6] - mouth[0]) * random.uniform(0.0, 0.6)
        lower = mouth[[6, 7, 8, 9, 10, 11, 0]] + 0.15 * down
        spread = np.linspace(1.0, -1.0, 7)[:, None] * wide
        shapes.append(np.concatenate([lower, (lower + spread + down)[::-1]]))
    mask = np.zeros((SIDE, SIDE), np.uint8)
    for shape in shapes:
        cv2.fillPoly(mask, [np.round(shape * 16).astype(np.int32)], 255, cv2.LINE_AA, 4)
    cover = cv2.GaussianBlur(mask.astype(np.float32) / 255, (0, 0), float(random.uniform(0.5, 1.8)))
    strands = cv2.GaussianBlur(random.standard_normal((SIDE, SIDE), np.float32), (0, 0), 0.7)
    cover = (cover * random.uniform(0.5, 1.0) * (1 + 0.3 * strands)).clip(0, 1)[..., None]
    dark = random.uniform(5, 110) * np.array(
        [1.0, random.uniform(0.7, 1.0), random.uniform(0.5, 1)]
    )
    hair = dark * (1 + 0.3 * strands[..., None])
    return np.asarray(square + (hair - square) * cover).clip(0, 255).astype(np.uint8)
