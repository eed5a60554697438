"""Three stages of code, one after another, without a tool: what a run costs in itself."""

from langgraph.graph import END, START, StateGraph

from contracts.context import Context
from trials.three_stages.state import Asked, State


async def count_words(state: State) -> dict[str, object]:
    return {"words": len(state["text"].split())}


async def count_letters(state: State) -> dict[str, object]:
    return {"letters": sum(letter.isalpha() for letter in state["text"])}


async def sum_up(state: State) -> dict[str, object]:
    return {"summary": f"{state['words']} words, {state['letters']} letters"}


flow = StateGraph(State, context_schema=Context, input_schema=Asked)

flow.add_node("count_words", count_words)
flow.add_node("count_letters", count_letters)
flow.add_node("sum_up", sum_up)

flow.add_edge(START, "count_words")
flow.add_edge("count_words", "count_letters")
flow.add_edge("count_letters", "sum_up")
flow.add_edge("sum_up", END)

graph = flow.compile(name="three_stages")
