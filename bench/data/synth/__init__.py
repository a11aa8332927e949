"""The embedded corpora: synthetic speakers with real lip motion, made on first use.

`synth-zh` stands in for CLR, `synth-en` for LRS2. The speech is espeak-ng's, the faces are drawn
by numpy and OpenCV. The same version gives the same bytes on the same machine; other processors
may differ in the last bit of a float.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from bench.errors import BenchError
from bench.files.paths import cache_dir

CORPORA = {"synth-zh": "4", "synth-en": "4"}  # name: version; a change of any byte is a new version


def build(
    name: str,
    split: str = "test",
    *,
    folder: Path | None = None,
    clips: int | None = None,
    workers: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Path:
    """The manifest.csv of one split of an embedded corpus, made now if it is not there.

    split: "test" (24 clips), "val" (12) or "train" (240); no speaker and no sentence is in two of
    them. clips: another number of clips; the first ones stay the same. folder: where the splits
    lie, by default the cache's corpora/<name>-<version>. workers: processes, by default one a core.
    progress: told how many of how many clips are done. It goes on where it was killed, and two
    processes that build the same split do not disturb each other.
    Raises BenchError for an unknown corpus or split.
    """
    if name not in CORPORA:
        raise BenchError(f"corpus: {name!r}; expected one of {', '.join(CORPORA)}.")
    place = folder or cache_dir() / "corpora" / f"{name}-{CORPORA[name]}"
    from bench.data.synth.corpus import build_split

    language = name.removeprefix("synth-")
    return build_split(language, split, place, clips=clips, workers=workers, progress=progress)
