"""How many ticks each stage tells, how long it waits before each, and the last tick."""

from typing import NotRequired

from typing_extensions import TypedDict


class Asked(TypedDict):
    ticks: int
    pause_s: float


class State(Asked):
    last: NotRequired[int]
