"""The videos of finished runs that a study can show."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.errors import BenchError
from bench.records.run_folder import read_generations, read_run_manifest


@dataclass(frozen=True)
class StudyVideo:
    """One method's video of one case. method: its label in the run; plugin: what it is."""

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
    """Every video of the runs that was made and is still there, in the order of the manifests.

    Raises BenchError where a folder is no run, or two runs have different videos of one method for
    one case.
    """
    found: dict[tuple[str, str, str], StudyVideo] = {}
    for run in runs:
        for video in _videos(run):
            other = found.setdefault(video.place, video)
            if other.sha256 != video.sha256:
                raise BenchError(
                    f"{run}: {video.method} on {video.dataset} {video.case}: {other.path} is "
                    "another video of the same method and case. Leave one of the runs out, or "
                    "give the method a `label` of its own in one of the configs."
                )
    return tuple(found.values())


def _videos(run: Path) -> list[StudyVideo]:
    manifest, generations = read_run_manifest(run), read_generations(run)
    videos: list[StudyVideo] = []
    for case in manifest.cases:
        for method in manifest.methods:
            made = generations.get((method.key, case.key))
            if made is None or made.status != "ok" or not (run / made.video).is_file():
                continue
            video = StudyVideo(
                dataset=case.dataset,
                case=case.id,
                kind=case.kind,
                speaker=case.speaker,
                method=method.label,
                plugin=method.name,
                is_control=method.control,
                path=run / made.video,
                sha256=made.sha256,
            )
            videos.append(video)
    return videos
