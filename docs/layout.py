"""Places the stages of a chart like lines of text: from left to right, a few columns a band, band under band."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from langgraph.graph import END, START

from docs.chart import Chart, Edge

_COLUMNS = 5


@dataclass(frozen=True)
class Cell:
    """Where a stage stands: `lane` 0 is the middle of its band, negative ones are above it."""

    band: int
    column: int
    lane: float


def place(chart: Chart) -> dict[str, Cell]:
    """A cell for everything that is drawn; no two share one."""
    back = set(_back_edges(chart))
    layers = _layers(chart, back)
    onward = Counter(edge.source for edge in chart.edges if edge not in back)
    cells: dict[str, Cell] = {}
    for layer in range(max(layers.values()) + 1):
        here = [name for name in chart.names if layers[name] == layer]
        exits = [name for name in here if _targets(chart, name) == [END]]
        beside = {name for name in here if onward[name] == 0 and name != END} | set(exits[1:])
        lanes = _lanes([name for name in here if name not in beside], [name for name in here if name in beside])
        cells |= {name: Cell(layer // _COLUMNS, layer % _COLUMNS, lane) for name, lane in lanes.items()}
    return cells


def _back_edges(chart: Chart) -> Iterator[Edge]:
    """Edges to a stage that the walk from START is still within: they close loops."""
    done: set[str] = set()
    path: list[str] = []

    def walk(name: str) -> Iterator[Edge]:
        path.append(name)
        for edge in chart.edges:
            if edge.source == name and edge.target in path:
                yield edge
            elif edge.source == name and edge.target not in done:
                yield from walk(edge.target)
        done.add(path.pop())

    return walk(START)


def _layers(chart: Chart, back: set[Edge]) -> dict[str, int]:
    """The longest way from START to each stage; one from which every way leads back stands where it was left."""
    forward = [edge for edge in chart.edges if edge not in back]
    leads_on = {edge.source for edge in forward} | {END}
    layers = dict.fromkeys(chart.names, 0)
    for _ in chart.names:
        for edge in forward:
            step = 1 if edge.target in leads_on else 0
            layers[edge.target] = max(layers[edge.target], layers[edge.source] + step)
    return layers


def _targets(chart: Chart, name: str) -> list[str]:
    return [edge.target for edge in chart.edges if edge.source == name]


def _lanes(through: list[str], beside: list[str]) -> dict[str, float]:
    """Parallel stages lie evenly around the middle; detours and second exits lie below them."""
    spread = 2 if len(through) == 2 else 1
    lanes = {name: spread * (number - (len(through) - 1) / 2) for number, name in enumerate(through)}
    lowest = max(lanes.values(), default=-1)
    return lanes | {name: lowest + number for number, name in enumerate(beside, start=1)}
