"""Which clips can be used in pairs: those with a readable video and a sound that is not silent."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from bench.data.manifest import file_digest
from bench.files.one_move import in_one_move
from bench.files.paths import cache_dir
from bench.ground.errors import BenchError
from bench.ground.types import Clip

VERSION = "1"  # raise it when the verdict on a file may change
FINE = "fine"


def barred_clips(clips: Sequence[Clip]) -> dict[str, str]:
    """The clips that cannot be another clip's partner: the reason by id.

    A clip without sound, or with a silent one, has no speech; one that cannot be opened has no
    face, either. Each file's sound is decoded once; the result is cached by the file's digest,
    except that a file could not be read.
    """
    with ThreadPoolExecutor() as pool:
        reasons = pool.map(_problem, clips)
        return {clip.id: reason for clip, reason in zip(clips, reasons, strict=True) if reason}


def _problem(clip: Clip) -> str:
    """Why the clip cannot take part; "" if it can."""
    for path, look in ((clip.video, _video), (clip.audio or clip.video, _sound)):
        try:
            found = _kept(path, look)
        except BenchError as error:
            return str(error).removeprefix(f"{path}: ")
        if found != FINE:
            return found
    return ""


def _video(path: Path) -> str:
    from bench import media

    return FINE if media.probe(path).width else "has no video track"


def _sound(path: Path) -> str:
    from bench import media

    sound = media.read_sound(path)
    if sound is None:
        return "has no sound"
    return FINE if sound.any() else "its sound is silent"


def _kept(path: Path, look: Callable[[Path], str]) -> str:
    """The verdict of `look` on a file, from the cache if the same bytes were judged before."""
    digest = file_digest(path)
    kept = cache_dir() / "pairs" / VERSION / digest[:2] / f"{digest[2:]}{look.__name__}"
    with contextlib.suppress(OSError, UnicodeDecodeError):
        return kept.read_text(encoding="utf-8")
    found = look(path)
    # A missing cache only costs time.
    with contextlib.suppress(OSError), in_one_move(kept) as part:
        part.write_text(found, encoding="utf-8")
    return found
