"""What the three stages know."""

from typing import NotRequired

from typing_extensions import TypedDict


class Asked(TypedDict):
    text: str


class State(Asked):
    words: NotRequired[int]
    letters: NotRequired[int]
    summary: NotRequired[str]
