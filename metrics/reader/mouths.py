"""Where the mouth is in a face of 96x96 pixels, and what cameras do to it in training."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from bench.ground.types import Frames
from metrics.lse.sync_small.network import HEIGHT, WIDTH

# The eyes' window is 0.60 wide and 0.53 high, in heights of the face from the brows to the chin,
# from 0.51 down. In the 96x96 of `bench.networks.face_crops`, a face 0.7 as wide as it is high with
# a few pixels below the chin, that is:
LEFT, RIGHT, TOP, BOTTOM = 8, 88, 45, 92


def view(faces: Frames, random: np.random.Generator | None) -> NDArray[np.uint8]:
    """The mouths of a clip's faces, (T, 96, 96, 3) RGB, as the eyes want them: (T, 56, 64, 3) RGB.

    random: moved, turned, mirrored, recoloured and blurred at random, all frames alike; None: as
    they are.
    """
    width, height = RIGHT - LEFT, BOTTOM - TOP
    linear = np.diag([WIDTH / width, HEIGHT / height])
    middle = np.array([(LEFT + RIGHT) / 2 - 0.5, (TOP + BOTTOM) / 2 - 0.5])
    target = np.array([WIDTH / 2 - 0.5, HEIGHT / 2 - 0.5])
    gain, lift, blur = np.ones(3), np.zeros(3), 0.0
    if random is not None:
        angle = float(np.deg2rad(random.normal(0.0, 5.0)))
        turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        size = np.exp(random.uniform(-0.12, 0.12) + random.uniform(-0.06, 0.06, 2) * [1, -1])
        mirror = np.diag([-1.0 if random.random() < 0.5 else 1.0, 1.0])
        linear = mirror @ turn @ np.diag(size) @ linear
        target = target + random.uniform(-4.0, 4.0, 2)
        gain = np.exp(random.uniform(-0.4, 0.3)) * np.exp(random.normal(0.0, 0.08, 3))
        lift = random.uniform(-25.0, 25.0) + np.zeros(3)
        blur = float(random.uniform(0.4, 1.1)) if random.random() < 0.3 else 0.0
    affine = np.column_stack([linear, target - linear @ middle])
    mouths = np.empty((len(faces), HEIGHT, WIDTH, 3), dtype=np.uint8)
    for mouth, face in zip(mouths, faces, strict=True):
        cv2.warpAffine(
            face,
            affine,
            (WIDTH, HEIGHT),
            dst=mouth,
            flags=cv2.INTER_LINEAR,
            borderMode=cv2.BORDER_REPLICATE,
        )
        if blur:
            mouth[:] = cv2.GaussianBlur(mouth, (0, 0), blur)
    if random is not None:
        levels = np.arange(256)[:, None] * gain + lift  # (256, 3)
        table = levels.clip(0, 255).astype(np.uint8)[None]
        tall = np.asarray(cv2.LUT(mouths.reshape(-1, WIDTH, 3), table), dtype=np.uint8)
        mouths = tall.reshape(mouths.shape)
    return mouths
