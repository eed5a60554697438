"""A stage that is a graph of its own and asks a question in its middle: states and histories of subgraphs that wait."""

from langgraph.graph import END, START, StateGraph

from contracts.context import Context
from nodes.waiting import clarification
from trials.confirmed.state import Asked, State


async def double(state: State) -> dict[str, object]:
    return {"doubled": 2 * state["number"]}


def is_it_right(state: State) -> str:
    return f"Is {state['doubled']} right?"


async def note(state: State) -> dict[str, object]:
    return {"summary": f"{state['doubled']}: {state['answer']}"}


async def prepare(state: State) -> dict[str, object]:
    return {"doubled": 0}


async def sum_up(state: State) -> dict[str, object]:
    return {"summary": f"{state['summary']}."}


inner = StateGraph(State, context_schema=Context)

inner.add_node("double", double)
inner.add_node("confirm", **clarification(is_it_right, into="answer"))
inner.add_node("note", note)

inner.add_edge(START, "double")
inner.add_edge("double", "confirm")
inner.add_edge("confirm", "note")
inner.add_edge("note", END)

flow = StateGraph(State, context_schema=Context, input_schema=Asked)

flow.add_node("prepare", prepare)
flow.add_node("calculate", inner.compile(name="calculate"))
flow.add_node("sum_up", sum_up)

flow.add_edge(START, "prepare")
flow.add_edge("prepare", "calculate")
flow.add_edge("calculate", "sum_up")
flow.add_edge("sum_up", END)

graph = flow.compile(name="confirmed")
