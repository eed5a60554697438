"""Propose, have a person decide, act once, in a way that can be taken back."""

from langgraph.graph import END, START, StateGraph

from contracts.approval import Draft
from contracts.context import Context
from nodes.effect import carries_out
from nodes.recovery import unless_stuck
from nodes.waiting import approval_gate, on_decision, proposes
from trials.counter import lend
from trials.lent.state import Asked, State


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

flow.add_node("freeze_loan", **proposes(lend, draft))
flow.add_node("approve_loan", **approval_gate(lend))
flow.add_node("lend", **carries_out(lend, into="receipt"))
flow.add_node("close", close)
flow.add_node("hand_off", hand_off)

flow.add_edge(START, "freeze_loan")
flow.add_edge("freeze_loan", "approve_loan")
flow.add_conditional_edges(
    "approve_loan", **on_decision(approve="lend", respond="close", reject="close", expired="close")
)
flow.add_conditional_edges("lend", unless_stuck("close"))
flow.add_edge("close", END)
flow.add_edge("hand_off", END)

graph = flow.compile(name="lent")
