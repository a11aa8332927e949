"""Measures a scorer on recordings, whole and cut to a second, and prints the card's table.

GRID_ROOT=... python -m tests.scorer_report [--faces haar] [--weights FILE] [--csv FILE]
    [NAME=FOLDER ...] [NAME=MANIFEST.csv ...]
"""

from __future__ import annotations

import argparse
import logging
import os
import sys
from collections.abc import Iterator
from pathlib import Path

from bench.data import synth
from bench.data.grid import import_grid
from bench.data.manifest import read_manifest
from bench.files.paths import cache_dir
from bench.ground.types import Clip
from metrics.lse.sync_small import WEIGHTS
from metrics.lse.sync_small.evaluation import evaluate
from metrics.lse.sync_small.scorer import SmallSync

VIDEOS = (".avi", ".mov", ".mp4", ".mpg")


def main() -> None:
    """Evaluates on the embedded corpora, on GRID if it is here, and on named clips."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folders", nargs="*", help="NAME=FOLDER of single clips, NAME=MANIFEST.csv")
    parser.add_argument("--faces", default="haar", choices=["given", "haar", "yunet"])
    parser.add_argument("--weights", type=Path, default=WEIGHTS)
    parser.add_argument("--split", default="test", choices=["test", "val"])
    parser.add_argument("--only", default="", help="comma-separated names of corpora")
    parser.add_argument("--cut", type=float, default=1.0, help="seconds, the second length")
    parser.add_argument("--csv", type=Path, help="a file for the figures behind the table")
    asked = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    found_in = dict(corpora(asked.split)) | dict(map(_folder, asked.folders))
    if asked.only:
        found_in = {name: found_in[name] for name in asked.only.split(",")}
    scorer = SmallSync(asked.weights, device="cpu")
    found = evaluate(
        found_in,
        scorer=scorer,
        detector=asked.faces,
        cache=cache_dir(),
        lengths=(None, asked.cut),
    )
    if asked.csv is not None:
        asked.csv.write_text(found.csv(), encoding="utf-8")
    sys.stdout.write(f"{scorer.name}@{scorer.digest}, faces: {asked.faces}\n\n{found.table()}\n")


def corpora(split: str) -> Iterator[tuple[str, list[Clip]]]:
    """The corpora by name, with the clips of a split (GRID has two for `test`)."""
    for name in ("synth-zh", "synth-en"):
        yield f"{name} {split}", read_manifest(synth.build(name, split))
    root = os.environ.get("GRID_ROOT")
    if root:
        clips = import_grid(Path(root)).clips
        for part in ("val",) if split == "val" else ("test_seen", "test_unseen"):
            yield f"GRID {part}", [clip for clip in clips if clip.split == part]


def _folder(asked: str) -> tuple[str, list[Clip]]:
    name, _, folder = asked.partition("=")
    if Path(folder).is_file():
        return name, read_manifest(Path(folder))
    files = sorted(path for path in Path(folder).iterdir() if path.suffix in VIDEOS)
    return name, [Clip(id=path.stem, video=path, speaker=path.stem) for path in files]


if __name__ == "__main__":
    main()
