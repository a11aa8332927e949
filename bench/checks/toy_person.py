"""The person that a method under check learns; the person's clips are the specimens."""

from __future__ import annotations

import logging
import shutil
import tempfile
import weakref
from collections.abc import Sequence
from pathlib import Path

from bench.checks.ladders import Specimen
from bench.checks.subject import CheckFailed, Subject
from bench.contract.jobs import PrepareJob
from bench.contract.plugins import Method
from bench.contract.video import Video

SEED = 7
TOY_CLIPS = 2  # how many specimens the method learns from


class ToyPerson:
    """Learned at most once for all checks of a method; each check gets a copy."""

    def __init__(self, subject: Subject) -> None:
        self._subject = subject
        self._temporary = tempfile.gettempdir()  # checks replace it for a while
        self._learned: Path | None = None
        self._coded: dict[str, bytes] = {}  # the specimens' files, by the names of their clips

    def prepared(self, root: Path) -> Path | None:
        """A copy of what the method learned, in `root`; None if it learns no persons."""
        plugin = self._subject.plugin
        if not (issubclass(plugin, Method) and plugin.learns_persons()):
            return None
        if self._learned is None:
            folder = Path(tempfile.mkdtemp(prefix="bench-check-", dir=self._temporary))
            weakref.finalize(self, shutil.rmtree, folder, ignore_errors=True)
            self.learn(folder, folder / "prepared")
            self._learned = folder / "prepared"
        target = root / "prepared"
        if not target.exists():
            shutil.copytree(self._learned, target)
        return target

    def learn(self, root: Path, folder: Path) -> None:
        """Runs `prepare` in a folder, which may hold an unfinished preparation."""
        clips = self.write_clips(root)
        folder.mkdir(exist_ok=True)
        log = logging.getLogger(__name__)
        names = tuple(f"{number:064x}" for number, _ in enumerate(clips))
        features = self._subject.computing().protocols
        self._subject.method().prepare(
            PrepareJob("toy", clips, folder, SEED, "cpu", log, names, features)
        )
        if not any(path.is_file() for path in folder.rglob("*")):
            raise CheckFailed("prepare() left no file in job.folder")

    def write_clips(self, root: Path) -> list[Video]:
        """The person's clips, as files in `root/inputs`."""
        return [
            self.opened(clean, root / "inputs" / f"toy-{clean.sample.case.face.id}.mp4")
            for clean in self._subject.specimens()[:TOY_CLIPS]
        ]

    def opened(self, clean: Specimen, path: Path) -> Video:
        """The specimen as a file, with its track and the features that the method reads."""
        face = self._as_file(clean, path)
        plugin = self._subject.plugin
        if issubclass(plugin, Method) and plugin.reads - {"faces"}:
            tracked, computing = face.features, self._subject.computing()
            assert tracked is not None
            face.features = lambda video, name: (
                tracked(video, name) if name == "faces" else computing(video, name)
            )
        return face

    def _as_file(self, clean: Specimen, path: Path) -> Video:
        """The specimen written to `path` and opened as a video, with its track; coded only once."""
        from bench import media

        name, shown = clean.sample.case.face.id, clean.sample.video
        path.parent.mkdir(exist_ok=True)
        if not path.exists():
            if name in self._coded:
                path.write_bytes(self._coded[name])
            else:
                media.write_video(path, shown.read(), sound=shown.sound())
                self._coded[name] = path.read_bytes()
        track = shown.faces()
        return Video(path, features=lambda _video, _name: track.arrays())


def half_of(files: Sequence[Path]) -> None:
    """Keeps only the older half of these files, as a kill might."""
    for path in sorted(files, key=lambda path: path.stat().st_mtime_ns)[(len(files) + 1) // 2 :]:
        path.unlink()
