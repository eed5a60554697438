"""Three stages that tell ticks at a given pace, numbered over all of them: streams that take their time."""

import asyncio

from langgraph.graph import END, START, StateGraph
from langgraph.runtime import Runtime

from contracts.context import Context
from trials.ticker.state import Asked, State


async def tick(state: State, runtime: Runtime[Context]) -> dict[str, object]:
    last = state.get("last", 0)
    for number in range(last + 1, last + state["ticks"] + 1):
        await asyncio.sleep(state["pause_s"])
        runtime.stream_writer({"tick": number})
    return {"last": last + state["ticks"]}


flow = StateGraph(State, context_schema=Context, input_schema=Asked)

flow.add_node("morning", tick)
flow.add_node("noon", tick)
flow.add_node("evening", tick)

flow.add_edge(START, "morning")
flow.add_edge("morning", "noon")
flow.add_edge("noon", "evening")
flow.add_edge("evening", END)

graph = flow.compile(name="ticker")
