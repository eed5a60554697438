"""What is known before and after the question."""

from typing import NotRequired

from typing_extensions import TypedDict


class Asked(TypedDict):
    topic: str


class State(Asked):
    answer: NotRequired[str]
    summary: NotRequired[str]
