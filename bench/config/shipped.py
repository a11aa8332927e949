"""The configs that come with the harness: found by name, wherever it is installed."""

from __future__ import annotations

import os
import re
import textwrap
from itertools import takewhile
from pathlib import Path

from bench.config.names import closest
from bench.errors import BenchError

# In a checkout a link to the folder `configs` at its top; in a wheel the files themselves.
FOLDER = Path(__file__).with_name("configs")
TRAININGS = FOLDER / "train"


def shipped(folder: Path) -> dict[str, Path]:
    """The configs of a folder by name: FOLDER has those of benchmarks, TRAININGS of trainings."""
    return {path.stem: path for path in sorted(folder.glob("*.yaml"))}


def find_config(given: str, folder: Path) -> Path:
    """The config that a command was given: a file, or else a shipped one by its name.

    Raises BenchError, with the names there are, where it is neither.
    """
    path = Path(given)
    if path.is_file():
        return path
    known = shipped(folder)
    name = path.name.removesuffix(".yaml")
    if given in known:
        return known[given]
    if name in known:
        raise BenchError(f"there is no file {given}. The shipped config of that name: {name}")
    other = shipped(TRAININGS if folder == FOLDER else FOLDER)
    if name in other:
        verb = "train" if folder == FOLDER else "run"
        raise BenchError(
            f"there is no file {given}. The shipped config of that name is for another command: "
            f"bench {verb} {name}"
        )
    raise BenchError(
        f"there is no file {given}, nor a shipped config of that name. {closest(name, known)}"
    )


def text_of(name: str) -> str:
    """A shipped config's text, to be kept in a file of one's own beside the folder `runs`."""
    known = {**shipped(TRAININGS), **shipped(FOLDER)}
    if name not in known:
        raise BenchError(f"there is no shipped config '{name}'. {closest(name, known)}")
    text = known[name].read_text(encoding="utf-8")
    return text.replace("../../runs/", "runs/")


def headline(path: Path) -> str:
    """What a shipped config is for: the first sentence of its comment."""
    lines = takewhile(lambda line: line.startswith("#"), path.read_text("utf-8").splitlines())
    comment = " ".join(line.removeprefix("#").strip() for line in lines)
    sentence = re.split(r"[.:;](?: (?=\D)|$)", comment, maxsplit=1)[0]
    return textwrap.shorten(sentence, 100, placeholder=" ...")


def folder_of(config: Path) -> Path:
    """The folder from which the paths in a config are taken: its own.

    A shipped one counts from where you are, as if it lay in `configs` here: nothing is ever looked
    for, or put, beside the installed files.
    """
    if not config.is_relative_to(FOLDER):
        return config.parent
    return Path.cwd() / "configs" / config.relative_to(FOLDER).parent


def joined(folder: Path, path: Path) -> Path:
    """`path` from `folder`, which need not exist where `path` leads out of it again."""
    whole = folder / path
    return whole if folder.is_dir() else Path(os.path.normpath(whole))
