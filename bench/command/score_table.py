"""Shows a study's scores on the terminal: Table 3 with agreement, exclusions, tests and notes."""

from __future__ import annotations

from collections.abc import Mapping

from rich.markup import escape
from rich.table import Table

from bench.command.terminal import console
from bench.study.score.scores import Estimate, Scores

SIGNIFICANT = 0.05


def show_scores(scores: Scores, names: Mapping[str, str]) -> None:
    """Prints mean opinion scores, agreement, exclusions, pairs, correlations and notes.

    names: display names by method's label; methods of no known run are shown by their labels.
    """
    out = console()
    if scores.simulated:
        out.print("[bold yellow]Simulated raters: these numbers say nothing about the methods.[/]")
    out.print(_opinions(scores, names))
    lines = [*_agreements(scores), *_pairs(scores)]
    if any(one.level == "clip" for one in scores.kept.correlations):
        out.print(_correlations(scores))
        lines += _undefined(scores)
    for gone in scores.exclusions:
        lines.append(f"[yellow]left out {escape(gone.rater)}[/]: {escape(gone.reason)}")
    lines += [f"[yellow]{escape(note)}[/]" for note in scores.notes]
    for line in lines:
        out.print(line, soft_wrap=True)


def _agreements(scores: Scores) -> list[str]:
    return [
        f"{_title(scores, one.question)}: Krippendorff's alpha {_reasoned(one.alpha)}, "
        f"ICC(2,k) {_reasoned(one.icc_average)}"
        for one in scores.kept.agreements
    ]


def _pairs(scores: Scores) -> list[str]:
    """One line per question: how many pairs of methods differ."""
    lines: list[str] = []
    for question in scores.questions:
        pairs = [one for one in scores.kept.comparisons if one.question == question.name]
        tested = [one.p_corrected for one in pairs if one.p_corrected is not None]
        differ = sum(p < SIGNIFICANT for p in tested)
        if not pairs:
            continue
        line = f"{escape(question.en)}: {differ} of {len(tested)} pairs of methods differ"
        line += f" (p < {SIGNIFICANT:g} after Holm)"
        left = [one.reason for one in pairs if one.p_corrected is None]
        lines.append(line + (f"; {len(left)} not tested: {escape(left[0])}" if left else ""))
    return lines


def _undefined(scores: Scores) -> list[str]:
    """The reasons for undefined correlations by clip, each once with its metrics."""
    reasons: dict[str, dict[str, None]] = {}
    for one in scores.kept.correlations:
        if one.level == "clip" and one.rho.value is None:
            reasons.setdefault(one.rho.reason, {})[f"{one.metric}.{one.output}"] = None
    return [
        f"undefined for {escape(', '.join(names))}: {escape(reason)}"
        for reason, names in reasons.items()
    ]


def _opinions(scores: Scores, names: Mapping[str, str]) -> Table:
    panel = scores.kept
    left_out = len({one.rater for one in scores.exclusions})
    table = Table(
        "method",
        *(escape(question.en) for question in scores.questions),
        box=None,
        header_style="bold",
        title=f"{escape(scores.name)}: {panel.n_ratings} ratings of {len(panel.raters)} raters"
        f" ({left_out} left out)",
    )
    for role in ("rated", "truth", "low"):
        for method in scores.methods:
            found = [panel.opinion(method, question.name, role) for question in scores.questions]
            if any(found):
                label = {"rated": "", "truth": " (hidden reference)", "low": " (low anchor)"}[role]
                cells = [_text(one.mean) if one else "–" for one in found]
                table.add_row(escape(names.get(method, method)) + label, *cells)
    return table


def _correlations(scores: Scores) -> Table:
    table = Table(
        "metric",
        *(escape(question.en) for question in scores.questions),
        box=None,
        header_style="bold",
        title="Spearman's rho of mean opinion score and metric, by clip",
    )
    found = [one for one in scores.kept.correlations if one.level == "clip"]
    for name in dict.fromkeys((one.run, one.metric, one.output, one.protocol) for one in found):
        cells = []
        for question in scores.questions:
            same = [one for one in found if one.question == question.name]
            own = [one for one in same if (one.run, one.metric, one.output, one.protocol) == name]
            cells.append(_text(own[0].rho) if own else "–")
        table.add_row(escape(f"{name[1]}.{name[2]}"), *cells)
    return table


def _text(estimate: Estimate) -> str:
    """The value, with its interval if there is one."""
    if estimate.value is None:
        return "undefined"
    if estimate.low is None or estimate.high is None:
        return f"{estimate.value:.2f}"
    return f"{estimate.value:.2f} {escape(f'[{estimate.low:.2f}, {estimate.high:.2f}]')}"


def _reasoned(estimate: Estimate) -> str:
    """The value with its interval, and the reason if one is missing."""
    return _text(estimate) + (f" ({escape(estimate.reason)})" if estimate.reason else "")


def _title(scores: Scores, name: str) -> str:
    return next((escape(one.en) for one in scores.questions if one.name == name), escape(name))
