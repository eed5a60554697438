"""Propose, have a person decide, act once: the smallest workflow that can wait for an approval."""

from langgraph.graph import END, START, StateGraph

from contracts.approval import Draft
from contracts.context import Context
from nodes.effect import carries_out
from nodes.recovery import unless_stuck
from nodes.waiting import approval_gate, on_decision, proposes
from trials.counter import add
from trials.gate.state import Asked, State


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


flow = StateGraph(State, context_schema=Context, input_schema=Asked)

flow.add_node("freeze_count", **proposes(add, draft))
flow.add_node("approve_count", **approval_gate(add))
flow.add_node("count", **carries_out(add, into="receipt"))
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

graph = flow.compile(name="gate")
