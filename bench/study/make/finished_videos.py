"""Finds the generated videos of runs that a study can show."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.ground.errors import BenchError
from bench.records.reading import read_manifest
from bench.records.run_folder import read_generations


@dataclass(frozen=True)
class StudyVideo:
    """One method's video of one case. method: its label in the run; plugin: its plugin's name."""

    dataset: str
    case: str
    kind: str
    speaker: str
    method: str
    plugin: str
    is_control: bool
    path: Path
    sha256: str

    @property
    def place(self) -> tuple[str, str, str]:
        """Data set, case and method: there is one video of each."""
        return (self.dataset, self.case, self.method)


def finished_videos(runs: Sequence[Path]) -> tuple[StudyVideo, ...]:
    """Every video that the runs generated and still have, in the order of the manifests.

    Raises BenchError if a folder is not a run, or if two runs have different videos of the same
    method and case.
    """
    found: dict[tuple[str, str, str], StudyVideo] = {}
    for run in runs:
        for video in _videos(run):
            other = found.setdefault(video.place, video)
            if other.sha256 != video.sha256:
                raise BenchError(
                    f"{run}: {video.method} on {video.dataset} {video.case}: {other.path} is "
                    "a different video of the same method and case. Leave one of the runs out, or "
                    "give the method another `label` in one of the configs."
                )
    return tuple(found.values())


def _videos(run: Path) -> list[StudyVideo]:
    manifest = read_manifest(run)
    generations = read_generations(run, manifest)
    videos: list[StudyVideo] = []
    for case in manifest.cases:
        for method in manifest.methods:
            record = generations.get((method.key, case.key))
            if record is None or record.status != "ok" or not (run / record.video).is_file():
                continue
            video = StudyVideo(
                dataset=case.dataset,
                case=case.id,
                kind=case.kind,
                speaker=case.speaker,
                method=method.label,
                plugin=method.name,
                is_control=method.control,
                path=run / record.video,
                sha256=record.sha256,
            )
            videos.append(video)
    return videos
