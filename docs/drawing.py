"""Draws a chart as a picture (SVG) in which the shape of a stage tells its kind. Fits light and dark pages."""

from collections.abc import Mapping
from html import escape

from langgraph.graph import END, START

from docs.chart import COLOURS, INK, Chart, Edge
from docs.layout import Cell, place
from docs.routes import CORNER_PX, Box, Point, Route, routes, towards

_COLUMN_PX, _LANE_PX, _MARGIN_PX = 190, 82, 24
_BETWEEN_PX = 34  # at least, from one stage to the next in its band
_GAP_PX, _LOOP_PX = 26, 26  # around a band; and above or below a gate, for the line that leads back from it
_LINE = "#7d8590"  # contrast of at least 3.7 on white and on GitHub's dark page
_FONT = "ui-sans-serif, system-ui, -apple-system, 'Segoe UI', Helvetica, Arial, sans-serif"
_SIZES = {"gate": (156, 84), "clarification": (142, 46)}
_STYLE = f"""
    text {{ font-family: {_FONT}; font-size: 12.5px; text-anchor: middle }}
    .name {{ font-weight: 600; fill: {INK} }}
    .note {{ font-size: 10px; fill: {INK}; fill-opacity: .72 }}
    .label, .key {{ font-size: 10.5px; fill: {_LINE} }}
    .label {{ font-style: italic }}
    .line {{ fill: none; stroke: {_LINE}; stroke-width: 1.4 }}
    .if {{ stroke-dasharray: 5 3.5 }}
    .end {{ fill: none; stroke: {_LINE}; stroke-width: 1.6 }}
"""


def draw(chart: Chart, *, title: str, notes: Mapping[str, str]) -> str:
    """The picture. `notes` are second lines of stages: what they use, or who decides at them."""
    cells = place(chart)
    boxes, band_ends = _boxes(chart, cells, notes)
    width = round(max(box.right[0] for box in boxes.values()) + 2 * _MARGIN_PX)
    height = round(max(band_ends.values()) + 34)
    lines: list[str] = []
    named: dict[str, list[Edge]] = {}
    for edge, way in routes(chart.edges, boxes, band_ends).items():
        if way:
            lines += _line(edge, way)
        else:
            named.setdefault(edge.source, []).append(edge)
    stages = [part for name in chart.names for part in _stage(chart, name, boxes[name], notes.get(name, ""))]
    chips = [part for name in named for part in _chips(chart, boxes, name, named[name])]
    parts = [*lines, *chips, *stages, *_legend(chart, width, height - 20)]
    return "\n".join((*_head(width, height, title), *(f"  {part}" for part in parts), "</svg>\n"))


def _head(width: int, height: int, title: str) -> list[str]:
    return [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
        'role="img">',
        f"  <title>{escape(title)}</title>",
        f"  <style>{_STYLE}  </style>",
        '  <defs><marker id="tip" viewBox="0 0 8 8" refX="7.4" refY="4" markerWidth="7" markerHeight="7" '
        f'orient="auto"><path d="M0 .6 7.6 4 0 7.4z" fill="{_LINE}"/></marker></defs>',
    ]


def _boxes(
    chart: Chart, cells: Mapping[str, Cell], notes: Mapping[str, str]
) -> tuple[dict[str, Box], dict[int, float]]:
    """Every stage at its place, and the height at which each band ends."""
    boxes, band_ends, top = {}, {}, 0.0
    sizes = {name: _size(chart, name, notes.get(name, "")) for name in cells}
    column_px = max(_COLUMN_PX, *(width + _BETWEEN_PX for width, _ in sizes.values()))
    for band in range(max(cell.band for cell in cells.values()) + 1):
        here = {name: cell for name, cell in cells.items() if cell.band == band}
        room = {name: sizes[name][1] / 2 + (_LOOP_PX if _is_gate(chart, name) else 0) for name in here}
        middle = top + _GAP_PX + max(room[name] - cell.lane * _LANE_PX for name, cell in here.items())
        for name, cell in here.items():
            x = _MARGIN_PX + column_px / 2 - 15 + cell.column * column_px
            boxes[name] = Box(cell, x, middle + cell.lane * _LANE_PX, *sizes[name])
        top = band_ends[band] = middle + _GAP_PX + max(room[name] + cell.lane * _LANE_PX for name, cell in here.items())
    return boxes, band_ends


def _size(chart: Chart, name: str, note: str) -> tuple[float, float]:
    """As large as its kind is drawn, or wider where its words are."""
    if name in (START, END):
        return 64, 32
    kind = chart.stages[name].kind
    width, height = _SIZES.get(kind, (126, 46))
    # A gate is narrower where its second line stands.
    words = max(7.4 * len(name) + 18, (5.4 * len(note) + 14) / (0.69 if kind == "gate" else 1))
    return max(width, round(words)), height


def _is_gate(chart: Chart, name: str) -> bool:
    return name in chart.stages and chart.stages[name].kind == "gate"


def _line(edge: Edge, way: Route) -> list[str]:
    dashed = " if" if edge.conditional else ""
    tip = "" if way.joins else ' marker-end="url(#tip)"'
    parts = [f'<path class="line{dashed}" d="{_path(way.points)}"{tip}/>']
    (x, y), beside = way.label_at, way.anchor == "start"
    texts = [", ".join(edge.labels)] if beside or len(way.points) > 2 else [*edge.labels]
    for number, text in enumerate(filter(None, texts)):
        down = 0 if beside else -6 + 19 * number
        parts.append(
            f'<text class="label" x="{x:g}" y="{y + down:g}" style="text-anchor:{way.anchor}">{escape(text)}</text>'
        )
    return parts


