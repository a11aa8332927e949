"""Which clips can take part in pairs: those whose pictures open and whose sound can be heard."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from bench.data.manifest import file_digest
from bench.errors import BenchError
from bench.files.one_move import in_one_move
from bench.files.paths import cache_dir
from bench.types import Clip

VERSION = "1"  # raise it when a file may be judged otherwise
FINE = "fine"


def barred_clips(clips: Sequence[Clip]) -> dict[str, str]:
    """By id, the clips that can be nobody's partner, each with the reason.

    A clip without sound, or with nothing but silence, has no speech to lend; one that cannot be
    opened has no face either. Sound is decoded for this once for each file: what is found is kept
    in the cache by the file's digest, but never that a file could not be read.
    """
    with ThreadPoolExecutor() as pool:
        reasons = pool.map(_problem, clips)
        return {clip.id: reason for clip, reason in zip(clips, reasons, strict=True) if reason}


def _problem(clip: Clip) -> str:
    """Why the clip cannot take part; empty where it can."""
    for path, look in ((clip.video, _pictures), (clip.audio or clip.video, _sound)):
        try:
            found = _kept(path, look)
        except BenchError as error:
            return str(error).removeprefix(f"{path}: ")
        if found != FINE:
            return found
    return ""


def _pictures(path: Path) -> str:
    from bench import media

    return FINE if media.probe(path).width else "has no pictures"


def _sound(path: Path) -> str:
    from bench import media

    sound = media.read_sound(path)
    if sound is None:
        return "has no sound"
    return FINE if sound.any() else "its sound is silent"


def _kept(path: Path, look: Callable[[Path], str]) -> str:
    """What a look at the file finds; from the cache, where the same bytes were looked at before."""
    digest = file_digest(path)
    kept = cache_dir() / "pairs" / VERSION / digest[:2] / f"{digest[2:]}{look.__name__}"
    with contextlib.suppress(OSError, UnicodeDecodeError):
        return kept.read_text(encoding="utf-8")
    found = look(path)
    # Without a cache it is slower, nothing else.
    with contextlib.suppress(OSError), in_one_move(kept) as part:
        part.write_text(found, encoding="utf-8")
    return found
