"""What a diagram shows of a compiled graph: its stages with their kinds, and its edges with their conditions."""

from collections import defaultdict
from dataclasses import dataclass
from typing import Any

from langgraph.graph import END, START
from langgraph.graph.state import CompiledStateGraph

from engine.catalog.workflow import Stage, stages_of

INK = "#0f172a"
COLOURS = {
    "code": ("#e2e8f0", "#64748b"),
    "read": ("#dbeafe", "#2563eb"),
    "model": ("#ede9fe", "#7c3aed"),
    "proposal": ("#ccfbf1", "#0d9488"),
    "gate": ("#fef3c7", "#d97706"),
    "effect": ("#fee2e2", "#dc2626"),
    "clarification": ("#fce7f3", "#db2777"),
}
"""Fill and stroke of every kind that `nodes/` gives a stage, in the order of a legend; INK is legible on each fill."""


@dataclass(frozen=True)
class Edge:
    """One way from a stage to another; `labels` are the router's answers that take it, where these have own names."""

    source: str
    target: str
    conditional: bool
    labels: tuple[str, ...] = ()


@dataclass(frozen=True)
class Chart:
    """A graph to be drawn. Edges stand in the order of their sources, then of their targets."""

    stages: dict[str, Stage]
    edges: tuple[Edge, ...]

    @property
    def names(self) -> list[str]:
        """Everything that is drawn, from START over the stages in the order of their definition to END."""
        return [START, *self.stages, END]

    @property
    def kinds(self) -> list[str]:
        """The kinds that occur, in the order of a legend."""
        return [kind for kind in COLOURS if any(stage.kind == kind for stage in self.stages.values())]


def read_chart(graph: CompiledStateGraph[Any, Any, Any, Any]) -> Chart:
    """Read a compiled graph. Raises ValueError for a stage of a kind that no diagram knows."""
    stages = stages_of(graph)
    for stage in stages.values():
        if stage.kind not in COLOURS:
            raise ValueError(f"stage {stage.name!r} is of the kind {stage.kind!r}, which has no shape")
    edges = [Edge(source, target, conditional=False) for source, target in graph.builder.edges]
    for source, routers in graph.builder.branches.items():
        for router in routers.values():
            if router.ends is None:
                raise ValueError(f"the router after {source!r} does not say where it leads")
            labels: dict[str, list[str]] = defaultdict(list)
            for answer, target in router.ends.items():
                labels[target] += [str(answer)] if str(answer) != target else []
            edges += [Edge(source, target, True, tuple(named)) for target, named in labels.items()]
    place = {name: number for number, name in enumerate([START, *stages, END])}
    return Chart(stages, tuple(sorted(edges, key=lambda edge: (place[edge.source], place[edge.target]))))
