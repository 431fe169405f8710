"""Draws a Grafana dashboard from its JSON and the answers of a Prometheus, as SVG: `python -m tests.watch.drawing`.

It is not Grafana, which this project's machines cannot have. It reads of the JSON what decides how a panel looks:
place, kind, unit, legend, thresholds, axes, overrides, transformations; a kind that it does not know is an error.
"""

from __future__ import annotations

import argparse
import json
import math
import re
import time
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

from markupsafe import Markup

from reasoning_trainer.reporting.page.chart import Scale, ticks_of

Json = dict[str, Any]
Ask = Callable[[str, float, float], list[Json]]
"""Gives the series of an expression between two moments, as Prometheus' API has them."""

COLUMN, ROW, GAP, HEAD = 50, 38, 8, 64
"""Pixels of the grid's column and row, between panels, and above the first."""
INK, DIM, LINES, PAPER, PANEL = "#ccccdc", "#8e8e9d", "#2c2f36", "#111217", "#181b1f"
PALETTE = ("#73bf69", "#f2cc0c", "#8ab8ff", "#ff780a", "#f2495c", "#5794f2", "#b877d9", "#ffee52", "#ff9830")
COLOURS = {
    "green": "#73bf69",
    "yellow": "#f2cc0c",
    "red": "#f2495c",
    "orange": "#ff9830",
    "light-orange": "#ffb357",
    "blue": "#8ab8ff",
    "purple": "#b877d9",
    "text": INK,
}
"""What Grafana's names of colours stand for, in its dark theme."""
GREEN_THEN_RED = [{"value": None, "color": "green"}, {"value": 80, "color": "red"}]
"""What Grafana takes where a panel names no thresholds."""
NO_DATA = "No data"
POINTS = 120
LETTER = 6.1
"""Pixels of a letter of 11, about: text is not measured."""


@dataclass(frozen=True)
class Box:
    """Where a panel is, in pixels."""

    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True)
class Line:
    """A series as a panel shows it."""

    name: str
    points: list[tuple[float, float]]
    settings: Mapping[str, Any] = field(default_factory=dict)
    floor: Mapping[float, float] = field(default_factory=dict)
    """Down to where it is filled, by moment; to the axis where there is none."""

    @property
    def on_the_right(self) -> bool:
        """Whether it has the axis on the right."""
        return self.settings.get("custom.axisPlacement") == "right"

    @property
    def is_unnamed(self) -> bool:
        """Whether the legend leaves it out."""
        return bool(self.settings.get("custom.hideFrom", {}).get("legend"))


class Prometheus:
    """A Prometheus that runs somewhere.

    Attributes
    ----------
    address
        Where: such as http://127.0.0.1:9090.
    """

    def __init__(self, address: str) -> None:
        self.address = address

    def ask(self, expression: str, start: float, end: float) -> list[Json]:
        """Return the series of an expression between two moments; at the last one alone where they are the same."""
        moments = {"start": start, "end": end, "step": max(1.0, round((end - start) / POINTS))}
        asked = urllib.parse.urlencode({"query": expression, **moments})
        with urllib.request.urlopen(f"{self.address}/api/v1/query_range?{asked}", timeout=10) as answer:
            found: list[Json] = json.load(answer)["data"]["result"]
        return found


def draw(board: Json, ask: Ask, variables: Mapping[str, str], start: float, end: float) -> str:
    """Return a dashboard as an SVG document.

    Parameters
    ----------
    board
        The dashboard.
    ask
        Gives the answers.
    variables
        What `$NAME` in a query stands for.
    start, end
        The time that is shown, Unix seconds.
    """
    picture = _Picture(ask, variables, start, end)
    picture.mark(board["annotations"].get("list", []))
    panels = [picture.panel(panel) for panel in board["panels"]]
    height = max(box.y + box.height for box in map(_box, board["panels"])) + GAP
    width = 24 * COLUMN + GAP
    shown = [f"{each['label']}: {variables.get(each['name'], 'default')}" for each in board["templating"]["list"]]
    head = _text(16, 28, board["title"], 18, INK, weight=600) + _text(16, 50, "   ".join(shown), 12, DIM)
    span = f"{_clock(start)} to {_clock(end)} UTC"
    return Markup(
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {w} {h:.0f}" width="{w}" height="{h:.0f}" '
        'font-family="Inter, Helvetica, Arial, sans-serif"><rect width="100%" height="100%" fill="{p}"/>{b}</svg>\n'
    ).format(
        w=width,
        h=height,
        p=PAPER,
        b=Markup("\n").join([head, _text(width - 16, 28, span, 12, DIM, anchor="end"), *panels]),
    )


