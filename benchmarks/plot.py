"""A few lines over time as one SVG: panels below each other, with what was done to the system marked through all."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Final

Points = Sequence[tuple[float, float | None]]
"""(seconds, value); None where nobody could say, which breaks the line."""
LEFT: Final = 60
RIGHT: Final = 20
WIDTH: Final = 1000
HEIGHT: Final = 150
GAP: Final = 46
TOP: Final = 40
TITLE: Final = 170
"""Room for a panel's title; the names of its lines come behind it."""
COLOURS: Final = ("#1f6feb", "#1a7f37", "#9a6700", "#8250df", "#57606a", "#bf3989", "#0a7ea4")


@dataclass(frozen=True)
class Panel:
    """One scale, beginning at 0, and its lines by name."""

    title: str
    lines: Mapping[str, Points]


@dataclass(frozen=True)
class Mark:
    """Something that was done, from `begin` to `end`."""

    begin: float
    end: float
    colour: str


def svg(title: str, panels: Sequence[Panel], marks: Sequence[Mark], seconds: float) -> str:
    """Return the picture; `seconds` is the length of the time axis."""
    across = (WIDTH - LEFT - RIGHT) / seconds
    height = TOP + len(panels) * (HEIGHT + GAP)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" font-family="sans-serif">',
        f'<rect width="{WIDTH}" height="{height}" fill="white"/>',
        f'<text x="{LEFT}" y="20" font-size="16">{escape(title)}</text>',
    ]
    for number, panel in enumerate(panels):
        parts += _panel(panel, TOP + 20 + number * (HEIGHT + GAP), across, marks, seconds)
    return "\n".join([*parts, "</svg>\n"])


def _panel(panel: Panel, top: float, across: float, marks: Sequence[Mark], seconds: float) -> Iterator[str]:
    floor = top + HEIGHT
    step = _step(max((value or 0 for points in panel.lines.values() for _, value in points), default=1.0), 4)
    up = HEIGHT / (4 * step)
    for mark in marks:
        width = max((mark.end - mark.begin) * across, 1.5)
        x = LEFT + mark.begin * across
        yield f'<rect x="{x:.1f}" y="{top}" width="{width:.1f}" height="{HEIGHT}" fill="{mark.colour}" opacity="0.35"/>'
    for tick in range(5):
        y = floor - tick * step * up
        yield f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}" stroke="#d0d7de"/>'
        yield f'<text font-size="12" x="{LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{tick * step:g}</text>'
    every = _step(seconds, 10)
    for tick in range(int(seconds / every) + 1):
        x = LEFT + tick * every * across
        yield f'<text font-size="12" x="{x:.1f}" y="{floor + 15}" text-anchor="middle">{tick * every:g} s</text>'
    yield f'<text font-size="12" x="{LEFT}" y="{top - 6}" font-weight="bold">{escape(panel.title)}</text>'
    for number, (name, points) in enumerate(panel.lines.items()):
        colour = COLOURS[number % len(COLOURS)]
        x = LEFT + TITLE + (WIDTH - LEFT - TITLE - RIGHT) / max(len(panel.lines), len(COLOURS)) * number
        yield f'<text font-size="12" x="{x:.0f}" y="{top - 6}" fill="{colour}">{escape(name)}</text>'
        for run in _runs(points):
            path = " ".join(f"{LEFT + at * across:.1f},{floor - value * up:.1f}" for at, value in run)
            yield f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="1.5"/>'


def _runs(points: Points) -> Iterator[list[tuple[float, float]]]:
    """Yield the stretches of known values."""
    run: list[tuple[float, float]] = []
    for at, value in [*points, (0.0, None)]:
        if value is not None:
            run.append((at, value))
        elif run:
            yield run
            run = []


def _step(most: float, steps: int) -> float:
    """Return a round number of which `steps` reach up to `most`."""
    raw = max(most, 1e-9) / steps
    power = 10.0 ** math.floor(math.log10(raw))
    return next(power * factor for factor in (1, 2, 2.5, 5, 10) if power * factor >= raw * 0.999)
