"""Renders frames of a talking head: bends the portrait, draws mouth and eyes, moves the head."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from bench.data.synth.eyes import EyePainter
from bench.data.synth.geometry import NECK, Placement
from bench.data.synth.identity import Identity
from bench.data.synth.motion import Pose
from bench.data.synth.mouth import MouthPainter, displacement
from bench.data.synth.portrait import CHIN_Y, Portrait, paint
from bench.data.synth.scene import paint_scene
from bench.data.synth.surface import CENTRE, SIZE, UNIT, Array
from bench.data.synth.visemes import Shape
from bench.features.faces import MOUTH_CENTRE_Y
from bench.ground.types import Box, Frame

FRAME = 256  # pixels of a frame, square
_COARSE = 64  # displacement fields are smooth, so they are stored coarse and enlarged per frame


class Renderer:
    """Renders one person; the portrait, which is slow to paint, is painted once."""

    def __init__(self, identity: Identity, seed: Sequence[int]) -> None:
        rng = np.random.default_rng([*seed, 21])
        self.identity = identity
        self.portrait: Portrait = paint(identity.look, rng)
        self.mouth = MouthPainter(identity.look, self.portrait.mouth_y, rng)
        self.eyes = EyePainter(identity.look, rng)
        steps = (np.arange(_COARSE, dtype=np.float32) + 0.5) * (SIZE / _COARSE) - 0.5
        x, y = np.meshgrid((steps - CENTRE[0]) / UNIT, (steps - CENTRE[1]) / UNIT)
        fields = displacement(identity.look, self.portrait.mouth_y, x, y)
        self.fields = {name: field * UNIT for name, field in fields.items()}
        pixel = np.arange(SIZE, dtype=np.float32)
        self.pixel_x, self.pixel_y = np.meshgrid(pixel, pixel)
        self.head = np.dstack([self.portrait.pixels, self.portrait.alpha])

    def frames(
        self,
        shapes: Sequence[Shape],
        poses: Sequence[Pose],
        place: Placement,
        rng: np.random.Generator,
    ) -> Iterator[Frame]:
        """The clip's frames (FRAME, FRAME, 3) uint8 RGB."""
        look = self.identity.look
        scene = paint_scene(look, head=(place.x, place.y), scale=place.scale, rng=rng)
        camera = _Camera(look.blur, look.noise, look.warmth, look.saturation, rng)
        for shape, pose in zip(shapes, poses, strict=True):
            head = self._bent(shape, pose)
            self.eyes.draw(head, gaze=pose.gaze, blink=pose.blink, wide=max(pose.brow, 0.0))
            if self.portrait.over is not None:
                _lay(head, self.portrait.over)
            self.mouth.draw(head, shape)
            yield camera.shoot(self._moved(head, pose, place, scene))

    def _bent(self, shape: Shape, pose: Pose) -> NDArray[np.uint8]:
        """The head's texture, with the skin moved by jaw, lips and brows."""
        field = (
            self.fields["jaw"] * shape.jaw
            + self.fields["spread"] * (shape.spread - 1.1 * shape.round)
            + self.fields["brow"] * pose.brow
        )
        whole = cv2.resize(field, (SIZE, SIZE), interpolation=cv2.INTER_LINEAR)
        # backward mapping: a pixel takes its colour from where it came from, to first order
        map_x = self.pixel_x - whole[..., 0]
        map_y = self.pixel_y - whole[..., 1]
        bent = cv2.remap(self.head, map_x, map_y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        return np.asarray(bent, np.uint8)

    def _moved(
        self, head: NDArray[np.uint8], pose: Pose, place: Placement, scene: NDArray[np.uint8]
    ) -> NDArray[np.float32]:
        """The head in its pose in front of the scene, (FRAME, FRAME, 3) float32, 0..255."""
        grow = UNIT / (place.scale * pose.scale)
        cos, sin = float(np.cos(pose.roll)) * grow, float(np.sin(pose.roll)) * grow
        # the head turns about the neck, not about the nose
        at_x = place.x + pose.x * place.scale
        at_y = place.y + pose.y * place.scale + NECK * place.scale
        coarse = FRAME // 4
        steps = (np.arange(coarse, dtype=np.float32) + 0.5) * 4 - 0.5
        u, v = np.meshgrid(steps - at_x, steps - at_y)
        map_x = CENTRE[0] + cos * u + sin * v
        map_y = CENTRE[1] + NECK * UNIT - sin * u + cos * v
        depth = cv2.remap(
            self.portrait.depth,
            map_x.astype(np.float32),
            map_y.astype(np.float32),
            cv2.INTER_LINEAR,
        )
        # parallax of a turning head: near points move relative to far ones, and the face narrows
        middle = depth - 0.45
        map_x = map_x - UNIT * pose.yaw * middle + (map_x - CENTRE[0]) * 0.5 * pose.yaw**2
        map_y = map_y - UNIT * pose.pitch * middle
        full = (FRAME, FRAME)
        moved = cv2.remap(
            cv2.GaussianBlur(head, (0, 0), 0.55),
            cv2.resize(map_x.astype(np.float32), full, interpolation=cv2.INTER_LINEAR),
            cv2.resize(map_y.astype(np.float32), full, interpolation=cv2.INTER_LINEAR),
            cv2.INTER_LINEAR,
            borderMode=cv2.BORDER_CONSTANT,
        )
        alpha = moved[..., 3:].astype(np.float32) * (1.0 / 255.0)
        back = scene.astype(np.float32)
        return np.asarray(back + (moved[..., :3].astype(np.float32) - back) * alpha, np.float32)

    def box(self, shapes: Sequence[Shape], poses: Sequence[Pose], place: Placement) -> Box:
        """The face's mean box over the clip, (x, y, width, height), as bench.features.faces has it.

        The chin is its lower edge, and the mouth is 0.245 of its height below its middle.
        """
        look = self.identity.look
        x = float(np.mean([pose.x for pose in poses])) * place.scale + place.x
        y = float(np.mean([pose.y for pose in poses])) * place.scale + place.y
        chin = CHIN_Y * look.face_length + 0.2 * float(np.mean([shape.jaw for shape in shapes]))
        half = 0.93 * look.cheek_width
        height = (chin - self.portrait.mouth_y) / (0.5 - MOUTH_CENTRE_Y)
        top = chin - height
        size = place.scale
        return (
            round(x - half * size, 1),
            round(y + top * size, 1),
            round(2 * half * size, 1),
            round(height * size, 1),
        )


def _lay(head: NDArray[np.uint8], over: NDArray[np.uint8]) -> None:
    """Lays sRGB pixels with alpha on the head, in place."""
    rows = slice(int(CENTRE[1] - 0.5 * UNIT), int(CENTRE[1] + 0.5 * UNIT))
    part, top = head[rows, :, :3], over[rows]
    alpha = top[..., 3:].astype(np.float32) * (1.0 / 255.0)
    under = part.astype(np.float32)
    part[...] = (under + (top[..., :3].astype(np.float32) - under) * alpha + 0.5).astype(np.uint8)


class _Camera:
    """Adds a camera's white balance, colour, blur and noise."""

    def __init__(
        self, blur: float, noise: float, warmth: float, saturation: float, rng: np.random.Generator
    ) -> None:
        self.blur = blur
        self.rng = rng
        self.balance: Array = np.array([1.0 + 0.04 * warmth, 1.0, 1.0 - 0.05 * warmth], np.float32)
        self.saturation = saturation
        self.gain = float(rng.uniform(0.86, 1.02))
        grain = rng.standard_normal((4, FRAME + 32, FRAME + 32)).astype(np.float32)
        colour = rng.standard_normal((FRAME + 32, FRAME + 32, 3)).astype(np.float32)
        self.grain = np.stack([cv2.GaussianBlur(one, (0, 0), 0.6) * 1.6 for one in grain]) * noise
        self.colour = cv2.GaussianBlur(colour, (0, 0), 1.0) * (noise * 1.2)
        matrix = np.full((3, 3), 1.0 / 3.0) * (1.0 - saturation) + np.eye(3) * saturation
        self.matrix = (matrix * self.balance[:, None] * self.gain).astype(np.float32)

    def shoot(self, view: Array) -> Frame:
        """The frame that the camera records of a view (FRAME, FRAME, 3) float32, 0..255."""
        if self.blur > 0.3:
            view = np.asarray(cv2.GaussianBlur(view, (0, 0), self.blur), np.float32)
        view = np.asarray(cv2.transform(view, self.matrix), np.float32)
        which, at_x, at_y, to_x, to_y = (int(v) for v in self.rng.integers(0, [4, 32, 32, 32, 32]))
        view += self.grain[which, at_y : at_y + FRAME, at_x : at_x + FRAME, None]
        view += self.colour[to_y : to_y + FRAME, to_x : to_x + FRAME]
        return np.asarray(np.clip(view + 0.5, 0, 255).astype(np.uint8))
