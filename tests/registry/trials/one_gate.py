"""One action behind one gate, for any tool that takes a case and a number."""

from typing import Any, NotRequired

from langgraph.graph import END, START, StateGraph
from pydantic import JsonValue
from typing_extensions import TypedDict

from contracts.approval import Decision, Draft, Proposal
from contracts.context import Context
from contracts.tool import AnyTool
from nodes.effect import carries_out
from nodes.recovery import Problem, unless_stuck
from nodes.waiting import approval_gate, on_decision, proposes


class Case(TypedDict):
    case: str


class Gated(TypedDict):
    """What a gate leaves behind."""

    proposal: NotRequired[Proposal | None]
    decision: NotRequired[Decision | None]
    receipt: NotRequired[dict[str, JsonValue] | None]
    problem: NotRequired[Problem | None]
    outcome: NotRequired[str]
    summary: NotRequired[str]


class Asked(Case):
    number: int
    """Above 10 a person decides."""


class State(Asked, Gated):
    """What is known at the gate."""


def draft(state: State) -> Draft:
    return {
        "args": {"case": state["case"], "number": state["number"]},
        "facts": {},
        "summary": f"Count {state['number']} for {state['case']}"[:200],
        "reason": "It was asked for.",
        "evidence": [],
        "diff": [],
    }


async def close(state: State) -> dict[str, object]:
    decision, receipt = state.get("decision"), state.get("receipt")
    if receipt:
        return {"outcome": "completed", "summary": f"Counted {receipt['number']} for {receipt['case']}."}
    expired = decision is None or decision["type"] == "expired"
    return {"outcome": "expired" if expired else "rejected", "summary": "Nothing was counted."}


async def hand_off(state: State) -> dict[str, object]:
    problem = state.get("problem")
    return {"outcome": "handed_off", "summary": f"{problem['code']}: {problem['detail']}" if problem else ""}


def one_gate(tool: AnyTool, *, name: str) -> Any:
    """Propose, have a person decide, act once: the smallest workflow that can wait for an approval."""
    flow = StateGraph(State, context_schema=Context, input_schema=Asked)
    flow.add_node("freeze_count", **proposes(tool, draft))
    flow.add_node("approve_count", **approval_gate(tool))
    flow.add_node("count", **carries_out(tool, into="receipt"))
    flow.add_node("close", close)
    flow.add_node("hand_off", hand_off)
    flow.add_edge(START, "freeze_count")
    flow.add_edge("freeze_count", "approve_count")
    flow.add_conditional_edges(
        "approve_count", **on_decision(approve="count", respond="close", reject="close", expired="close")
    )
    flow.add_conditional_edges("count", unless_stuck("close"))
    flow.add_edge("close", END)
    flow.add_edge("hand_off", END)
    return flow.compile(name=name)
