"""The contract of each stage, and the boundary at which it is held: what comes in, what goes out, where failures go."""

import copy
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NotRequired, Required, get_args, get_origin, get_type_hints

import typing_extensions
from langgraph.channels import LastValue
from pydantic import TypeAdapter, ValidationError
from pydantic.errors import PydanticSchemaGenerationError, PydanticUserError
from pydantic_core import ErrorDetails

from contracts.approval import JsonObject
from contracts.errors import StageContractBroken
from contracts.stage import PROBLEM, is_recovering, leads_to
from engine.catalog.workflow import Graph

_SHOWN = 4
_OPTIONAL = (NotRequired, Required, typing_extensions.NotRequired, typing_extensions.Required)
Adapter = TypeAdapter[Any]
Tolerates = Callable[[ErrorDetails], bool]


@dataclass(frozen=True)
class Contract:
    """What one stage takes, may return, and where its case goes when it cannot do its job."""

    stage: str
    takes: Adapter | None
    """None where its parameter has no type that could be checked."""
    takes_named: str
    channels: Mapping[str, Adapter]
    """The channels of the state whose values can be checked."""
    known: frozenset[str]
    """Every channel of the state."""
    returns: frozenset[str] | None
    """The channels that its return type names; None: any of the state."""
    recovers: bool
    """Whether its failures become a `problem` in the state; else they end the run."""
    recovery: tuple[str, ...]
    """The stages to which a problem leads, the nearest first; empty: the run ends as `failed_safe`."""

    def as_json(self) -> JsonObject:
        takes = self.takes.json_schema() if self.takes else None
        returns = sorted(self.returns if self.returns is not None else self.known)
        recovery = " → ".join(self.recovery) or "failed_safe"
        return {"input": self.takes_named, "schema": takes, "output": list(returns), "recovery": recovery}

    def require_input(self, state: object) -> None:
        """Raises `StageContractBroken` naming each field that does not fit.

        What an earlier release has written may lack, inside a channel, what was added since: such a case is brought to
        its end, and a stage that cannot do without says so itself.
        """
        if self.takes:
            self._require(self.takes, state, "got", tolerates=_added_since)

    def require_output(self, update: object) -> None:
        """Raises `StageContractBroken` for a channel that it may not write, and for a value that does not fit one."""
        if not isinstance(update, Mapping):
            return  # a Command, an interrupt or nothing: what LangGraph itself knows
        allowed = self.known if self.returns is None else self.returns | ({PROBLEM} if self.recovers else set())
        if unknown := sorted(set(update) - allowed):
            raise self._broken("returned", [f"{unknown[0]}: is not among what it may write"])
        for name, value in update.items():
            if name in self.channels:
                self._require(self.channels[name], value, "returned", name)

    def _require(
        self, fits: Adapter, value: object, did: str, name: str = "", tolerates: Tolerates = lambda _: False
    ) -> None:
        try:
            fits.validate_python(value, strict=True)
        except ValidationError as error:
            every = error.errors(include_url=False, include_input=False, include_context=False)
            found = [one for one in every if not tolerates(one)]
            if not found:
                return
            where = [".".join(map(str, (*filter(None, [name]), *one["loc"]))) for one in found]
            raise self._broken(did, [f"{at}: {one['msg']}" for at, one in zip(where, found, strict=True)]) from None

    def _broken(self, did: str, problems: list[str]) -> StageContractBroken:
        more = f" and {len(problems) - _SHOWN} more" if len(problems) > _SHOWN else ""
        return StageContractBroken(
            f"Stage {self.stage!r} {did} what its contract does not allow: {'; '.join(problems[:_SHOWN])}{more}.",
            hint="Nothing of it was kept. Let the types of its parameter and its channels say what it takes and gives.",
        )


@lru_cache(maxsize=256)
def contracts_of(graph: Graph) -> dict[str, Contract]:
    """The contract of each stage by name, from the types of its function, of the state, and from the edges.

    To be read only: made once for a graph, since types take long to be turned into what checks them.
    """
    channels = dict(_channels(graph))
    return {name: _contract(graph, name, channels) for name in graph.builder.nodes}


