"""Relative gains: how much better one method's mean is than the best other competitor's.

Some papers print nothing else. A gain of means has no interval here; the table above it has the
paired differences with theirs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from reports.comparison import Block, Standing, Table

TABLE = "gains"  # the published table of such numbers


@dataclass(frozen=True)
class Gain:
    """percent: of the best other mean, positive where the method is better. over: whose it is."""

    percent: float
    over: str


@dataclass(frozen=True)
class MeasuredGains:
    """One data set's gains by output; an output without a comparison is left out."""

    data: str
    gains: Mapping[str, Gain]


def measured_gains(table: Table) -> tuple[MeasuredGains, ...]:
    """The gains of the table's reference, by data set; none without a reference that competes."""
    if table.reference not in table.competitors:
        return ()
    others = [label for label in table.competitors if label != table.reference]
    return tuple(
        MeasuredGains(block.dataset.name, _gains(block, table.reference, others))
        for block in table.blocks
    )


def _gains(block: Block, label: str, others: list[str]) -> dict[str, Gain]:
    found: dict[str, Gain] = {}
    for one in block.columns:
        better = "none" if one.column.is_void or one.is_evidence else one.column.output.better
        if better == "none":
            continue
        gain = relative_gain(one.standing, label, others, is_higher_better=better == "higher")
        if gain is not None:
            found.setdefault(one.column.output.name, gain)
    return found


def relative_gain(
    standing: Standing, label: str, others: list[str], *, is_higher_better: bool
) -> Gain | None:
    """The gain over the best of the others; None if either lacks a mean over the compared cases.

    None, too, where the best other mean is 0.
    """
    means = {
        name: entry.interval.mean
        for name, entry in standing.entries.items()
        if entry.interval is not None and not entry.is_apart
    }
    there = [name for name in others if name in means]
    if label not in means or not there:
        return None
    best = (max if is_higher_better else min)(there, key=lambda name: means[name])
    if means[best] == 0:
        return None
    change = (means[label] - means[best]) / abs(means[best])
    return Gain(100.0 * (change if is_higher_better else -change), best)
