"""What a training left in its folder, so that nothing is overwritten unless the user asks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Literal, TypeAlias

from bench.ground.errors import BenchError
from bench.train.loop import CHECKPOINT, CURVES, read_checkpoint

Begin: TypeAlias = Literal["new", "resume", "restart"]

WEIGHTS = (".safetensors", ".pth", ".pt", ".ckpt")


@dataclass(frozen=True)
class Trained:
    """The content of one training's folder.

    checkpoints: those to continue from, the stages' (`expert/checkpoint.pt`) first. weights: the
    trained networks, including the stages'. curves: files that show that steps were trained.
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
        """Whether there is no checkpoint to continue from, apart from those of stages."""
        return all(path.parent != self.folder for path in self.checkpoints)

    @property
    def can_go_on(self) -> bool:
        """Whether there is anything to continue from, which may be a finished stage."""
        return bool(self.checkpoints or self.weights)

    def described(self) -> str:
        """The state in words: what is trained, after how many steps, and when."""
        parts = [f"{self._name(path)} of {_time(path)}" for path in self.weights]
        parts += [_checkpoint(self._name(path), path) for path in self.checkpoints]
        if not parts:
            parts = [f"{self._name(path)} of {_time(path)}, no checkpoint" for path in self.curves]
        return ", ".join(parts) or "nothing trained yet"

    def _name(self, path: Path) -> str:
        return str(path.relative_to(self.folder))


def find_trained(folder: Path) -> Trained:
    """What a training left in its folder and in the folders of its stages.

    Raises BenchError if `folder` is a file.
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
    """Raises BenchError if `begin` would discard a training, or find none to resume.

    names: those of the trainings. folder: that of `-o`.
    """
    states = described(found, names)
    there = [trained for trained in found if not trained.is_empty]
    if begin == "new" and there:
        ways = (
            "To continue it: --resume. To keep it and train elsewhere: another folder, -o. To "
            "start again and keep it under another name: --restart."
        )
        told = f"{folder}: there is a training already; nothing was changed."
        raise BenchError("\n  ".join([told, *states, ways]))
    if begin == "resume" and not any(trained.can_go_on for trained in found):
        raise BenchError(
            f"{folder}: nothing to resume ({'; '.join(dict.fromkeys(states))}). Name the folder "
            "with -o, or leave --resume out to start."
        )


def after_interrupt(found: Sequence[Trained], begin: Begin, *, names: Sequence[str]) -> str:
    """The message after Ctrl-C: what was saved, and which command continues."""
    if all(trained.is_empty for trained in found):
        return (
            "stopped before anything was trained; preprocessed clips are kept, and the same "
            "command continues."
        )
    ways: dict[Begin, str] = {
        "new": "the same command with --resume continues.",
        "resume": "the same command continues.",
        "restart": "the same command with --resume instead of --restart continues.",
    }
    return "\n  ".join(["stopped; what was saved is kept:", *described(found, names), ways[begin]])


def described(found: Sequence[Trained], names: Sequence[str]) -> list[str]:
    """The state of each training, with its name if there are several."""
    return [
        f"{name}: {trained.described()}" if len(names) > 1 else trained.described()
        for name, trained in zip(names, found, strict=True)
    ]


def put_aside(folder: Path) -> Path:
    """Renames a training's folder to the first free `<folder>.before-<number>`; returns this name.

    Raises BenchError if it cannot be renamed.
    """
    old = folder.resolve()  # so that a link keeps pointing to the new training
    number = 1
    while (kept := old.with_name(f"{old.name}.before-{number}")).exists():
        number += 1
    if Path.cwd().is_relative_to(old):
        raise BenchError(
            f"{folder}: cannot be renamed to keep it, because it is the current folder. Leave it, "
            "or name another with -o."
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
