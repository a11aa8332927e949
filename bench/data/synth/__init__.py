"""The embedded corpora: synthetic speakers whose lips follow their speech, rendered on first use.

`synth-zh` stands in for CLR, `synth-en` for LRS2. espeak-ng speaks, numpy and OpenCV draw the
faces. The same version gives the same bytes on the same machine; other processors may differ in the
last bit of a float.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from bench.data.manifest import read_manifest
from bench.files.paths import cache_dir
from bench.ground.errors import BenchError
from bench.ground.types import Clip

CORPORA = {"synth-zh": "4", "synth-en": "4"}  # by name, the version; raise it if any byte changes


def build(
    name: str,
    split: str = "test",
    *,
    folder: Path | None = None,
    clips: int | None = None,
    speaker: str | None = None,
    workers: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Path:
    """The manifest.csv of one split of an embedded corpus, which is rendered if it does not exist.

    split: "test" (24 clips), "val" (12) or "train" (240); no speaker and no sentence is in two of
    them. "person": 8 further sentences by each speaker of "test", for methods that learn a person
    before they are tested. "crowd": 150 further speakers with one clip each, more varied in looks,
    light, voice, pose and coding than those of "train", whose sentences they say; for trainings.
    clips: another number of clips; the first ones stay the same. speaker: only the clips of this
    one. folder: where the splits are, by default the cache's corpora/<name>-<version>. workers:
    processes, by default one per core. progress: called with the number of finished clips and of
    all clips. A build continues where an earlier one was killed, and two processes may build the
    same split. Raises BenchError for an unknown corpus, split or speaker.
    """
    place = folder or _place(name)
    from bench.data.synth.corpus import build_split

    return build_split(
        name.removeprefix("synth-"),
        split,
        place,
        clips=clips,
        speaker=speaker,
        workers=workers,
        progress=progress,
    )


def unrendered(name: str, split: str) -> list[Clip]:
    """The clips of a split, none of which need exist: `rendered` renders them.

    They have no text, box and digest yet; id, speaker and version say what they will be. Raises
    BenchError for an unknown corpus or split.
    """
    from bench.data.synth.corpus import unrendered_clips

    return unrendered_clips(name.removeprefix("synth-"), split, _place(name))


def rendered(clip: Clip) -> Clip:
    """A clip of `unrendered`, rendered into this machine's cache, on one core.

    All clips of its speaker in its split are rendered with it, unless they are there.
    """
    name = f"synth-{clip.language}"
    manifest = build(name, clip.split, speaker=clip.speaker, workers=1)
    return next(one for one in read_manifest(manifest) if one.id == clip.id)


def _place(name: str) -> Path:
    if name not in CORPORA:
        raise BenchError(f"corpus: {name!r}; expected one of {', '.join(CORPORA)}.")
    return cache_dir() / "corpora" / f"{name}-{CORPORA[name]}"
