"""What a clip is called on every machine, so that a shipped file can say what it was made of."""

from __future__ import annotations

from bench.data import synth
from bench.data.manifest import file_digest, plan_digest
from bench.ground.types import Clip


def lasting_name(clip: Clip) -> str:
    """Corpus, version and id of an embedded clip, `synth-zh-4/zh-m01-p0000`; else its digest.

    Embedded clips may differ in a few bytes from machine to machine. Raises OSError or BenchError
    if there is no digest and a file of the clip cannot be read.
    """
    from bench.data.synth.corpus import plan_of  # it draws faces, and loads what that needs

    plan = plan_of(clip)
    if plan is not None and plan.split == clip.split:
        corpus = f"synth-{plan.language}"
        return f"{corpus}-{synth.CORPORA[corpus]}/{plan.id}"
    files = [clip.video] if clip.audio is None else [clip.video, clip.audio]
    return clip.sha256 or plan_digest([file_digest(file) for file in files])
