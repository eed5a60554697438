"""Two numbers wait for finance at the same time, and each is counted when it is allowed."""

from collections.abc import Callable

from langgraph.graph import END, START, StateGraph

from contracts.approval import Draft
from contracts.context import Context
from nodes.effect import carries_out
from nodes.waiting import approval_gate, on_decision, proposes
from trials.counter import add
from trials.pair.state import Asked, State

NUMBERS = {"first": 1, "second": 2}


def draft(number: int) -> Callable[[State], Draft]:
    def drafted(state: State) -> Draft:
        return {
            "args": {"case": state["case"], "number": number},
            "facts": {"panel": state["case"].startswith("panel ")},
            "summary": f"Count {number} for {state['case']}"[:200],
            "reason": "It was asked for.",
            "evidence": [],
            "diff": [],
        }

    return drafted


async def close(state: State) -> dict[str, object]:
    done = [name for name in NUMBERS if state.get(f"{name}_receipt")]
    return {"outcome": "completed" if done else "rejected"}


flow = StateGraph(State, context_schema=Context, input_schema=Asked)

flow.add_node("close", close, defer=True)
for name, number in NUMBERS.items():
    flow.add_node(f"freeze_{name}", **proposes(add, draft(number), into=name))
    flow.add_node(f"approve_{name}", **approval_gate(add, proposal=name, decision=f"{name}_decision"))
    flow.add_node(f"count_{name}", **carries_out(add, into=f"{name}_receipt", proposal=name))
    flow.add_edge(START, f"freeze_{name}")
    flow.add_edge(f"freeze_{name}", f"approve_{name}")
    routes = on_decision(
        of=f"{name}_decision", approve=f"count_{name}", respond="close", reject="close", expired="close"
    )
    flow.add_conditional_edges(f"approve_{name}", **routes)
    flow.add_edge(f"count_{name}", "close")
flow.add_edge("close", END)

graph = flow.compile(name="pair")
