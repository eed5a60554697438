"""A stage that kills its worker whenever it is executed, as one does that takes all memory."""

import os
import signal

from langgraph.graph import END, START, StateGraph

from contracts.context import Context
from trials.deadly.state import Asked, State


async def begin(state: State) -> dict[str, object]:
    return {"begun": True}


async def kill(state: State) -> dict[str, object]:
    os.close(os.open(f"{state['deaths']}.{os.getpid()}", os.O_CREAT))
    os.kill(os.getpid(), signal.SIGKILL)
    return {}


flow = StateGraph(State, context_schema=Context, input_schema=Asked)

flow.add_node("begin", begin)
flow.add_node("kill", kill)

flow.add_edge(START, "begin")
flow.add_edge("begin", "kill")
flow.add_edge("kill", END)

graph = flow.compile(name="deadly")
