"""The lines of a drawing: how an edge runs between two boxes on the grid, or that it is only named."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace

from docs.chart import Edge
from docs.layout import Cell

CORNER_PX = 9
_CLEAR_PX = 20
Point = tuple[float, float]


@dataclass(frozen=True)
class Box:
    """A drawn stage: the middle of its shape and the shape's size."""

    cell: Cell
    x: float
    y: float
    width: float
    height: float

    @property
    def left(self) -> Point:
        return self.x - self.width / 2, self.y

    @property
    def right(self) -> Point:
        return self.x + self.width / 2, self.y

    @property
    def top(self) -> Point:
        return self.x, self.y - self.height / 2

    @property
    def bottom(self) -> Point:
        return self.x, self.y + self.height / 2

    def facing(self, y: float) -> Point:
        """The upper or lower end of the shape, whichever lies towards `y`."""
        return self.bottom if y > self.y else self.top


@dataclass(frozen=True)
class Route:
    """Corners of a line with right angles, and where its label stands."""

    points: tuple[Point, ...]
    label_at: Point
    anchor: str = "middle"
    joins: bool = False
    """Ends on another line that goes on to the same stage."""


def routes(
    edges: Collection[Edge], boxes: Mapping[str, Box], band_ends: Mapping[int, float]
) -> dict[Edge, Route | None]:
    """The way of each edge, without the parts in which it would cover another line; None where `route` is."""
    ways = {edge: route(edge, boxes, band_ends) for edge in edges}
    return {edge: way and _shared(edge, way, ways) for edge, way in ways.items()}


def route(edge: Edge, boxes: Mapping[str, Box], band_ends: Mapping[int, float]) -> Route | None:
    """The way of an edge; None for one to another band, or past other stages, which the drawing names instead.

    `band_ends` are the heights between the bands, where a line that goes on in the next band runs back to the left.
    """
    start, end = boxes[edge.source], boxes[edge.target]
    if start.cell.band != end.cell.band:
        return _wrap(start, end, boxes.values(), band_ends[start.cell.band])
    step = end.cell.column - start.cell.column
    if step == 0:
        return _straight(start.facing(end.y), end.facing(start.y))
    clear = _is_clear(start, end, boxes.values())
    if step < 0:
        return _back(start, end, clear=clear)
    if not clear:
        return None
    if start.y == end.y:
        return _straight(start.right, end.left)
    return _bend(start, end) if step == 1 else _drop(start, end)


def _shared(edge: Edge, way: Route, ways: Mapping[Edge, Route | None]) -> Route:
    """Leave out what a longer line from the same point, or to the same point, draws already."""
    points, joins = way.points, False
    others = [other for at, other in ways.items() if other and other is not way and at.conditional == edge.conditional]
    if any(_covers(other.points[:2], points[:2]) for other in others):
        points = (towards(points[1], points[0], CORNER_PX), *points[1:])
    if any(_covers(other.points[:-3:-1], points[:-3:-1]) for other in others):
        points, joins = (*points[:-1], towards(points[-2], points[-1], CORNER_PX)), True
    return replace(way, points=points, joins=joins)


def _covers(longer: tuple[Point, ...], shorter: tuple[Point, ...]) -> bool:
    """Whether two lines leave one point in one direction and the first goes further."""
    (x, y), (far_x, far_y), (near_x, near_y) = longer[0], longer[1], shorter[1]
    if shorter[0] != (x, y):
        return False
    if y == far_y == near_y:
        return abs(far_x - x) > abs(near_x - x) and (far_x > x) == (near_x > x)
    return x == far_x == near_x and abs(far_y - y) > abs(near_y - y) and (far_y > y) == (near_y > y)


def towards(corner: Point, other: Point, distance: float) -> Point:
    """The point `distance` from `corner` on the (level or upright) way to `other`; at most half the way."""
    length = abs(other[0] - corner[0]) + abs(other[1] - corner[1])
    share = min(distance, length / 2) / length
    return corner[0] + (other[0] - corner[0]) * share, corner[1] + (other[1] - corner[1]) * share


def _is_clear(start: Box, end: Box, boxes: Collection[Box]) -> bool:
    """Whether no stage stands between the columns of the two, in the lane in which the line runs."""
    first, last = sorted((start.cell.column, end.cell.column))
    lane = end.y if last == end.cell.column else start.y
    return not any(
        box.cell.band == start.cell.band and first < box.cell.column < last and box.y == lane for box in boxes
    )


def _straight(start: Point, end: Point) -> Route:
    return Route((start, end), ((start[0] + end[0]) / 2, (start[1] + end[1]) / 2))


def _bend(start: Box, end: Box) -> Route:
    middle = (start.right[0] + end.left[0]) / 2
    points = (start.right, (middle, start.y), (middle, end.y), end.left)
    return Route(points, ((middle + end.left[0]) / 2, end.y))


def _drop(start: Box, end: Box) -> Route:
    """Out of the side of the shape that faces the other lane, then along that lane."""
    leave = start.facing(end.y)
    return Route((leave, (start.x, end.y), end.left), (start.x + 7, (leave[1] + end.y) / 2 + 4), "start")


def _back(start: Box, end: Box, *, clear: bool) -> Route:
    if clear and start.y != end.y:
        return Route((start.left, (end.x, start.y), end.facing(start.y)), ((start.left[0] + end.x) / 2, start.y))
    outside = start.bottom if start.cell.lane > 0 else start.top
    y = outside[1] + (_CLEAR_PX if start.cell.lane > 0 else -_CLEAR_PX)
    points = (outside, (start.x, y), (end.x, y), end.facing(y))
    return Route(points, ((start.x + end.x) / 2, y))


def _wrap(start: Box, end: Box, boxes: Collection[Box], gap_y: float) -> Route | None:
    """As text goes on in the next line: from the last column down, back to the left and into the first column."""
    last = max(box.cell.column for box in boxes)
    if (start.cell.column, end.cell.column) != (last, 0) or end.cell.band != start.cell.band + 1:
        return None
    right, left = start.right[0] + _CLEAR_PX, end.left[0] - _CLEAR_PX
    points = (start.right, (right, start.y), (right, gap_y), (left, gap_y), (left, end.y), end.left)
    return Route(points, ((right + left) / 2, gap_y))
