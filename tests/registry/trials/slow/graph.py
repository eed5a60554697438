"""A stage that waits as long as it is told, in small awaits: time to cancel, interrupt, drain or kill."""

import asyncio

from langgraph.graph import END, START, StateGraph

from contracts.context import Context
from trials.slow.state import Asked, State

TICK_S = 0.02


async def begin(state: State) -> dict[str, object]:
    return {"waited": 0.0}


async def wait(state: State) -> dict[str, object]:
    for _ in range(round(state["seconds"] / TICK_S)):
        await asyncio.sleep(TICK_S)
    return {"waited": state["seconds"]}


async def sum_up(state: State) -> dict[str, object]:
    return {"summary": f"waited {state['waited']} s"}


flow = StateGraph(State, context_schema=Context, input_schema=Asked)

flow.add_node("begin", begin)
flow.add_node("wait", wait)
flow.add_node("sum_up", sum_up)

flow.add_edge(START, "begin")
flow.add_edge("begin", "wait")
flow.add_edge("wait", "sum_up")
flow.add_edge("sum_up", END)

graph = flow.compile(name="slow")
