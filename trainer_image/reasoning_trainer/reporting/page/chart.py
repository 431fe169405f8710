"""Charts of lines as SVG text."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from markupsafe import Markup

WIDTH, HEIGHT = 360, 190
LEFT, RIGHT, TOP, BOTTOM = 50, 10, 10, 22
"""Room beside the plot, for what stands at its axes."""
MOST_POINTS = 300
"""Points of a line that are drawn: there are no more pixels to tell them apart."""
COLOURS = 6
"""Colours that the page has for lines; further lines begin again."""
TICKS = 4
"""Lines across the plot, about."""

Points = Sequence[tuple[float, float]]


@dataclass(frozen=True)
class Line:
    """A line of a chart: its name, and its points from left to right."""

    name: str
    points: Points
    dashed: bool = False


@dataclass(frozen=True)
class Scale:
    """Maps a range of figures to a range of pixels."""

    low: float
    high: float
    start: float
    end: float

    def at(self, value: float) -> float:
        """Return the pixel of a figure."""
        return self.start + (value - self.low) / (self.high - self.low) * (self.end - self.start)


def chart(lines: Sequence[Line], title: str, unit: str = "step", note: str = "") -> Markup:
    """Return a chart of lines; nothing where no line has a point.

    Parameters
    ----------
    lines
        The lines.
    title
        What a reader of screens says of it.
    unit
        What the lines lie over.
    note
        What stands after its last figure.
    """
    lines = [Line(each.name, thinned(each.points), each.dashed) for each in lines if each.points]
    if not lines:
        return Markup()
    points = [point for line in lines for point in line.points]
    ticks = ticks_of(min(y for _, y in points), max(y for _, y in points))
    steps = [x for x, _ in points]
    across = Scale(min(steps), max(max(steps), min(steps) + 1), LEFT, WIDTH - RIGHT)
    up = Scale(ticks[0], ticks[-1], HEIGHT - BOTTOM, TOP)
    drawn = [_line(line, number % COLOURS, across, up) for number, line in enumerate(lines)]
    return Markup('<svg viewBox="0 0 {} {}" role="img" aria-label="{}">{}{}{}</svg>').format(
        WIDTH, HEIGHT, title, _grid(ticks, up), _ends(across, unit, note), Markup().join(drawn)
    )


def bars(counts: Mapping[str, int], title: str) -> Markup:
    """Return a chart with a bar for each count, its name below it and the figure above."""
    up = Scale(0.0, max([*counts.values(), 1]), HEIGHT - BOTTOM, TOP + 12)
    step = (WIDTH - 2 * RIGHT) / max(len(counts), 1)
    bar = Markup('<rect class="bar" x="{:.1f}" y="{:.1f}" width="{:.1f}" height="{:.1f}"><title>{}: {}</title></rect>')
    word = Markup('<text x="{:.1f}" y="{:.1f}" text-anchor="middle">{}</text>')
    drawn = [
        bar.format(RIGHT + step * (at + 0.1), up.at(count), step * 0.8, up.start - up.at(count), name, count)
        + word.format(RIGHT + step * (at + 0.5), up.at(count) - 4, f"{count:,}")
        + word.format(RIGHT + step * (at + 0.5), HEIGHT - 5, name)
        for at, (name, count) in enumerate(counts.items())
    ]
    return Markup('<svg viewBox="0 0 {} {}" role="img" aria-label="{}">{}</svg>').format(
        WIDTH, HEIGHT, title, Markup().join(drawn)
    )


def thinned(points: Points, most: int = MOST_POINTS) -> Points:
    """Return no more than so many points, each the mean of its neighbours where there were more."""
    if len(points) <= most:
        return points
    size = math.ceil(len(points) / most)
    groups = [points[start : start + size] for start in range(0, len(points), size)]
    return [(sum(x for x, _ in group) / len(group), sum(y for _, y in group) / len(group)) for group in groups]


def ticks_of(low: float, high: float) -> list[float]:
    """Return round figures, evenly spaced, from one at or below `low` to one at or above `high`."""
    if high - low <= 1e-9 * max(abs(low), abs(high)):
        low, high = (0.0, 1.0) if high == 0 else (min(0.0, 2 * low), max(0.0, 2 * high))
    rough = (high - low) / TICKS
    magnitude = 10.0 ** math.floor(math.log10(rough))
    step = next(factor * magnitude for factor in (1, 2, 5, 10) if factor * magnitude >= rough)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [number * step for number in range(first, last + 1)]


def brief(value: float) -> str:
    """Return a figure as it stands at an axis."""
    return f"{value:.3g}" if abs(value) < 1e4 else f"{value:.0e}"


def _line(line: Line, colour: int, across: Scale, up: Scale) -> Markup:
    path = " ".join(f"{across.at(x):.1f},{up.at(y):.1f}" for x, y in line.points)
    dash = Markup(' stroke-dasharray="4 4"') if line.dashed else ""
    drawn = Markup('<polyline class="line c{}"{} points="{}"><title>{}</title></polyline>').format(
        colour, dash, path, line.name
    )
    few = line.points if len(line.points) <= TICKS * 4 and not line.dashed else ()
    dots = [
        Markup('<circle class="dot c{}" cx="{:.1f}" cy="{:.1f}" r="2.5"><title>{}: {}</title></circle>').format(
            colour, across.at(x), up.at(y), line.name, brief(y)
        )
        for x, y in few
    ]
    return drawn + Markup().join(dots)


def _grid(ticks: Sequence[float], up: Scale) -> Markup:
    row = Markup('<line class="grid" x1="{}" x2="{}" y1="{:.1f}" y2="{:.1f}"/>')
    figure = Markup('<text x="{}" y="{:.1f}" text-anchor="end">{}</text>')
    return Markup().join(
        row.format(LEFT, WIDTH - RIGHT, up.at(tick), up.at(tick))
        + figure.format(LEFT - 6, up.at(tick) + 4, brief(tick))
        for tick in ticks
    )


def _ends(across: Scale, unit: str, note: str) -> Markup:
    first, last = f"{unit} {across.low:,.0f}", f"{across.high:,.0f}{note}"
    text = Markup('<text x="{:.1f}" y="{}" text-anchor="{}">{}</text>')
    places = ((across.low, "start", first), (across.high, "end", last))
    return Markup().join(text.format(across.at(x), HEIGHT - 5, anchor, word) for x, anchor, word in places)
