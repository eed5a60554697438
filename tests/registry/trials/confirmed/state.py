"""What outer and inner stages know."""

from typing import NotRequired

from typing_extensions import TypedDict


class Asked(TypedDict):
    number: int


class State(Asked):
    doubled: NotRequired[int]
    answer: NotRequired[str]
    summary: NotRequired[str]
