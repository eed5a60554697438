"""Propose a refund, have a person decide, act once: the graph whose gate `gatehouse conform` attacks."""

from langgraph.graph import END, START, StateGraph

from contracts.approval import Draft
from contracts.context import Context
from nodes.effect import carries_out
from nodes.recovery import unless_stuck
from nodes.waiting import approval_gate, on_decision, proposes

from .payments import refund
from .state import Asked, State


def draft(state: State) -> Draft:
    return {
        "args": {"case": state["case"], "amount": state["amount"]},
        "facts": {},
        "summary": f"Refund {state['amount']} for {state['case']}"[:200],
        "reason": "It was asked for.",
        "evidence": [],
        "diff": [],
    }


async def close(state: State) -> dict[str, object]:
    return {"outcome": "completed" if state.get("receipt") else "rejected"}


async def hand_off(state: State) -> dict[str, object]:
    return {"outcome": "handed_off"}


flow = StateGraph(State, context_schema=Context, input_schema=Asked)

flow.add_node("propose", **proposes(refund, draft))
flow.add_node("gate", **approval_gate(refund))
flow.add_node("act", **carries_out(refund, into="receipt"))
flow.add_node("close", close)
flow.add_node("hand_off", hand_off)

flow.add_edge(START, "propose")
flow.add_edge("propose", "gate")
flow.add_conditional_edges("gate", **on_decision(approve="act", respond="close", reject="close", expired="close"))
flow.add_conditional_edges("act", unless_stuck("close"))
flow.add_edge("close", END)
flow.add_edge("hand_off", END)

graph = flow.compile(name="conformance")
