"""What a stage is and says of itself: its kind, the tools it may call, the prompt it uses. Diagrams, checks and the
gateway read this; a stage that does not name a tool here cannot call it."""

from collections.abc import Awaitable
from typing import Any, Protocol, TypeVar

from langgraph.runtime import Runtime
from typing_extensions import TypedDict

from contracts.context import Context
from contracts.tool import AnyTool

Known_contra = TypeVar("Known_contra", contravariant=True)
Update_co = TypeVar("Update_co", covariant=True)


class Stage(Protocol[Known_contra, Update_co]):
    """A stage function: what must be known by then, in; what it adds, out."""

    def __call__(self, state: Known_contra, runtime: Runtime[Context]) -> Awaitable[Update_co]: ...


class Said(TypedDict):
    """Keyword arguments of `StateGraph.add_node` that say what a stage is."""

    metadata: dict[str, object]


def says(kind: str, *tools: AnyTool, prompt: str = "") -> Said:
    """Metadata of a stage of this kind; parts that it does not have are left out."""
    parts = {"kind": kind, "tools": [tool.name for tool in tools], "prompt": prompt}
    return {"metadata": {name: value for name, value in parts.items() if value}}


def reads(*tools: AnyTool) -> Said:
    """A stage that reads from outside systems."""
    return says("read", *tools)


def thinks(prompt: str) -> Said:
    """A stage that asks a model, by the prompt file of that name."""
    return says("model", prompt=prompt)


class Node(Said):
    """Keyword arguments of `StateGraph.add_node`: the stage and what it says of itself."""

    action: Stage[Any, Any]
