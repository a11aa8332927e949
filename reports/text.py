"""Formats numbers and escapes text for pages, LaTeX and Markdown."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable

from markupsafe import Markup, escape

from bench.ground.stats import Interval
from bench.study.score.scores import Estimate

DIGITS = 3  # decimals, as in the paper
MINUS = "\N{MINUS SIGN}"

_LATEX = {
    "\\": r"\textbackslash{}",
    "&": r"\&",
    "%": r"\%",
    "$": r"\$",
    "#": r"\#",
    "_": r"\_",
    "{": r"\{",
    "}": r"\}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    '"': "''",  # \textquotedbl is missing in LaTeX's default font encoding
    "\N{DOWNWARDS ARROW}": r"$\downarrow$",
    "\N{UPWARDS ARROW}": r"$\uparrow$",
    "\N{DAGGER}": r"$\dagger$",
    "\N{DOUBLE DAGGER}": r"$\ddagger$",
    "\N{PLUS-MINUS SIGN}": r"$\pm$",
    "\N{DEGREE SIGN}": r"$^\circ$",
    "\N{RIGHTWARDS ARROW}": r"$\rightarrow$",
    "\N{MULTIPLICATION SIGN}": r"$\times$",
    "\N{MIDDLE DOT}": r"$\cdot$",
    "\N{GREEK SMALL LETTER ALPHA}": r"$\alpha$",
    "\N{GREEK SMALL LETTER RHO}": r"$\rho$",
    "\N{MINUS SIGN}": "$-$",
    "\N{EN DASH}": "--",
    "\N{ALMOST EQUAL TO}": r"$\approx$",
    "\N{LEFT FLOOR}": r"$\lfloor$",
    "\N{GREATER-THAN OR EQUAL TO}": r"$\geq$",
    "\N{LESS-THAN OR EQUAL TO}": r"$\leq$",
}
_MARKDOWN = re.compile(r"([\\`*_{}\[\]<>|#~!$&])")


def fixed(value: float | None, *, signed: bool = False, digits: int = DIGITS) -> str:
    """The value with fixed decimals; empty for None."""
    if value is None:
        return ""
    text = f"{value:+.{digits}f}" if signed else f"{value:.{digits}f}"
    return text.replace("-", MINUS)


def decimals(values: Iterable[float]) -> int:
    """How many decimals a column of values needs: more than the paper's where all are below 0.1."""
    largest = max(map(abs, values), default=0.0)
    if not 0.0 < largest < 0.1:
        return DIGITS
    return min(DIGITS - 1 - math.floor(math.log10(largest)), 6)


def fine(value: float | None, *, signed: bool = False) -> str:
    """The value with fixed decimals, and with more where they would leave fewer than two digits."""
    if not value:
        return fixed(value, signed=signed)
    digits = max(DIGITS, 1 - math.floor(math.log10(abs(value))))
    return fixed(value, signed=signed, digits=min(digits, 6))


def span(interval: Interval | None, *, signed: bool = False, digits: int = DIGITS) -> str:
    """The interval's ends, `0.712 – 0.764`; empty if there are none."""
    if interval is None or interval.low is None or interval.high is None:
        return ""
    low = fixed(interval.low, signed=signed, digits=digits)
    return f"{low} – {fixed(interval.high, signed=signed, digits=digits)}"


def estimate_span(estimate: Estimate | None, *, signed: bool = False, digits: int = 2) -> str:
    """The interval's ends; empty if there are none."""
    if estimate is None or estimate.low is None or estimate.high is None:
        return ""
    low = fixed(estimate.low, signed=signed, digits=digits)
    return f"{low} – {fixed(estimate.high, signed=signed, digits=digits)}"


def percent(value: float | None) -> str:
    """A share as whole percent; only 1 is rounded to 100 %, and only 0 to 0 %."""
    if value is None:
        return ""
    shown = round(100 * value)
    if shown == 100 and value < 1.0:
        return ">99 %"
    if shown == 0 and value > 0.0:
        return "<1 %"
    return f"{shown} %"


def p_text(value: float | None) -> str:
    """A p value as `p = 0.041` or `p < 0.001`."""
    if value is None:
        return ""
    return "p < 0.001" if value < 0.001 else f"p = {value:.3f}"


def arrow(better: str) -> str:
    """The arrow for a direction, as in the paper."""
    return {"lower": "\N{DOWNWARDS ARROW}", "higher": "\N{UPWARDS ARROW}"}.get(better, "")


def coded(text: str) -> Markup:
    """Text for a page, with `backticks` turned into code."""
    parts = text.split("`")
    if len(parts) % 2 == 0:
        return escape(text)  # an unpaired backtick is plain text
    shown = [
        Markup("<code>{}</code>").format(p) if i % 2 else escape(p) for i, p in enumerate(parts)
    ]
    return Markup("").join(shown)


def latex(text: str) -> str:
    """The text escaped for LaTeX."""
    return "".join(_LATEX.get(letter, letter) for letter in _one_line(text))


def markdown(text: str) -> str:
    """The text escaped for a cell of a Markdown table."""
    return _MARKDOWN.sub(r"\\\1", _one_line(text)).replace("\\<", "&lt;").replace("\\&", "&amp;")


def _one_line(text: str) -> str:
    return " ".join(text.split())
