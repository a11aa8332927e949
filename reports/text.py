"""Numbers and names as text: fixed digits, shares, p values, escapes for LaTeX and Markdown."""

from __future__ import annotations

import re

from markupsafe import Markup, escape

from bench.stats import Interval
from bench.study.score.scores import Estimate

DIGITS = 3  # as the paper prints
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
    '"': "''",  # \textquotedbl needs another font encoding than LaTeX's own
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
}
_MARKDOWN = re.compile(r"([\\`*_{}\[\]<>|#~!$&])")


def fixed(value: float | None, *, signed: bool = False, digits: int = DIGITS) -> str:
    """The value with fixed decimals; nothing for None."""
    if value is None:
        return ""
    text = f"{value:+.{digits}f}" if signed else f"{value:.{digits}f}"
    return text.replace("-", MINUS)


def span(interval: Interval | None, *, signed: bool = False, digits: int = DIGITS) -> str:
    """The interval's ends, `0.712 – 0.764`; nothing where there is none."""
    if interval is None or interval.low is None or interval.high is None:
        return ""
    low = fixed(interval.low, signed=signed, digits=digits)
    return f"{low} – {fixed(interval.high, signed=signed, digits=digits)}"


def estimate_span(estimate: Estimate | None, *, signed: bool = False, digits: int = 2) -> str:
    """The interval's ends; nothing where there is none."""
    if estimate is None or estimate.low is None or estimate.high is None:
        return ""
    low = fixed(estimate.low, signed=signed, digits=digits)
    return f"{low} – {fixed(estimate.high, signed=signed, digits=digits)}"


def percent(value: float | None) -> str:
    """A share as whole percent; less than all is never rounded to 100 %, nor some to 0 %."""
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
    """The paper's arrow for a direction."""
    return {"lower": "\N{DOWNWARDS ARROW}", "higher": "\N{UPWARDS ARROW}"}.get(better, "")


def coded(text: str) -> Markup:
    """Text for a page, what stands between `backticks` as code."""
    parts = text.split("`")
    if len(parts) % 2 == 0:
        return escape(text)  # a lone backtick is nobody's code
    shown = [
        Markup("<code>{}</code>").format(p) if i % 2 else escape(p) for i, p in enumerate(parts)
    ]
    return Markup("").join(shown)


def latex(text: str) -> str:
    """Text that LaTeX prints as it stands."""
    return "".join(_LATEX.get(letter, letter) for letter in _one_line(text))


def markdown(text: str) -> str:
    """Text that Markdown prints as it stands, in a table's cell."""
    return _MARKDOWN.sub(r"\\\1", _one_line(text)).replace("\\<", "&lt;").replace("\\&", "&amp;")


def _one_line(text: str) -> str:
    return " ".join(text.split())
