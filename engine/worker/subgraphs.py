"""When the subgraphs of a run begin and end, read from what they and the graphs around them emit."""

from collections.abc import Iterator, Mapping
from typing import Any

Namespace = tuple[str, ...]
"""`stage:task` of each graph on the way to the one that emits."""
Told = tuple[Namespace, dict[str, Any]]


class Subgraphs:
    """The subgraphs that one attempt to carry a run has entered."""

    def __init__(self) -> None:
        self._entered: set[Namespace] = set()

    def begun(self, namespace: Namespace) -> Iterator[Told]:
        """Those that something emitted at this place is the first sign of."""
        for depth in range(1, len(namespace) + 1):
            inner = namespace[:depth]
            if inner not in self._entered:
                self._entered.add(inner)
                stage, _, task = inner[-1].partition(":")
                yield (
                    inner,
                    {"event": "started", "namespace": list(inner), "graph_name": stage, "trigger_call_id": task},
                )

    def ended(self, namespace: Namespace, task: Mapping[str, Any]) -> Iterator[Told]:
        """The one that a task was, if it is over."""
        inner = (*namespace, f"{task['name']}:{task['id']}")
        if "result" not in task or inner not in self._entered:
            return
        event = "failed" if task["error"] else "interrupted" if task["interrupts"] else "completed"
        yield inner, {"event": event, "graph_name": task["name"]} | ({"error": task["error"]} if task["error"] else {})
