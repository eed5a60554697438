"""What a slow stage is told."""

from typing import NotRequired

from typing_extensions import TypedDict


class Asked(TypedDict):
    seconds: float


class State(Asked):
    waited: NotRequired[float]
    """Seconds, whether or not it was waited to the end."""
    summary: NotRequired[str]
