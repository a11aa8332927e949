"""The small landmark network against MediaPipe's mesh, or alone where that is not here."""

from __future__ import annotations

import cv2
import numpy as np
import torch

from bench.files import weights
from bench.ground.errors import BenchError
from metrics.features.landmarks.mesh import Mesh
from metrics.features.landmarks.small import WEIGHTS
from metrics.features.landmarks.small.finder import SmallFinder
from metrics.features.landmarks.small.network import SIDE, standardised
from tests.speed.timing import timed

FRAMES, HEIGHT, WIDTH = 32, 288, 360
REPEATS = 7


def measure() -> str:
    """Milliseconds a frame and thread, and how many times that of the plain network alone."""
    draw = np.random.default_rng(0)
    frames = draw.integers(0, 256, (FRAMES, HEIGHT, WIDTH, 3), dtype=np.uint8)
    boxes = np.tile(np.array([120, 80, 230, 210], np.float32), (FRAMES, 1))
    threads = torch.get_num_threads(), cv2.getNumThreads()
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    try:
        finder = SmallFinder(WEIGHTS, device="cpu")
        squares = torch.from_numpy(np.zeros((1, SIDE, SIDE, 3), np.uint8))

        def frame_by_frame() -> None:
            with torch.inference_mode():
                for _ in range(FRAMES):
                    finder.network(standardised(squares))

        jobs = {
            "small": lambda: finder.find(frames, boxes),
            "plain": frame_by_frame,
        }
        try:
            mesh = Mesh(weights.find("face_mesh"))
            jobs["mesh"] = lambda: mesh.follow(frames, boxes, track=False)
        except BenchError:
            pass
        seconds, _ = timed(jobs, REPEATS)
    finally:
        torch.set_num_threads(threads[0])
        cv2.setNumThreads(threads[1])
    milliseconds = {name: 1000 * values.min() / FRAMES for name, values in seconds.items()}
    own = milliseconds["small"]
    mesh_told = "face_mesh is not here"
    if "mesh" in milliseconds:
        # a noise has no face, so each frame is looked at once, from its box
        mesh_told = f"mesh, one look: {milliseconds['mesh']:.1f} ms"
    return (
        f"landmarks, small: {own:.1f} ms a frame and thread (asked: at most 10), "
        f"{milliseconds['plain'] / own:.1f} times faster than the network frame by frame with its "
        f"batch normalisation; {mesh_told}"
    )


if __name__ == "__main__":
    from bench.run.provenance import machine

    print(machine())
    print(measure())
