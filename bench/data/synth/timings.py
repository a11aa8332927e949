"""When each phoneme of an embedded clip is said: the utterance is made once more, from its seed."""

from __future__ import annotations

import numpy as np

from bench.data.synth.clip import utter
from bench.data.synth.corpus import person_of, plan_of
from bench.data.synth.visemes import Segment
from bench.ground.errors import BenchError
from bench.ground.types import Clip


def phonemes_of(clip: Clip) -> tuple[Segment, ...]:
    """The phonemes of a clip of an embedded corpus, in seconds, in order, pauses among them.

    The clip's pictures are not needed. Raises BenchError for a clip of other data, or of another
    version of the corpora.
    """
    plan = plan_of(clip)
    if plan is None:
        raise BenchError(f"{clip.id}: is no clip of an embedded corpus; its phonemes are not known")
    person = person_of(plan.language, plan.speaker)
    utterance = utter(person, plan.texts, np.random.default_rng([*plan.seed, 41]))
    if utterance.text != clip.text:
        raise BenchError(
            f"{clip.id}: expected the text {utterance.text!r} of {plan.id}, found {clip.text!r}; "
            "the clip is of another version of the embedded corpora"
        )
    return utterance.segments
