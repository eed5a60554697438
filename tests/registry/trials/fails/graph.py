"""A stage that raises what it is told, after one that does not: what callers, logs and streams say of a failure."""

from langgraph.graph import END, START, StateGraph

from contracts.context import Context
from trials.fails.state import Asked, State


async def begin(state: State) -> dict[str, object]:
    return {"begun": True}


async def fail(state: State) -> dict[str, object]:
    raise ValueError(state["message"])


flow = StateGraph(State, context_schema=Context, input_schema=Asked)

flow.add_node("begin", begin)
flow.add_node("fail", fail)

flow.add_edge(START, "begin")
flow.add_edge("begin", "fail")
flow.add_edge("fail", END)

graph = flow.compile(name="fails")