def _path(points: tuple[Point, ...]) -> str:
    """A line through the corners, each of them rounded."""
    text = f"M{points[0][0]:g} {points[0][1]:g}"
    for before, corner, after in zip(points, points[1:], points[2:], strict=False):
        inner, outer = towards(corner, before, CORNER_PX), towards(corner, after, CORNER_PX)
        text += f"L{inner[0]:g} {inner[1]:g}Q{corner[0]:g} {corner[1]:g} {outer[0]:g} {outer[1]:g}"
    return f"{text}L{points[-1][0]:g} {points[-1][1]:g}"


def _chips(chart: Chart, boxes: Mapping[str, Box], name: str, edges: list[Edge]) -> list[str]:
    """Ways that are named and not drawn: below a box, or above a lower one if there is room; beside a gate's corner."""
    parts, box = [], boxes[name]
    under_another = (box.cell.band, box.cell.column, box.cell.lane - 1) in {
        (other.cell.band, other.cell.column, other.cell.lane) for other in boxes.values()
    }
    for number, edge in enumerate(edges):
        text = f"{', '.join(edge.labels)} → {edge.target}".strip()
        width = 5.6 * len(text) + 12
        if _is_gate(chart, name):
            side = 1 if box.cell.lane > 0 else -1
            x, y = box.x + 32, box.y + side * (45 + 19 * number)
            stub = f"M{box.x + 25:g} {box.y + side * 29:g}L{x + 8:g} {y - side * 8:g}"
        else:
            side = -1 if box.cell.lane > 0 and not under_another else 1
            x, y = box.left[0] - 10, box.y + side * (box.height / 2 + 18 + 19 * number)
            stub = f"M{x + 22:g} {box.y + side * box.height / 2:g}v{side * (10 + 19 * number):g}"
        parts += [
            f'<path class="line if" d="{stub}"/>',
            f'<rect x="{x:g}" y="{y - 8.5:g}" width="{width:g}" height="17" rx="8.5" fill="{_LINE}" '
            'fill-opacity=".16"/>',
            f'<text class="label" x="{x + width / 2:g}" y="{y + 3.5:g}">{escape(text)}</text>',
        ]
    return parts


def _stage(chart: Chart, name: str, box: Box, note: str) -> list[str]:
    if name in (START, END):
        inner = f'<rect {_rect(box, 4, 12)} class="end"/>' if name == END else ""
        word = {START: "start", END: "end"}[name]
        return [
            f'<g><rect {_rect(box, 0, 16)} class="end"/>{inner}'
            f'<text class="key" x="{box.x:g}" y="{box.y + 3.8:g}">{word}</text></g>'
        ]
    down = -1.5 if note else 4.3
    second = f'<text class="note" x="{box.x:g}" y="{box.y + 13:g}">{escape(note)}</text>' if note else ""
    return [
        f"<g>{shape(chart.stages[name].kind, box)}"
        f'<text class="name" x="{box.x:g}" y="{box.y + down:g}">{escape(name)}</text>{second}</g>'
    ]


def shape(kind: str, box: Box) -> str:
    """The outline of a kind of stage."""
    fill, stroke = COLOURS[kind]
    paint = f'fill="{fill}" stroke="{stroke}" stroke-width="1.5"'
    left, right, top, bottom = box.left[0], box.right[0], box.top[1], box.bottom[1]
    slant = box.height / 5
    match kind:
        case "model":
            return f"<rect {_rect(box, 0, box.height / 2)} {paint}/>"
        case "effect":
            return f"<rect {_rect(box, 0, 4)} {paint}/><rect {_rect(box, 3.5, 2)} {paint}/>"
        case "read":
            outline = f"M{left + slant:g} {top:g}H{right:g}L{right - slant:g} {bottom:g}H{left:g}Z"
        case "gate":
            outline = f"M{box.x:g} {top:g}L{right:g} {box.y:g}L{box.x:g} {bottom:g}L{left:g} {box.y:g}Z"
        case "clarification":
            ends = f"L{right:g} {box.y:g}L{right - slant:g} {bottom:g}H{left + slant:g}L{left:g} {box.y:g}"
            outline = f"M{left + slant:g} {top:g}H{right - slant:g}{ends}Z"
        case "proposal":
            fold = f"M{right - slant:g} {top:g}v{slant:g}h{slant:g}"
            outline = f"M{left:g} {top:g}H{right - slant:g}l{slant:g} {slant:g}V{bottom:g}H{left:g}Z{fold}"
        case _:
            return f"<rect {_rect(box, 0, 5)} {paint}/>"
    return f'<path d="{outline}" {paint} stroke-linejoin="round"/>'


def _rect(box: Box, inset: float, radius: float) -> str:
    width, height = box.width - 2 * inset, box.height - 2 * inset
    return (
        f'x="{box.left[0] + inset:g}" y="{box.top[1] + inset:g}" width="{width:g}" height="{height:g}" rx="{radius:g}"'
    )


def _legend(chart: Chart, width: float, y: float) -> list[str]:
    """One small shape for each kind that occurs, and what a dashed line means."""
    parts, x = [], float(_MARGIN_PX + 10)
    for kind in chart.kinds:
        box = Box(Cell(0, 0, 0), x + 14, y, 28, 20 if kind == "gate" else 15)
        parts.append(shape(kind, box))
        parts.append(f'<text class="key" x="{x + 34:g}" y="{y + 3.8:g}" style="text-anchor:start">{kind}</text>')
        x += 54 + 6.2 * len(kind)
    parts.append(f'<path class="line if" d="M{x:g} {y:g}h28"/>')
    parts.append(f'<text class="key" x="{x + 34:g}" y="{y + 3.8:g}" style="text-anchor:start">a router decides</text>')
    return parts
