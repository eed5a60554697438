"""Diagrams show every stage by its kind and every edge with its condition."""

from typing import Any, Literal

import pytest
from langgraph.graph import END, START, StateGraph
from langgraph.graph.state import CompiledStateGraph
from typing_extensions import TypedDict

from docs.chart import COLOURS, read_chart
from docs.diagram import mermaid
from docs.layout import place
from docs.workflows import picture
from engine.catalog.catalog import load_catalog
from engine.catalog.workflow import Workflow
from tests.house.tree import ROOT

WORKFLOWS = list(load_catalog(ROOT / "langgraph.json", routes={}).values())
SHAPES = {
    "code": '["first"]',
    "read": '[/"first"/]',
    "model": '(["first"])',
    "proposal": '>"first"]',
    "gate": '{"first"}',
    "effect": '[["first"]]',
    "clarification": '{{"first"}}',
}


class _State(TypedDict):
    said: str


async def _stage(state: _State) -> _State:
    return state


def _answer(state: _State) -> str:
    return state["said"]


def _next(state: _State) -> Literal["second", "__end__"]:
    return "second"


def _graph(kind: str) -> CompiledStateGraph[Any, Any, Any, Any]:
    flow = StateGraph(_State)
    flow.add_node("first", _stage, metadata={"kind": kind})
    flow.add_node("second", _stage)
    flow.add_edge(START, "first")
    flow.add_conditional_edges("first", _answer, {"approve": "second", "edit": "second", "reject": END})
    flow.add_conditional_edges("second", _next)
    return flow.compile()


@pytest.mark.parametrize("kind", COLOURS)
def test_the_shape_of_a_stage_tells_its_kind(kind: str) -> None:
    assert f"    s_first{SHAPES[kind]}:::{kind}\n" in mermaid(_graph(kind))


def test_conditional_edges_are_dashed_and_carry_the_routers_answers() -> None:
    lines = {line.strip() for line in mermaid(_graph("gate")).splitlines()}

    edges = {line for line in lines if ">" in line and "-" in line and line.startswith(("start_", "s_"))}

    assert edges == {
        "start_ --> s_first",
        "s_first -.->|approve, edit| s_second",
        "s_first -.->|reject| end_",
        "s_second -.-> s_second",
        "s_second -.-> end_",
    }


def test_the_legend_names_the_kinds_that_occur_and_no_others() -> None:
    text = mermaid(_graph("gate"))

    assert [kind for kind in COLOURS if f"kind_{kind}" in text] == ["code", "gate"]


def test_a_stage_of_an_unknown_kind_is_not_drawn_as_something_else() -> None:
    with pytest.raises(ValueError, match="oracle"):
        mermaid(_graph("oracle"))


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda workflow: workflow.name)
def test_a_picture_names_every_stage_and_draws_every_edge_once(workflow: Workflow) -> None:
    chart = read_chart(workflow.graph)

    drawn = picture(workflow)

    assert [name for name in chart.stages if f">{name}</text>" not in drawn] == []
    assert drawn.count('<path class="line') == len(chart.edges) + 1, "the one more is the legend's"


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda workflow: workflow.name)
def test_no_two_stages_stand_in_one_place(workflow: Workflow) -> None:
    cells = place(read_chart(workflow.graph))

    assert len(set(cells.values())) == len(cells)
