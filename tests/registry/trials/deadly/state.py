"""What is known before the end."""

from typing import NotRequired

from typing_extensions import TypedDict


class Asked(TypedDict):
    deaths: str
    """How the files begin that each death leaves."""


class State(Asked):
    begun: NotRequired[bool]
