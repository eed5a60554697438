"""A conversation as LangChain keeps it."""

from typing import Annotated, Any

from langchain_core.messages import AnyMessage
from langgraph.graph.message import add_messages
from typing_extensions import TypedDict


class Said(TypedDict):
    messages: list[dict[str, Any]]
    """`{"role": "user", "content": "…"}` or `{"type": "human", "content": "…"}`."""


class State(TypedDict):
    messages: Annotated[list[AnyMessage], add_messages]
