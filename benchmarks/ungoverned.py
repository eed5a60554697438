"""The measured workflows without an engine around them: for the floor, and for LangGraph's own dev server."""

from langgraph.graph import END, START, StateGraph
from langgraph.types import interrupt

from trials.question.graph import prepare, what_about_it
from trials.question.graph import sum_up as sum_up_answer
from trials.question.state import Asked as Topic
from trials.question.state import State as Answered
from trials.talk.graph import answer
from trials.talk.state import State as Talk
from trials.three_stages.graph import count_letters, count_words, sum_up
from trials.three_stages.state import Asked, State


async def ask(state: Answered) -> dict[str, object]:
    answered = interrupt({"kind": "clarification", "question": what_about_it(state)})
    return {"answer": answered["text"]}


_stages = StateGraph(State, input_schema=Asked)
_stages.add_sequence([count_words, count_letters, sum_up])
_stages.add_edge(START, "count_words")
_stages.add_edge("sum_up", END)

_question = StateGraph(Answered, input_schema=Topic)
_question.add_sequence([("prepare", prepare), ("ask", ask), ("sum_up", sum_up_answer)])
_question.add_edge(START, "prepare")
_question.add_edge("sum_up", END)

_talk = StateGraph(Talk)
_talk.add_node("answer", answer)
_talk.add_edge(START, "answer")
_talk.add_edge("answer", END)

three_stages = _stages.compile(name="three_stages")
question = _question.compile(name="question")
talk = _talk.compile(name="talk")