class _Picture:
    """What every panel of a picture shares."""

    def __init__(self, ask: Ask, variables: Mapping[str, str], start: float, end: float) -> None:
        self._ask, self._variables, self._start, self._end = ask, variables, start, end
        self._marks: list[tuple[float, str]] = []

    def mark(self, annotations: Sequence[Json]) -> None:
        """Keep the moments that annotations name, for the panels with a time axis."""
        for each in annotations:
            for series in self._answer(each["expr"]):
                moments = [point for point, _ in _points(series)]
                first = [at for before, at in pairwise([-math.inf, *moments]) if at - before > 60]
                self._marks += [(at, COLOURS[each["iconColor"]]) for at in first]

    def panel(self, panel: Json) -> Markup:
        """Return a panel."""
        box = _box(panel)
        if panel["type"] == "row":
            return _text(box.x + 4, box.y + 25, panel["title"], 15, INK, weight=600)
        kinds = {"stat": self._stat, "timeseries": self._timeseries, "table": self._table}
        frame = Markup('<rect x="{}" y="{}" width="{}" height="{}" rx="3" fill="{}" stroke="{}"/>').format(
            box.x, box.y, box.width, box.height, PANEL, LINES
        )
        title = _text(box.x + 10, box.y + 20, panel["title"], 13, INK, weight=600)
        if panel.get("description"):
            title += _hint(box.x + box.width - 18, box.y + 16, panel["description"])
        return frame + title + kinds[panel["type"]](panel, box)

    def _answer(self, expression: str, *, instant: bool = False) -> list[Json]:
        return self._ask(substituted(expression, self._variables), self._end if instant else self._start, self._end)

    def _lines(self, panel: Json) -> list[Line]:
        found = []
        for target in panel["targets"]:
            for series in self._answer(target["expr"]):
                name = _legend_of(target, series["metric"])
                found.append(Line(name, _points(series), _settings(panel, name)))
        return found

    def _stat(self, panel: Json, box: Box) -> Markup:
        lines = [line for line in self._lines(panel) if line.points]
        if not lines:
            return _nothing(panel, box)
        value = lines[0].points[-1][1]
        color = _threshold(panel, value)
        text = shown(value, panel["fieldConfig"]["defaults"].get("unit", "short"))
        middle = _text(box.x + box.width / 2, box.y + box.height / 2 + 24, text, 34, color, anchor="middle", weight=600)
        if panel["options"].get("graphMode") != "area":
            return middle
        low, high = min(y for _, y in lines[0].points), max(y for _, y in lines[0].points)
        up = Scale(low, high if high > low else low + 1, box.y + box.height - 3, box.y + box.height - 34)
        across = Scale(self._start, self._end, box.x + 1, box.x + box.width - 1)
        floor = [(x, low) for x, _ in lines[0].points]
        return _area(lines[0].points, floor, across, up, color, 0.15) + middle

    def _timeseries(self, panel: Json, box: Box) -> Markup:
        lines = [line for line in self._lines(panel) if line.points]
        if not lines:
            return _nothing(panel, box)
        defaults = panel["fieldConfig"]["defaults"]
        legend = panel["options"].get("legend", {}).get("showLegend", True)
        right = [line for line in lines if line.on_the_right]
        if defaults.get("custom", {}).get("stacking", {}).get("mode") == "normal":
            lines = _stacked(lines)
        x = (box.x + 70, box.x + box.width - (58 if right else 14))
        across = Scale(self._start, self._end, *x)
        bottom, top = box.y + box.height - (48 if legend else 26), box.y + 36
        drawn, up = [self._moments(across, bottom)], {}
        for side in ([line for line in lines if not line.on_the_right], right):
            if side:
                ticks = _ticks(side, defaults)
                up[side[0].on_the_right] = Scale(ticks[0], ticks[-1], bottom, top)
                drawn.append(_side(side, ticks, defaults, Scale(ticks[0], ticks[-1], bottom, top), x))
        drawn += self._curves(panel, lines, across, up)
        drawn += [
            Markup('<path d="M{:.1f} {:.1f}V{:.1f}" stroke="{}" stroke-dasharray="4 3"/>').format(
                across.at(moment), top, bottom, color
            )
            for moment, color in self._marks
        ]
        if legend:
            named = [(line.name, _color(line, n)) for n, line in enumerate(lines) if not line.is_unnamed]
            drawn.append(_legend(named, box))
        return Markup().join(drawn)

    def _curves(self, panel: Json, lines: Sequence[Line], across: Scale, up: Mapping[bool, Scale]) -> list[Markup]:
        drawn, by_name = [], {line.name: line for line in lines}
        for number, line in reversed(list(enumerate(lines))):
            below = by_name.get(line.settings.get("custom.fillBelowTo", ""))
            fill = line.settings.get(
                "custom.fillOpacity", panel["fieldConfig"]["defaults"].get("custom", {}).get("fillOpacity", 0)
            )
            drawn.append(_curve(line, across, up[line.on_the_right], _color(line, number), fill / 100, below))
        return drawn

    def _moments(self, across: Scale, bottom: float) -> Markup:
        step = next(s for s in (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1800, 3600, 7200, 21600) if s * 6 > self._span)
        first = math.ceil(self._start / step) * step
        moments = [first + number * step for number in range(int((self._end - first) // step) + 1)]
        return Markup().join(
            Markup('<path d="M{:.1f} {:.1f}v-4" stroke="{}"/>').format(across.at(at), bottom + 4, LINES)
            + _text(across.at(at), bottom + 17, _clock(at, seconds=step < 60), 11, DIM, anchor="middle")
            for at in moments
        )

    @property
    def _span(self) -> float:
        return self._end - self._start

    def _table(self, panel: Json, box: Box) -> Markup:
        columns, rows = self._merged(panel)
        if not rows:
            return _nothing(panel, box)
        widths = {
            name: max(len(name), *(len(_cell(panel, name, row.get(name, ""))) for row in rows)) + 2 for name in columns
        }
        unit = (box.width - 20) / sum(widths.values())
        drawn, x = [], box.x + 10
        for name in columns:
            right = any(isinstance(row.get(name), float) for row in rows)
            at, anchor = (x + widths[name] * unit - 10, "end") if right else (x + 4, "start")
            drawn.append(_text(at, box.y + 48, name, 12, COLOURS["blue"], anchor=anchor, weight=600))
            drawn += [
                _text(
                    at,
                    box.y + 74 + 26 * number,
                    _cell(panel, name, row.get(name, "")),
                    12,
                    COLOURS["blue"] if _settings(panel, name).get("links") else INK,
                    anchor=anchor,
                )
                for number, row in enumerate(rows[: int((box.height - 60) // 26)])
            ]
            x += widths[name] * unit
        rule = Markup('<path d="M{} {}H{}" stroke="{}"/>').format(box.x + 10, box.y + 56, box.x + box.width - 10, LINES)
        return Markup().join([rule, *drawn])

    def _merged(self, panel: Json) -> tuple[list[str], list[Json]]:
        """Return the table's columns and rows; of queries with the same labels one row, as Grafana's merge has it."""
        rows: dict[tuple[tuple[str, str], ...], Json] = {}
        columns: list[str] = []
        several = len(panel["targets"]) > 1
        for target in panel["targets"]:
            for series in self._answer(target["expr"], instant=True):
                labels = dict(sorted(series["metric"].items()))
                row = rows.setdefault(tuple(labels.items()), dict(labels))
                value = f"Value #{target['refId']}" if several else "Value"
                row[value] = _points(series)[-1][1]
                columns += [name for name in (*labels, value) if name not in columns]
        columns.sort(key=lambda name: name.startswith("Value"))
        for each in panel.get("transformations", []):
            if each["id"] == "organize":
                options = each["options"]
                order = options.get("indexByName", {})
                columns = [name for name in columns if not options.get("excludeByName", {}).get(name)]
                columns.sort(key=lambda name: order.get(name, 99))
                named = options.get("renameByName", {})
                columns = [named.get(name, name) for name in columns]
                for labels, row in rows.items():
                    rows[labels] = {named.get(name, name): value for name, value in row.items()}
        return columns, list(rows.values())


def substituted(expression: str, variables: Mapping[str, str]) -> str:
    """Return a query with what its variables stand for."""
    for name, value in variables.items():
        expression = re.sub(rf"\${name}\b", value, expression)
    return expression


def shown(value: float, unit: str) -> str:
    """Return a figure in its unit, as Grafana writes it, about."""
    if unit == "percentunit":
        return f"{_short(value * 100)}%"
    if unit in ("s", "h"):
        return _duration(value * (3600 if unit == "h" else 1))
    if unit == "bytes":
        power = min(4, int(math.log(abs(value), 1024))) if abs(value) >= 1 else 0
        return f"{value / 1024**power:.{2 if power else 0}f} {('B', 'KiB', 'MiB', 'GiB', 'TiB')[power]}"
    if unit == "sci":
        return f"{value:.3g}" if not value or abs(value) >= 0.1 else f"{value:.1e}"
    after = {"ops": " ops/s", "reqps": " req/s", "short": "", "none": ""}[unit]
    for size, letter in ((1e9, " B"), (1e6, " M"), (1e3, " K")):
        if abs(value) >= size and unit != "none":
            return f"{_short(value / size)}{letter}{after}"
    return f"{_short(value)}{after}"


def _duration(seconds: float) -> str:
    for size, name in ((86400, "days"), (3600, "hours"), (60, "mins"), (1, "s"), (1e-3, "ms"), (1e-6, "µs")):
        if abs(seconds) >= size:
            number = _short(seconds / size)
            return f"{number} {name.removesuffix('s') if number == '1' and name.endswith('s') else name}"
    return "0 s"


def _short(value: float) -> str:
    if value == int(value) and abs(value) < 1e6:
        return str(int(value))
    text = f"{value:.3g}"
    return text if abs(value) >= 1e-5 else f"{value:.1e}"


def _settings(panel: Json, name: str) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for override in panel["fieldConfig"].get("overrides", []):
        matcher = override["matcher"]
        matches = {"byName": matcher["options"] == name, "byRegexp": _matches(matcher["options"], name)}
        if matches[matcher["id"]]:
            found |= {each["id"]: each["value"] for each in override["properties"]}
    return found


def _matches(pattern: str, name: str) -> bool:
    return bool(re.search(pattern.strip("/"), name))


def _cell(panel: Json, name: str, value: float | str) -> str:
    if isinstance(value, str):
        return value
    return shown(value, _settings(panel, name).get("unit", panel["fieldConfig"]["defaults"].get("unit", "short")))


def _threshold(panel: Json, value: float) -> str:
    defaults = panel["fieldConfig"]["defaults"]
    if (color := defaults.get("color", {})).get("mode") == "fixed":
        return COLOURS[color["fixedColor"]]
    steps = defaults.get("thresholds", {}).get("steps", GREEN_THEN_RED)
    return COLOURS[[step for step in steps if step.get("value") is None or value >= step["value"]][-1]["color"]]


def _color(line: Line, number: int) -> str:
    color = line.settings.get("color", {})
    return COLOURS[color["fixedColor"]] if color else PALETTE[number % len(PALETTE)]


def _ticks(lines: Sequence[Line], defaults: Json) -> list[float]:
    values = [y for line in lines for _, y in line.points]
    of_lines = {} if lines[0].on_the_right else defaults
    low, high = of_lines.get("min", min(values)), of_lines.get("max", max(values))
    unit = 1024 ** int(math.log(high, 1024)) if of_lines.get("unit") == "bytes" and high >= 1 else 1
    return [tick * unit for tick in ticks_of(low / unit, high / unit)]


def _side(lines: Sequence[Line], ticks: Sequence[float], defaults: Json, up: Scale, x: tuple[float, float]) -> Markup:
    """Return an axis with its figures, and lines across for the left one."""
    right = lines[0].on_the_right
    unit = lines[0].settings.get("unit", defaults.get("unit", "short"))
    grid = Markup('<path d="M{:.1f} {:.1f}H{:.1f}" stroke="{}"/>')
    return Markup().join(
        (Markup() if right else grid.format(x[0], up.at(tick), x[1], LINES))
        + _text(
            x[1] + 6 if right else x[0] - 6,
            up.at(tick) + 4,
            shown(round(tick, 12), unit),
            11,
            DIM,
            anchor="start" if right else "end",
        )
        for tick in ticks
    )


def _stacked(lines: Sequence[Line]) -> list[Line]:
    below: dict[float, float] = {}
    stacked: list[Line] = []
    for line in lines:
        floor = {at: below.get(at, 0) for at, _ in line.points}
        points = [(at, value + floor[at]) for at, value in line.points]
        below |= dict(points)
        stacked.append(Line(line.name, points, line.settings, floor))
    return stacked


def _curve(line: Line, across: Scale, up: Scale, color: str, fill: float, below: Line | None) -> Markup:
    """Return a line, and the area down to another one or to the axis."""
    width = line.settings.get("custom.lineWidth", 1.5)
    floor = dict(below.points) if below else line.floor
    drawn = []
    for piece in _pieces(line.points):
        if fill:
            drawn.append(_area(piece, [(x, floor.get(x, up.low)) for x, _ in piece], across, up, color, fill))
        if width:
            drawn.append(
                Markup('<polyline fill="none" stroke="{}" stroke-width="{}" points="{}"/>').format(
                    color, width, _at(piece, across, up)
                )
            )
    return Markup().join(drawn)


def _pieces(points: Sequence[tuple[float, float]]) -> Iterator[list[tuple[float, float]]]:
    """Yield what hangs together: a point that is missing breaks the line."""
    step = min((b[0] - a[0] for a, b in pairwise(points)), default=1)
    piece: list[tuple[float, float]] = []
    for point in points:
        if piece and point[0] - piece[-1][0] > 1.5 * step:
            yield piece
            piece = []
        piece.append(point)
    yield piece


def _area(
    points: Sequence[tuple[float, float]],
    floor: Sequence[tuple[float, float]],
    across: Scale,
    up: Scale,
    color: str,
    opacity: float,
) -> Markup:
    return Markup('<polygon fill="{}" fill-opacity="{}" points="{} {}"/>').format(
        color, opacity, _at(points, across, up), _at(floor[::-1], across, up)
    )


def _at(points: Sequence[tuple[float, float]], across: Scale, up: Scale) -> str:
    return " ".join(f"{across.at(x):.1f},{up.at(y):.1f}" for x, y in points)


def _legend_of(target: Json, labels: Mapping[str, str]) -> str:
    return re.sub(r"{{\s*(\w+)\s*}}", lambda name: labels.get(name[1], ""), target["legendFormat"])


def _legend(entries: Sequence[tuple[str, str]], box: Box) -> Markup:
    drawn, x = [], box.x + 14
    for name, color in entries:
        drawn.append(
            Markup('<rect x="{:.1f}" y="{:.1f}" width="14" height="4" rx="2" fill="{}"/>').format(
                x, box.y + box.height - 15, color
            )
        )
        drawn.append(_text(x + 19, box.y + box.height - 9, name, 11, INK))
        x += 36 + LETTER * len(name)
    return Markup().join(drawn)


def _hint(x: float, y: float, text: str) -> Markup:
    circle = Markup('<g><title>{}</title><circle cx="{}" cy="{}" r="6.5" fill="none" stroke="{}"/>{}</g>')
    return circle.format(text, x, y, DIM, _text(x, y + 4, "i", 10, DIM, anchor="middle", weight=600))


def _nothing(panel: Json, box: Box) -> Markup:
    said = panel["fieldConfig"]["defaults"].get("noValue", NO_DATA)
    return _text(box.x + box.width / 2, box.y + box.height / 2 + 8, said, 14, DIM, anchor="middle")


def _points(series: Json) -> list[tuple[float, float]]:
    return [(float(at), float(value)) for at, value in series["values"] if math.isfinite(float(value))]


def _box(panel: Json) -> Box:
    at = panel["gridPos"]
    return Box(GAP + at["x"] * COLUMN, HEAD + at["y"] * ROW, at["w"] * COLUMN - GAP, at["h"] * ROW - GAP)


def _text(x: float, y: float, text: str, size: int, color: str, *, anchor: str = "start", weight: int = 400) -> Markup:
    return Markup(
        '<text x="{:.1f}" y="{:.1f}" font-size="{}" fill="{}" text-anchor="{}" font-weight="{}">{}</text>'
    ).format(x, y, size, color, anchor, weight, text)


def _clock(at: float, *, seconds: bool = False) -> str:
    return time.strftime("%H:%M:%S" if seconds else "%H:%M", time.gmtime(at))


def main() -> None:
    """Draw a dashboard of the chart from a Prometheus."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("prometheus", help="its address, such as http://127.0.0.1:9090")
    parser.add_argument("board", type=Path, help="the dashboard's JSON")
    parser.add_argument("picture", type=Path, help="the SVG that is written")
    parser.add_argument("variables", nargs="*", metavar="NAME=VALUE", help="what the dashboard's variables stand for")
    parser.add_argument("--minutes", type=float, default=60, help="how much of the past is shown")
    asked = parser.parse_args()
    board, now = json.loads(asked.board.read_text("utf-8")), time.time()
    variables = dict(each.split("=", 1) for each in asked.variables)
    picture = draw(board, Prometheus(asked.prometheus).ask, variables, now - asked.minutes * 60, now)
    asked.picture.write_text(picture, "utf-8")


if __name__ == "__main__":
    main()
