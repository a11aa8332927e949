"""How well the small landmark network works: `GRID_ROOT=... python -m tests.landmarks_report`.

Makes the tables of metrics/features/landmarks/small/README.md: errors against the mesh, and against
the renderer where it drew the face, noise on faces that stand still, and speed.
"""

from __future__ import annotations

import os
import sys
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path

import cv2
import numpy as np

from bench.contract.video import Video
from bench.data import synth
from bench.data.conform import conform_clip
from bench.data.grid import import_grid
from bench.data.manifest import read_manifest
from bench.data.synth.corpus import points_of
from bench.features import landmark_points as points
from bench.features.computing import Features, chosen
from bench.features.faces import chosen_faces
from bench.features.store import FeatureStore
from bench.files import weights
from bench.files.paths import cache_dir
from bench.ground.errors import BenchError, Undefined
from bench.ground.types import Clip
from bench.train.ready_clips import Detector
from metrics.features.landmarks import Landmarks
from metrics.features.landmarks.mesh import Mesh, square_around
from metrics.features.landmarks.small import WEIGHTS
from metrics.features.landmarks.small.finder import SmallFinder
from metrics.mouth import opening

STILL = 15  # frames of a face that stands still
GRAIN = 2.0  # grey levels, deviation of a camera's noise


def main(small: Path, wanted: int, detector: Detector) -> None:
    """Prints the tables. wanted: clips of each corpus at most."""
    cv2.setNumThreads(1)
    finder = SmallFinder(small, device="cpu")
    mesh = Mesh(weights.find("face_mesh"))
    print("| clips | n | small, all | mouth | MAR corr. | MAR error | small, drawn | mesh, drawn |")
    print("|---|---|---|---|---|---|---|---|")
    noises: dict[str, list[tuple[float, float]]] = defaultdict(list)
    seconds: dict[str, list[float]] = {"small": [], "mesh, one look": []}
    for corpus, clips in corpora().items():
        rows: dict[str, list[list[float]]] = defaultdict(list)
        step = max(1, len(clips) // wanted)
        for clip in clips[::step][:wanted]:
            try:
                row, noise, took = judged(clip, finder, mesh, detector)
            except (BenchError, Undefined) as error:
                print(f"{clip.id}: {error}", file=sys.stderr)
                continue
            rows[corpus].append(row)
            rows[f"{corpus}, {clip.speaker}"].append(row)
            noises[corpus].append(noise)
            for name, value in took.items():
                seconds[name].append(value)
        for name, own in rows.items():
            if name == corpus or "unseen" in corpus:
                figures = [f"{value:.4f}" for value in np.nanmean(own, axis=0)]
                print(f"| {name} | {len(own)} | {' | '.join(figures)} |", flush=True)
    print("\n| clips | noise of small | of mesh |\n|---|---|---|")
    for corpus, pairs in noises.items():
        own, other = np.mean(pairs, axis=0)
        print(f"| {corpus} | {own:.5f} | {other:.5f} |")
    told = ", ".join(f"{name} {1000 * min(value):.2f}" for name, value in seconds.items())
    print(f"\nms a frame, best clip, one thread: {told}")


def corpora() -> Mapping[str, Sequence[Clip]]:
    """The clips that nothing was trained on."""
    found: dict[str, Sequence[Clip]] = {
        f"{name} test": read_manifest(synth.build(name, "test")) for name in synth.CORPORA
    }
    root = os.environ.get("GRID_ROOT")
    if root:
        clips = import_grid(Path(root)).clips
        for split in ("test_seen", "test_unseen"):
            found[f"GRID {split}"] = [clip for clip in clips if clip.split == split]
    return found


def opened(clip: Clip, detector: Detector) -> Video:
    """The clip conformed, with its face and the mesh's points, which are kept on disk."""
    conformed = conform_clip(clip, cache=cache_dir())
    faces = chosen_faces(detector, "largest")
    feature = Landmarks(Landmarks.Options(model="mesh"))
    both = {"faces": faces, "landmarks": chosen(feature, {"faces": faces})}
    features = Features(both, store=FeatureStore(cache_dir() / "features"))
    return Video(conformed.path, features=features, sha256=conformed.sha256, box=clip.box)


def judged(
    clip: Clip, finder: SmallFinder, mesh: Mesh, detector: Detector
) -> tuple[list[float], tuple[float, float], dict[str, float]]:
    """Errors in shares of the eye distance, noise of small and mesh, and seconds a frame."""
    video = opened(clip, detector)
    frames, boxes = video.read(), video.faces().boxes
    start = time.perf_counter()
    own, _score = finder.find(frames, boxes)
    took = {"small": (time.perf_counter() - start) / len(frames)}
    start = time.perf_counter()
    for square in map(square_around, video.feature("landmarks")["points"][:10]):
        mesh.look(frames[0], square)
    took["mesh, one look"] = (time.perf_counter() - start) / 10
    other = video.feature("landmarks")["points"][:, list(points.SMALL_OF_MESH)]
    eyes = points.eye_distance({"points": other, "model": np.array("small")})
    apart = np.linalg.norm(own - other, axis=2) / eyes[:, None]
    first, second = (opening({"points": p, "model": np.array("small")}) for p in (own, other))
    drawn = [np.nan, np.nan]
    try:
        known = points_of(clip)
    except BenchError:
        pass
    else:
        truth = np.concatenate(
            [known.mouth, known.eyes.reshape(-1, 12, 2), known.nose, known.jaw], axis=1
        )
        drawn = [
            float((np.linalg.norm(p - truth, axis=2) / eyes[:, None]).mean()) for p in (own, other)
        ]
    row = [
        float(apart.mean()),
        float(apart[:, :20].mean()),
        float(np.corrcoef(first, second)[0, 1]),
        float(np.abs(first - second).mean()),
        *drawn,
    ]
    return row, still_noise(frames[len(frames) // 2], boxes[len(frames) // 2], finder, mesh), took


def still_noise(
    frame: np.ndarray, box: np.ndarray, finder: SmallFinder, mesh: Mesh
) -> tuple[float, float]:
    """Mean second differences of the mouth's points on a still face with a camera's noise."""
    random = np.random.default_rng(0)
    frames = np.stack(
        [
            np.clip(frame + GRAIN * random.standard_normal(frame.shape), 0, 255).astype(np.uint8)
            for _ in range(STILL)
        ]
    )
    boxes = np.repeat(box[None], STILL, axis=0)
    own, _ = finder.find(frames, boxes)
    other = np.stack([one.points for one in mesh.follow(frames, boxes, track=True)])
    eyes = points.eye_distance({"points": other, "model": np.array("mesh")}).mean()
    mouths = own[:, :20], other[:, list(points.MESH.mouth)]
    shaky = [np.linalg.norm(np.diff(m, n=2, axis=0), axis=2).mean() / eyes for m in mouths]
    return float(shaky[0]), float(shaky[1])


if __name__ == "__main__":
    main(
        Path(sys.argv[1]) if len(sys.argv) > 1 else WEIGHTS,
        int(sys.argv[2]) if len(sys.argv) > 2 else 24,
        "haar",
    )
