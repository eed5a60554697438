"""Which fields of the state each router of a graph looks at, read from its code: the values that decide a branch."""

from collections.abc import Hashable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from types import CodeType, FunctionType
from typing import Any

from langgraph.graph.state import CompiledStateGraph

Graph = CompiledStateGraph[Any, Any, Any, Any]
_DEPTH = 4


@dataclass(frozen=True)
class Fork:
    """A conditional edge: the fields that its router names, and the stages that its answers mean."""

    fields: frozenset[str]
    """Of the state; empty where the code names none, and then all of them may have decided."""
    ends: Mapping[Hashable, str]

    def values(self, state: Any) -> dict[str, Any]:
        """What the router saw of what it looks at."""
        if not isinstance(state, Mapping):
            return {}
        return {name: value for name, value in state.items() if not self.fields or name in self.fields}

    def led(self, answer: Any) -> list[str]:
        """The stages that the router's answer means."""
        several = answer if isinstance(answer, (list, tuple)) else [answer]
        return [_named(self.ends.get(one, one) if isinstance(one, Hashable) else one) for one in several]


@lru_cache(maxsize=256)
def forks_of(graph: Graph) -> dict[tuple[str, str], Fork]:
    """The conditional edges of a graph by stage and router."""
    fields = frozenset(graph.builder.channels)
    found = {}
    for stage, branches in graph.builder.branches.items():
        for name, branch in branches.items():
            router = getattr(branch.path, "func", None) or getattr(branch.path, "afunc", None)
            named = frozenset(_words(router, _DEPTH)) & fields
            found[stage, name] = Fork(named, dict(branch.ends or {}))
    return found


def _words(of: Any, depth: int) -> Iterator[str]:
    """Every text that a function's code names, with those of functions that it calls by name or closes over."""
    if isinstance(of, str):
        yield of
    elif isinstance(of, FunctionType) and depth:
        yield from _constants(of.__code__)
        for cell in of.__closure__ or ():
            yield from _words(cell.cell_contents, depth - 1)
        for name in of.__code__.co_names:
            if isinstance(called := of.__globals__.get(name), FunctionType):
                yield from _words(called, depth - 1)


def _constants(code: CodeType) -> Iterator[str]:
    for constant in code.co_consts:
        if isinstance(constant, str):
            yield constant
        elif isinstance(constant, CodeType):
            yield from _constants(constant)


def _named(target: Any) -> str:
    name = getattr(target, "node", target)
    return "end" if name == "__end__" else str(name)
