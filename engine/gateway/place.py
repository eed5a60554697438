"""Where in the graph a call comes from, as LangGraph says and not as the stage says."""

from dataclasses import dataclass

from langgraph.config import get_config


@dataclass(frozen=True)
class Place:
    """A stage and the task that executes it; a task keeps its id when it is executed again after a crash."""

    stage: str
    task_id: str


def here() -> Place:
    """The stage whose code is running. Raises RuntimeError outside a graph."""
    config = get_config()
    return Place(str(config["metadata"]["langgraph_node"]), str(config["configurable"]["__pregel_task_id"]))
