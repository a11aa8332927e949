"""A sync metric's confidence on the scale of what its clip can give.

People, rooms and sentences differ more in LSE-C than right and wrong speech do, so a confidence
alone compares nothing across clips. Beside wrong speech and the real video of the same clip, it
does. The scale is made of the measurements of three controls, so it is no output of the metric: who
reads records makes it, here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from bench.records.manifest import OutputPart

CONFIDENCES = ("lse_c", "motion_c")  # outputs that judge whether lips and speech belong together
CONTROLS = ("truth", "mismatched", "still")  # by their plugins' names
LEAST_LEAD = 1 / 3  # of the truth's own value, by which it must be above its controls
NO_TRUTH = "no scale: the clip has no value for truth"
NO_MISMATCHED = "no scale: the clip has no value for mismatched"
NOT_ABOVE = "no scale: the clip's truth is not above its controls by a third of its own value"


def relative_name(confidence: str) -> str:
    """The name of the output that holds this confidence on its clip's scale."""
    return f"{confidence}_relative"


def relative_outputs(outputs: Iterable[OutputPart]) -> list[tuple[OutputPart, OutputPart]]:
    """Each confidence among a metric's outputs, and the output that holds it on its clip's scale.

    The second has no bounds: a method can be worse than wrong speech (below 0), and can please the
    scorer more than the real video does (above 1).
    """
    return [
        (
            one,
            replace(
                one,
                name=relative_name(one.name),
                title=f"{one.heading}, relative",
                unit="1",
                best=None,
                low=None,
                high=None,
            ),
        )
        for one in outputs
        if one.name in CONFIDENCES
    ]


def relative_protocol(confidence: str, protocol: str) -> str:
    """The protocol of a relative confidence: its scale, and the protocol of what is scaled."""
    scale = "0: the larger of mismatched and still; 1: truth"
    return f"{relative_name(confidence)}[{scale}] of {protocol}"


def relative(value: float, controls: Mapping[str, float | None]) -> float | str:
    """The value where 0 is the clip's own wrong speech and 1 is its truth.

    controls: by name, what the clip's controls have. 0 is the larger of `mismatched` and, where it
    was measured, `still`.
    A text says why there is no value: without truth or `mismatched`, and where the truth is not
    above the larger control by at least LEAST_LEAD of itself. Such a clip gives the metric nothing
    to tell right from wrong by, and any small difference would become a large number.
    """
    truth, mismatched, still = (controls.get(name) for name in CONTROLS)
    if truth is None:
        return NO_TRUTH
    if mismatched is None:
        return NO_MISMATCHED
    bottom = mismatched if still is None else max(mismatched, still)
    lead = truth - bottom
    if lead <= 0.0 or lead < LEAST_LEAD * truth:
        return NOT_ABOVE
    return (value - bottom) / lead
