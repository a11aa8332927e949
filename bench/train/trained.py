"""What a training has left in its folder, so that nothing of it is lost unasked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Literal, TypeAlias

from bench.errors import BenchError
from bench.train.loop import CHECKPOINT, CURVES, read_checkpoint

Begin: TypeAlias = Literal["new", "resume", "restart"]

WEIGHTS = (".safetensors", ".pth", ".pt", ".ckpt")


@dataclass(frozen=True)
class Trained:
    """What is in the folder of one training.

    checkpoints: those to go on from, the stages' (`expert/checkpoint.pt`) first. weights: networks
    that are trained, the stages' among them. curves: what else tells of steps that were trained.
    """

    folder: Path
    checkpoints: tuple[Path, ...] = ()
    weights: tuple[Path, ...] = ()
    curves: tuple[Path, ...] = ()

    @property
    def is_empty(self) -> bool:
        """Whether nothing was trained here."""
        return not (self.checkpoints or self.weights or self.curves)

    @property
    def result(self) -> Path | None:
        """The weights that the training ended with, if it did."""
        own = [path for path in self.weights if path.parent == self.folder]
        return own[0] if own else None

    @property
    def is_without_checkpoint(self) -> bool:
        """Whether nothing here says after which step to go on, stages apart."""
        return all(path.parent != self.folder for path in self.checkpoints)

    @property
    def can_go_on(self) -> bool:
        """Whether there is anything to go on from, be it a stage that is finished."""
        return bool(self.checkpoints or self.weights)

    def described(self) -> str:
        """The state in words: what is trained, how many steps of how many, and when."""
        parts = [f"{self._name(path)} of {_time(path)}" for path in self.weights]
        parts += [_checkpoint(self._name(path), path) for path in self.checkpoints]
        if not parts:
            parts = [f"{self._name(path)} of {_time(path)}, no checkpoint" for path in self.curves]
        return ", ".join(parts) or "nothing trained yet"

    def _name(self, path: Path) -> str:
        return str(path.relative_to(self.folder))


def find_trained(folder: Path) -> Trained:
    """What a training has left in its folder and in the folders of its stages.

    Raises BenchError where a file has the folder's name.
    """
    if folder.is_file():
        raise BenchError(f"{folder}: is a file. Name a folder for the training with -o.")
    if not folder.is_dir():
        return Trained(folder)
    # A stage's folder is a word (`expert`); those of several trainings are `<plugin>-<seed>`.
    stages = sorted(path for path in folder.iterdir() if path.is_dir() and path.name.isidentifier())
    files = [path for place in (*stages, folder) for path in sorted(place.iterdir())]
    return Trained(
        folder,
        checkpoints=tuple(path for path in files if path.name == CHECKPOINT),
        weights=tuple(path for path in files if path.suffix in WEIGHTS and path.name != CHECKPOINT),
        curves=tuple(path for path in files if path.name == CURVES),
    )


def check_beginning(
    found: Sequence[Trained], folder: Path, begin: Begin, *, names: Sequence[str]
) -> None:
    """Raises BenchError where beginning so would throw away what was trained, or find nothing.

    names: what each of the trainings is called. folder: what `-o` names.
    """
    states = described(found, names)
    there = [trained for trained in found if not trained.is_empty]
    if begin == "new" and there:
        ways = (
            "Go on with it: --resume. Train beside it: another folder, -o. Begin anew, the old "
            "kept under another name: --restart."
        )
        told = f"{folder}: something is trained there already, and is kept."
        raise BenchError("\n  ".join([told, *states, ways]))
    if begin == "resume" and not any(trained.can_go_on for trained in found):
        raise BenchError(
            f"{folder}: nothing to go on from ({'; '.join(dict.fromkeys(states))}). Name the "
            "folder with -o, or leave --resume out to begin."
        )


def after_interrupt(found: Sequence[Trained], begin: Begin, *, names: Sequence[str]) -> str:
    """What to tell somebody who stopped: what there is now, and which command goes on."""
    if all(trained.is_empty for trained in found):
        return (
            "stopped before anything was trained; clips that were made ready are kept, and the "
            "same command goes on."
        )
    ways: dict[Begin, str] = {
        "new": "the same command with --resume goes on.",
        "resume": "the same command goes on.",
        "restart": "the same command with --resume instead of --restart goes on.",
    }
    return "\n  ".join(["stopped; what was saved is kept:", *described(found, names), ways[begin]])


def described(found: Sequence[Trained], names: Sequence[str]) -> list[str]:
    """The state of each training, with its name where there are several."""
    return [
        f"{name}: {trained.described()}" if len(names) > 1 else trained.described()
        for name, trained in zip(names, found, strict=True)
    ]


def put_aside(folder: Path) -> Path:
    """Renames a training's folder to the first free `<folder>.before-<number>`; gives the new name.

    Raises BenchError where it cannot be renamed.
    """
    old = folder.resolve()  # a link goes on pointing where the new training will be
    number = 1
    while (kept := old.with_name(f"{old.name}.before-{number}")).exists():
        number += 1
    if Path.cwd().is_relative_to(old):
        raise BenchError(
            f"{folder}: cannot be renamed to keep it, for you are in it. Go to another folder, or "
            "name another with -o."
        )
    try:
        old.rename(kept)
    except OSError as error:
        raise BenchError(
            f"{folder}: cannot be renamed to {kept.name} to keep it ({error.strerror}). Name "
            "another folder with -o."
        ) from error
    return kept


def _checkpoint(name: str, path: Path) -> str:
    try:
        saved = read_checkpoint(path)
    except BenchError:
        return f"{name} of {_time(path)}, damaged"
    total = "" if saved.steps is None else f" of {saved.steps}"
    return f"{name} after step {saved.step}{total}, {_time(path)}"


def _time(path: Path) -> str:
    return datetime.fromtimestamp(path.stat().st_mtime).strftime("%Y-%m-%d %H:%M")
