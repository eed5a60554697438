"""What the stage is told."""

from typing import NotRequired

from typing_extensions import TypedDict


class Asked(TypedDict):
    steps: int


class State(Asked):
    summary: NotRequired[str]
