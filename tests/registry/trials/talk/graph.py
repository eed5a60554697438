"""A conversation: the model repeats what was said, token by token, so that streams have something to show."""

from langchain_core.language_models import GenericFakeChatModel
from langchain_core.messages import AIMessage
from langgraph.graph import END, START, StateGraph

from contracts.context import Context
from trials.talk.state import Said, State


async def answer(state: State) -> dict[str, object]:
    said = state["messages"]
    # Streams word by word; its id must not be drawn by chance, because a repeated stage gives the same message.
    reply = AIMessage(f"You said: {said[-1].text}", id=f"answer-{len(said)}")
    return {"messages": [await GenericFakeChatModel(messages=iter([reply])).ainvoke(said)]}


flow = StateGraph(State, context_schema=Context, input_schema=Said)

flow.add_node("answer", answer)

flow.add_edge(START, "answer")
flow.add_edge("answer", END)

graph = flow.compile(name="talk")