def held_to_contracts(graph: Graph) -> Graph:
    """The same graph, whose stages are stopped where they get or return what their contracts do not allow.

    The boundary stands around the stage: what breaks a contract becomes a `problem` where the stage recovers from
    failures, and ends the run otherwise, as a `StageContractBroken` in both cases. Nothing of a broken update is kept.
    """
    contracts = contracts_of(graph)
    nodes = {name: _bounded(node, contracts[name]) if name in contracts else node for name, node in graph.nodes.items()}
    return graph.copy({"nodes": nodes})


def _bounded(node: Any, contract: Contract) -> Any:
    bound = copy.copy(node.bound)
    if getattr(bound, "afunc", None):
        bound.afunc = _around(bound.afunc, contract)
        return node.copy({"bound": bound})
    return node


def _around(stage: Callable[..., Any], contract: Contract) -> Callable[..., Any]:
    async def run(state: Any, *args: Any, **kwargs: Any) -> Any:
        try:
            contract.require_input(state)
            update = await stage(state, *args, **kwargs)
            contract.require_output(update)
        except StageContractBroken as error:
            if not contract.recovers:
                raise
            said = {"stage": contract.stage, "code": error.code, "category": error.category, "detail": error.detail}
            return {PROBLEM: said}
        return update

    return run


def _contract(graph: Graph, name: str, channels: Mapping[str, Adapter]) -> Contract:
    spec = graph.builder.nodes[name]
    function = _function(spec.runnable)
    recovers = is_recovering(function)
    return Contract(
        stage=name,
        takes=_adapter(spec.input_schema),
        takes_named=getattr(spec.input_schema, "__name__", str(spec.input_schema)),
        channels=channels,
        known=frozenset(graph.builder.channels),
        returns=_returned(function),
        recovers=recovers,
        recovery=_recovery(graph, name) if recovers else (),
    )


def _added_since(problem: ErrorDetails) -> bool:
    return problem["type"] == "missing" and len(problem["loc"]) > 1


def _channels(graph: Graph) -> Iterator[tuple[str, Adapter]]:
    """What is added up by a reducer takes updates of other types than its own: nothing can be said of those."""
    hints = get_type_hints(graph.builder.state_schema, include_extras=True)
    for name, channel in graph.builder.channels.items():
        if name in hints and isinstance(channel, LastValue) and (found := _adapter(_bare(hints[name]))):
            yield name, found


def _bare(hint: Any) -> Any:
    return _bare(get_args(hint)[0]) if get_origin(hint) in _OPTIONAL else hint


def _adapter(hint: Any) -> Adapter | None:
    try:
        return TypeAdapter(hint)
    except (PydanticSchemaGenerationError, PydanticUserError, NameError):
        return None


def _function(runnable: Any) -> Any:
    return getattr(runnable, "afunc", None) or getattr(runnable, "func", None)


def _returned(function: Any) -> frozenset[str] | None:
    """The keys of the TypedDict that it returns; None where it returns another mapping."""
    try:
        returned = get_type_hints(function).get("return") if function else None
    except (NameError, TypeError):  # an annotation that only its own module can read
        return None
    return frozenset(get_type_hints(returned)) if typing_extensions.is_typeddict(returned) else None


def _recovery(graph: Graph, stage: str) -> tuple[str, ...]:
    """The way from a stage to where the nearest router that looks for a problem leads."""
    builder, seen = graph.builder, {stage}
    ways: deque[tuple[str, ...]] = deque([(stage,)])
    while ways:
        way = ways.popleft()
        branches = builder.branches.get(way[-1], {}).values()
        if stuck := [to for branch in branches if (to := leads_to(_function(branch.path)))]:
            return (*way[1:], stuck[0])
        ends = [end for branch in branches for end in (branch.ends or {}).values()]
        for end in [*(to for start, to in builder.edges if start == way[-1]), *ends]:
            if end not in seen:
                seen.add(end)
                ways.append((*way, end))
    return ()
