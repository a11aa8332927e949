"""Finds the shipped configs by name, wherever the harness is installed."""

from __future__ import annotations

import os
import re
import textwrap
from itertools import takewhile
from pathlib import Path

from bench.config.names import closest
from bench.ground.errors import BenchError

# In a checkout a link to the top-level folder `configs`; in a wheel the files themselves.
FOLDER = Path(__file__).with_name("configs")
TRAININGS = FOLDER / "train"


def shipped(folder: Path) -> dict[str, Path]:
    """The configs in a folder by name: FOLDER holds benchmarks, TRAININGS holds trainings."""
    return {path.stem: path for path in sorted(folder.glob("*.yaml"))}


def find_config(given: str, folder: Path) -> Path:
    """The config that a command was given: a file, else the shipped config of that name.

    Raises BenchError, with the known names, if it is neither.
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
        f"there is no file {given}, and no shipped config of that name. {closest(name, known)}"
    )


def text_of(name: str) -> str:
    """A shipped config's text, changed so that it works from a file beside the folder `runs`."""
    known = {**shipped(TRAININGS), **shipped(FOLDER)}
    if name not in known:
        raise BenchError(f"there is no shipped config '{name}'. {closest(name, known)}")
    text = known[name].read_text(encoding="utf-8")
    return text.replace("../../runs/", "runs/")


def headline(path: Path) -> str:
    """The purpose of a shipped config: the first sentence of its leading comment."""
    lines = takewhile(lambda line: line.startswith("#"), path.read_text("utf-8").splitlines())
    comment = " ".join(line.removeprefix("#").strip() for line in lines)
    sentence = re.split(r"[.:;](?: (?=\D)|$)", comment, maxsplit=1)[0]
    return textwrap.shorten(sentence, 100, placeholder=" ...")


def folder_of(config: Path) -> Path:
    """The folder to which paths in a config are relative: its own.

    A shipped config counts as a file in `configs` below the working folder, so that nothing is read
    from or written beside the installed files.
    """
    if not config.is_relative_to(FOLDER):
        return config.parent
    return Path.cwd() / "configs" / config.relative_to(FOLDER).parent


def joined(folder: Path, path: Path) -> Path:
    """`path` relative to `folder`; works if `folder` does not exist and `path` leads out of it."""
    whole = folder / path
    return whole if folder.is_dir() else Path(os.path.normpath(whole))
