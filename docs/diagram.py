"""Writes a graph as a Mermaid flowchart in which the shape of a stage tells its kind."""

from typing import Any

from langgraph.graph import END, START
from langgraph.graph.state import CompiledStateGraph

from docs.chart import COLOURS, INK, Chart, Edge, read_chart

_SHAPES = {
    "code": '["{}"]',
    "read": '[/"{}"/]',
    "model": '(["{}"])',
    "proposal": '>"{}"]',
    "gate": '{{"{}"}}',
    "effect": '[["{}"]]',
    "clarification": '{{{{"{}"}}}}',
}
_ENDS = {START: "start_((start))", END: "end_(((end)))"}
_IDS = {START: "start_", END: "end_"}


def mermaid(graph: CompiledStateGraph[Any, Any, Any, Any]) -> str:
    """The flowchart, legend included; the same graph gives the same text."""
    chart = read_chart(graph)
    lines = ["flowchart TD", *(f"    {_node(chart, name)}" for name in chart.names)]
    lines += [f"    {_edge(edge)}" for edge in chart.edges]
    lines += ['    subgraph legend ["kinds of stage"]', "        direction LR"]
    lines += [f"        kind_{kind}{_SHAPES[kind].format(kind)}:::{kind}" for kind in chart.kinds]
    lines += [f"        {' ~~~ '.join(f'kind_{kind}' for kind in chart.kinds)}", "    end"]
    lines += [f"    classDef {kind} {_style(kind)}" for kind in chart.kinds]
    return "\n".join(lines)


def _node(chart: Chart, name: str) -> str:
    if name in _ENDS:
        return _ENDS[name]
    kind = chart.stages[name].kind
    return f"{_id(name)}{_SHAPES[kind].format(name)}:::{kind}"


def _edge(edge: Edge) -> str:
    arrow = "-.->" if edge.conditional else "-->"
    label = f"|{', '.join(edge.labels)}|" if edge.labels else ""
    return f"{_id(edge.source)} {arrow}{label} {_id(edge.target)}"


def _style(kind: str) -> str:
    fill, stroke = COLOURS[kind]
    return f"fill:{fill},stroke:{stroke},color:{INK}"


def _id(name: str) -> str:
    # Prefixed, because Mermaid takes some words (`end`, `default`, `graph`) for its own.
    return _IDS.get(name, f"s_{name}")
