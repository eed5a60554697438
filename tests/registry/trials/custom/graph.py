"""A stage that writes its progress to the stream: `{"step": 1}`, `{"step": 2}`, …"""

from langgraph.graph import END, START, StateGraph
from langgraph.runtime import Runtime

from contracts.context import Context
from trials.custom.state import Asked, State


async def work(state: State, runtime: Runtime[Context]) -> dict[str, object]:
    for step in range(1, state["steps"] + 1):
        runtime.stream_writer({"step": step})
    return {"summary": f"{state['steps']} steps"}


flow = StateGraph(State, context_schema=Context, input_schema=Asked)

flow.add_node("work", work)

flow.add_edge(START, "work")
flow.add_edge("work", END)

graph = flow.compile(name="custom")
