"""Ask the requester once, and go on with the answer."""

from langgraph.graph import END, START, StateGraph

from contracts.context import Context
from nodes.waiting import clarification
from trials.question.state import Asked, State


async def prepare(state: State) -> dict[str, object]:
    return {"answer": ""}


def what_about_it(state: State) -> str:
    return f"What about {state['topic']}?"


async def sum_up(state: State) -> dict[str, object]:
    return {"summary": f"{state['topic']}: {state['answer']}"}


flow = StateGraph(State, context_schema=Context, input_schema=Asked)

flow.add_node("prepare", prepare)
flow.add_node("ask", **clarification(what_about_it, into="answer"))
flow.add_node("sum_up", sum_up)

flow.add_edge(START, "prepare")
flow.add_edge("prepare", "ask")
flow.add_edge("ask", "sum_up")
flow.add_edge("sum_up", END)

graph = flow.compile(name="question")
