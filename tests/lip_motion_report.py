"""Measures the second sync judge on test splits and prints the card's table.

GRID_ROOT=... python -m tests.lip_motion_report [--faces haar] [--only NAME,...] [NAME=FOLDER ...]

truth, `mismatched` (the speech of the partner that the control takes) and the sound moved by 5
frames both ways are those of a run; `still` is a video of the first frame, encoded as a run does.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

import bench
from bench import media
from bench.contract.jobs import Sample
from bench.data.pairs import partner
from bench.files.paths import cache_dir
from bench.ground.types import Case, Clip, Sound
from bench.train.ready_clips import Detector, RawClip
from methods.mismatched import fitted
from metrics.lip_motion import LipMotion
from metrics.lse.sync_small.evaluation import moved
from tests.scorer_report import VIDEOS, corpora

MOVES = (-5, 5)  # frames


@dataclass(frozen=True)
class Found:
    """One clip: the truth's confidence, agreement at 0 and offset; its controls; moves followed."""

    speaker: str
    truth: float
    at_0: float
    offset: float
    mismatched: float
    mismatched_at_0: float
    still: float
    followed: float


class Judge:
    """The metric on one clip after another, and the seconds of CPU that it took by itself."""

    def __init__(self, detector: Detector) -> None:
        self.detector = detector
        self.metric = LipMotion(LipMotion.Options())
        self.metric.load("cpu")
        self.seconds, self.frames = 0.0, 0

    def measure(self, clip: Clip, known: bench.Arrays, sound: Sound) -> Mapping[str, float]:
        video = bench.Video.of(np.zeros((1, 2, 2, 3), np.uint8), sound)
        video.features = lambda _video, _name: known
        begun = time.process_time()
        found = self.metric.measure(
            Sample(case=Case("clips", "reconstruct", clip, clip), video=video, reference=None)
        )
        self.seconds += time.process_time() - begun
        self.frames += len(known["score"])
        return {name: value for name, value in found.items() if isinstance(value, float)}

    def judge(self, clip: Clip, other: Clip | None) -> Found:
        video, sound = RawClip(clip, self.detector, cache_dir(), landmarks="small").opened()
        known = video.feature("landmarks")
        truth = self.measure(clip, known, sound)
        wrong = {"motion_c": np.nan, "motion_at_0": np.nan}
        if other is not None:
            _, speech = RawClip(other, self.detector, cache_dir(), landmarks="small").opened()
            wrong = dict(self.measure(clip, known, fitted(speech, samples=len(sound))))
        again = [
            abs(self.measure(clip, known, moved(sound, by))["offset"] - truth["offset"] + by) <= 1
            for by in MOVES
            if abs(truth["offset"] - by) <= 15
        ]
        return Found(
            clip.speaker,
            truth["motion_c"],
            truth["motion_at_0"],
            truth["offset"],
            wrong["motion_c"],
            wrong["motion_at_0"],
            self.measure(clip, self.still(video, sound), sound)["motion_c"],
            float(np.mean(again)) if again else np.nan,
        )

    def still(self, video: bench.Video, sound: Sound) -> bench.Arrays:
        """The landmarks of an encoded video that shows the first frame only."""
        frames = video.read()
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "still.mp4"
            media.write_video(path, (frames[0] for _ in frames), sound=sound)
            return bench.Video(path, features=video.features, box=video.box).feature("landmarks")


def table(found: Mapping[str, Sequence[Found]]) -> str:
    """Markdown: one row for each corpus, followed by one for each speaker."""
    columns = (
        "clips | n | offset (median) | within ±1 | move followed | above mismatched | above still |"
        " AUC | motion C truth | mismatched | still | at 0, truth | at 0, mismatched"
    )
    lines = [f"| {columns} |", "|---" * len(columns.split(" | ")) + "|"]
    for corpus, verdicts in found.items():
        lines.append(row(f"**{corpus}**", verdicts))
        names = sorted({one.speaker for one in verdicts})
        lines += [row(name, [one for one in verdicts if one.speaker == name]) for name in names]
    return "\n".join(lines)


def row(name: str, found: Sequence[Found]) -> str:
    both = [one for one in found if not np.isnan(one.mismatched)]
    above = np.mean([one.truth > one.mismatched for one in both]) if both else np.nan
    pairs = [a.truth > b.mismatched for a in found for b in both]
    shares = [
        np.mean([abs(one.offset) <= 1 for one in found]),
        np.nanmean([one.followed for one in found]),
        above,
        np.mean([one.truth > one.still for one in found]),
    ]
    means = np.nanmean(
        [[o.truth, o.mismatched, o.still, o.at_0, o.mismatched_at_0] for o in found], axis=0
    )
    cells = [
        f"{np.median([one.offset for one in found]):.0f}",
        *(f"{share:.0%}" for share in shares),
        f"{np.mean(pairs) if pairs else np.nan:.2f}",
        *(f"{mean:.3f}" for mean in means),
    ]
    return f"| {name} | {len(found)} | " + " | ".join(cells) + " |"


def evaluate(clips_of: Mapping[str, Sequence[Clip]], detector: Detector) -> str:
    """The table of these clips by corpus, the cost of a frame, and the clips without a value."""
    judge = Judge(detector)
    found: dict[str, list[Found]] = {}
    left_out: list[str] = []

    def judged(corpus: str, clip: Clip, other: Clip | None) -> None:
        try:
            found.setdefault(corpus, []).append(judge.judge(clip, other))
        except (bench.BenchError, bench.Undefined) as reason:
            left_out.append(f"\n{clip.id}: no value: {reason}")

    for corpus, clips in clips_of.items():
        partners = partner(clips, seed=0)
        for clip in clips:
            judged(corpus, clip, partners.get(clip.id))
    cost = 1000 * judge.seconds / max(1, judge.frames)
    said = f"{judge.metric.protocol}, CPU beside the landmarks: {cost:.3f} ms a frame"
    return "\n".join([said, "", table(found), *left_out]) + "\n"


def main() -> None:
    """Evaluates on the embedded corpora, on GRID if it is here, and on named folders of clips."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folders", nargs="*", help="NAME=FOLDER of single clips")
    parser.add_argument("--faces", default="haar", choices=["given", "haar", "yunet"])
    parser.add_argument("--only", default="", help="comma-separated names of corpora")
    asked = parser.parse_args()
    clips_of = dict(corpora("test"))
    if asked.only:
        clips_of = {name: clips_of[name] for name in asked.only.split(",")}
    for name, _, folder in (text.partition("=") for text in asked.folders):
        files = sorted(path for path in Path(folder).iterdir() if path.suffix in VIDEOS)
        clips_of[name] = [Clip(id=path.stem, video=path, speaker=path.stem) for path in files]
    sys.stdout.write(evaluate(clips_of, asked.faces))


if __name__ == "__main__":
    main()
