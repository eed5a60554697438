"""Effects one after another, by turns one that may be repeated under its key and one that may not.

A case parks at an effect of which nobody knows the outcome, and goes on with what a person found out.
"""

from typing import Literal

from langgraph.graph import END, START, StateGraph

from contracts.approval import Draft
from contracts.context import Context
from nodes.effect import carries_out
from nodes.recovery import unless_stuck
from nodes.waiting import approval_gate, on_decision, proposes
from trials.counter import add, press
from trials.counting.state import Asked, State


def next_number(state: State) -> int:
    receipt = state.get("receipt")
    return int(str(receipt["number"])) + 1 if receipt else 1


def draft(state: State) -> Draft:
    number = next_number(state)
    return {
        "args": {"case": state["case"], "number": number},
        "facts": {},
        "summary": f"Count {number} for {state['case']}"[:200],
        "reason": "It is next.",
        "evidence": [],
        "diff": [],
    }


def after_effect(state: State) -> Literal["freeze_add", "freeze_press", "close"]:
    number = next_number(state)
    if number > state["effects"]:
        return "close"
    return "freeze_add" if number % 2 else "freeze_press"


async def open_case(state: State) -> dict[str, object]:
    """Forget what an earlier case on the same thread left behind."""
    return {"proposal": None, "decision": None, "receipt": None, "problem": None}


async def close(state: State) -> dict[str, object]:
    return {"outcome": "completed", "summary": f"Counted to {next_number(state) - 1}."}


async def hand_off(state: State) -> dict[str, object]:
    problem = state.get("problem")
    return {"outcome": "handed_off", "summary": f"{problem['code']}: {problem['detail']}" if problem else ""}


flow = StateGraph(State, context_schema=Context, input_schema=Asked)

flow.add_node("open_case", open_case)
flow.add_node("freeze_add", **proposes(add, draft))
flow.add_node("approve_add", **approval_gate(add))
flow.add_node("add", **carries_out(add, into="receipt", unknown="park"))
flow.add_node("freeze_press", **proposes(press, draft))
flow.add_node("approve_press", **approval_gate(press))
flow.add_node("press", **carries_out(press, into="receipt", unknown="park"))
flow.add_node("close", close)
flow.add_node("hand_off", hand_off)

flow.add_edge(START, "open_case")
flow.add_conditional_edges("open_case", after_effect)
flow.add_edge("freeze_add", "approve_add")
flow.add_conditional_edges(
    "approve_add", **on_decision(approve="add", respond="hand_off", reject="hand_off", expired="hand_off")
)
flow.add_conditional_edges("add", unless_stuck(after_effect))
flow.add_edge("freeze_press", "approve_press")
flow.add_conditional_edges(
    "approve_press", **on_decision(approve="press", respond="hand_off", reject="hand_off", expired="hand_off")
)
flow.add_conditional_edges("press", unless_stuck(after_effect))
flow.add_edge("close", END)
flow.add_edge("hand_off", END)

graph = flow.compile(name="counting")
