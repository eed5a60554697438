"""A stage that is a graph of its own: what streams and states say of subgraphs."""

from langgraph.graph import END, START, StateGraph

from contracts.context import Context
from trials.nested.state import Asked, State


async def double(state: State) -> dict[str, object]:
    return {"doubled": 2 * state["number"]}


async def increase(state: State) -> dict[str, object]:
    return {"doubled": state["doubled"] + 1}


async def prepare(state: State) -> dict[str, object]:
    return {"doubled": 0}


async def sum_up(state: State) -> dict[str, object]:
    return {"summary": f"twice {state['number']} and one more is {state['doubled']}"}


inner = StateGraph(State, context_schema=Context)

inner.add_node("double", double)
inner.add_node("increase", increase)

inner.add_edge(START, "double")
inner.add_edge("double", "increase")
inner.add_edge("increase", END)

flow = StateGraph(State, context_schema=Context, input_schema=Asked)

flow.add_node("prepare", prepare)
flow.add_node("calculate", inner.compile(name="calculate"))
flow.add_node("sum_up", sum_up)

flow.add_edge(START, "prepare")
flow.add_edge("prepare", "calculate")
flow.add_edge("calculate", "sum_up")
flow.add_edge("sum_up", END)

graph = flow.compile(name="nested")
