"""Draws the curves of a training: one small chart for each figure, over the steps."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from pathlib import Path

from bench.files.one_move import in_one_move

WIDTH, HEIGHT, MARGIN = 300, 150, 34  # pixels, of one chart
COLUMNS = 3

Row = dict[str, float]


def draw(path: Path, rows: Sequence[Row]) -> None:
    """Writes the curves as SVG, in one move. rows: `step` and figures, which may be absent."""
    names = [n for n in dict.fromkeys(name for row in rows for name in row) if n != "step"]
    charts = []
    for place, name in enumerate(names):
        points = [(row["step"], row[name]) for row in rows if name in row]
        x, y = place % COLUMNS * WIDTH, place // COLUMNS * HEIGHT
        charts.append(f'<g transform="translate({x} {y})">{_chart(name, points)}</g>')
    height = -(-len(names) // COLUMNS) * HEIGHT
    page = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {COLUMNS * WIDTH} {height}" '
        'font-family="sans-serif" font-size="11"><rect width="100%" height="100%" fill="#fff"/>'
        f"{''.join(charts)}</svg>\n"
    )
    with in_one_move(path) as part:
        part.write_text(page, encoding="utf-8")


def _chart(name: str, points: Sequence[tuple[float, float]]) -> str:
    """One chart: title, the range of both axes, the line."""
    steps, values = zip(*points, strict=True)
    low, high, last = min(values), max(values), max(steps)
    spread = high - low or 1.0
    inner_width, inner_height = WIDTH - 2 * MARGIN, HEIGHT - 2 * MARGIN
    line = " ".join(
        f"{MARGIN + inner_width * step / last:.1f},"
        f"{HEIGHT - MARGIN - inner_height * (value - low) / spread:.1f}"
        for step, value in points
    )
    right, bottom = WIDTH - MARGIN, HEIGHT - MARGIN
    mark = f'<circle cx="{line.split(",")[0]}" cy="{line.split(",")[1]}" r="2" fill="#1f5fa8"/>'
    drawn = f'<polyline points="{line}" fill="none" stroke="#1f5fa8" stroke-width="1.5"/>'
    return (
        f'<text x="{MARGIN}" y="{MARGIN - 12}" font-weight="bold">{escape(name)}</text>'
        f'<text x="{right}" y="{MARGIN - 12}" text-anchor="end">{values[-1]:.3g}</text>'
        f'<text x="{MARGIN - 4}" y="{MARGIN + 4}" text-anchor="end" fill="#555">{high:.3g}</text>'
        f'<text x="{MARGIN - 4}" y="{bottom}" text-anchor="end" fill="#555">{low:.3g}</text>'
        f'<text x="{right}" y="{bottom + 14}" text-anchor="end" fill="#555">{last:g} steps</text>'
        f'<path d="M{MARGIN} {MARGIN}V{bottom}H{right}" fill="none" stroke="#999"/>'
        f"{mark if len(points) == 1 else drawn}"
    )
