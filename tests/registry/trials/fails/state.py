"""What a failing stage is told."""

from typing import NotRequired

from typing_extensions import TypedDict


class Asked(TypedDict):
    message: str


class State(Asked):
    begun: NotRequired[bool]
