"""Digests of values and files: what is reused is identified by content, not by name."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Sequence
from pathlib import Path


def digest(value: object) -> str:
    """The SHA-256 (hex) of a JSON-able value, independent of the order of mapping keys."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()


def file_sha256(path: Path) -> str:
    """The SHA-256 (hex) of a file's bytes."""
    running = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            running.update(block)
    return running.hexdigest()


def code_digest(file: Path, helpers: Sequence[Path] = ()) -> str:
    """The digest of a plugin's code: of its file, or of that and the modules that it imports."""
    if not helpers:
        return file_sha256(file)
    names = {os.path.relpath(path, file.resolve().parent): file_sha256(path) for path in helpers}
    return digest([file_sha256(file), names])


def set_digest(digests: Iterable[str]) -> str:
    """The digest of several digests in any order: the key of a set metric's videos."""
    return digest(sorted(digests))


def place_of(identity: str) -> float:
    """A number in [0, 1) that depends only on the name, to divide names into splits by rule."""
    return int(hashlib.sha256(identity.encode()).hexdigest()[:8], 16) / 16**8


def seed_of(seed: int, *names: str) -> int:
    """A 63-bit seed for one named part of a run, independent of the other parts."""
    return int(digest([seed, *names])[:16], 16) >> 1
