"""An effect of each class in turn: 1 idempotent, 2 queryable, 3 transactional, 4 outbox, 5 at most once.

A case parks at an effect of which nobody knows the outcome.
"""

from langgraph.graph import END, START, StateGraph

from contracts.approval import Draft
from contracts.context import Context
from nodes.effect import carries_out
from nodes.recovery import unless_stuck
from nodes.waiting import approval_gate, on_decision, proposes
from trials.ledger.policy import TOOLS
from trials.ledger.state import Asked, State


def draft(state: State) -> Draft:
    return {
        "args": {"case": state["case"], "number": state.get("number", 1)},
        "facts": {},
        "summary": f"Count {state.get('number', 1)} for {state['case']}"[:200],
        "reason": "It is next.",
        "evidence": [],
        "diff": [],
    }


async def open_case(state: State) -> dict[str, object]:
    """Forget what an earlier case on the same thread left behind."""
    return {"number": 1, "proposal": None, "decision": None, "receipt": None, "problem": None}


async def count_on(state: State) -> dict[str, object]:
    return {"number": state.get("number", 1) + 1}


async def close(state: State) -> dict[str, object]:
    return {"outcome": "completed", "summary": f"Counted to {state.get('number', 1) - 1}."}


async def hand_off(state: State) -> dict[str, object]:
    problem = state.get("problem")
    return {"outcome": "handed_off", "summary": f"{problem['code']}: {problem['detail']}" if problem else ""}


flow = StateGraph(State, context_schema=Context, input_schema=Asked)

flow.add_node("open_case", open_case)
flow.add_node("close", close)
flow.add_node("hand_off", hand_off)
names = [tool.run.__name__ for tool in TOOLS]
for name, tool, following in zip(names, TOOLS, [*(f"freeze_{n}" for n in names[1:]), "close"], strict=True):
    flow.add_node(f"freeze_{name}", **proposes(tool, draft))
    flow.add_node(f"approve_{name}", **approval_gate(tool))
    flow.add_node(name, **carries_out(tool, into="receipt", unknown="park"))
    flow.add_node(f"after_{name}", count_on)
    flow.add_edge(f"freeze_{name}", f"approve_{name}")
    flow.add_conditional_edges(
        f"approve_{name}", **on_decision(approve=name, respond="hand_off", reject="hand_off", expired="hand_off")
    )
    flow.add_conditional_edges(name, unless_stuck(f"after_{name}"))
    flow.add_edge(f"after_{name}", following)

flow.add_edge(START, "open_case")
flow.add_edge("open_case", "freeze_add")
flow.add_edge("close", END)
flow.add_edge("hand_off", END)

graph = flow.compile(name="ledger")
