"""What a case did, read from its audit chain, its final state and its worlds."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import cast

from pydantic import JsonValue

from contracts.approval import JsonObject
from contracts.event import AuditRecord, Event
from evals.replies import Miss
from evals.tool_traffic import THREAD
from evals.voices import Spent
from evals.worlds.sandbox import EffectKind

Done = Mapping[EffectKind, tuple[JsonObject, ...]]
"""What the case itself did outside, by kind and in order; a kind of which it did nothing is not named."""


@dataclass(frozen=True)
class Observation:
    """What became of one case."""

    outcome: str
    """As the run has it; `waiting` when it still waits for somebody, `refused` when its input was not taken."""
    path: tuple[str, ...]
    """The stages that finished, in order."""
    gates: tuple[str, ...]
    """Rules that asked a person, in order."""
    done: Done = field(default_factory=dict)
    problem: Mapping[str, JsonValue] = field(default_factory=dict)
    """`code`, `category` and `stage` of the error that ended or diverted the case; empty if there was none."""
    model_calls: int = 0
    tool_calls: int = 0
    executed: tuple[JsonObject, ...] = ()
    """Calls that change something, with `tool` and `args`, in the order in which they began; none that was refused."""
    thread_id: str = field(default="", compare=False)
    recorded: bool = False
    """Whether outside systems answered from recordings, so that what was done is what was executed."""
    spent: Spent = field(default_factory=Spent)
    """What asking live models took."""
    missed: tuple[Miss, ...] = ()
    """Calls of tools that found no recorded answer."""
    unasked: tuple[str, ...] = ()
    """Tools of recorded answers that nothing has asked for."""
    calls: frozenset[tuple[str, str]] = frozenset()
    """Stage and tool of every call that was started."""
    models: frozenset[str] = frozenset()
    """Live models that answered, as they call themselves."""
    decisions: tuple[JsonObject, ...] = field(default=(), compare=False)
    """What people decided, in order."""
    errors: tuple[str, ...] = ()
    """Codes of every error on the way, recovered ones included."""
    state: JsonObject = field(default_factory=dict)
    kept: str = ""
    """Everything that was stored or sent, as one text."""
    off_script: tuple[str, ...] = ()
    """Where the case did not wait for what its script answers."""
    graph_ms: float = field(default=0.0, compare=False)
    """How long the run itself took of the time of the case: graph, gateway, approvals and checkpoints."""
    breaches: tuple[str, ...] = ()
    """What no case may do: an effect without its approval, an audit chain that does not hold."""


def stages_in(records: Sequence[AuditRecord]) -> tuple[str, ...]:
    return tuple(str(data["stage"]) for data in _data(records, Event.STAGE_FINISHED))


def gates_in(records: Sequence[AuditRecord]) -> tuple[str, ...]:
    """Rules of the actions that were put to people."""
    rules = {data["request_id"]: str(data["rule"]) for data in _data(records, Event.ACTION_FROZEN)}
    return tuple(rules[data["request_id"]] for data in _data(records, Event.APPROVAL_REQUESTED))


def calls_in(records: Sequence[AuditRecord]) -> frozenset[tuple[str, str]]:
    return frozenset((str(data["stage"]), str(data["tool"])) for data in _data(records, Event.CALL_STARTED))


def executed_in(records: Sequence[AuditRecord], thread_id: str) -> tuple[JsonObject, ...]:
    """Calls that change something and were not refused; the id of the thread, another one each time, as `THREAD`."""
    refused = {data["call_key"] for data in _data(records, Event.CALL_FINISHED) if data["state"] == "refused"}
    begun = {
        str(data["call_key"]): {"tool": data["tool"], "args": data["args"]}
        for data in _data(records, Event.CALL_STARTED)
        if data["effect"] != "read" and data["call_key"] not in refused
    }
    found: list[JsonObject] = json.loads(json.dumps([*begun.values()]).replace(thread_id, THREAD))
    return tuple(found)


def answered_by(records: Sequence[AuditRecord]) -> frozenset[str]:
    return frozenset(str(data["model"]) for data in _data(records, Event.MODEL_CALLED) if data["source"] == "live")


def count(records: Sequence[AuditRecord], event: Event) -> int:
    return sum(record["event"] == event for record in records)


def errors_in(records: Sequence[AuditRecord]) -> tuple[str, ...]:
    """Codes of failed and refused calls, of refused model calls as `model`, and of the failure of the run."""
    codes: list[str] = []
    for record in records:
        data = record["data"]
        match record["event"]:
            case Event.CALL_FINISHED if data["error"]:
                codes.append(_code(data["error"], "code"))
            case Event.CALL_REFUSED:
                codes.append(_code(data, "code"))
            case Event.MODEL_CALLED if data["problem"]:
                codes.append("model")
            case Event.RUN_FAILED:
                codes.append(_code(data["error"], "error"))
    return tuple(codes)


def unapproved_effects(records: Sequence[AuditRecord]) -> Iterator[str]:
    """Effects that were started before policy or a person had approved them."""
    approved: set[JsonValue] = set()
    for record in records:
        data = record["data"]
        match record["event"]:
            case Event.APPROVAL_DECIDED if data["type"] in ("approve", "edit"):
                approved.add(cast(str, data["request_id"]))
            case Event.CALL_STARTED if data["effect"] != "read" and data["approval_id"] not in approved:
                yield f"{data['tool']} was called without an approved request"


def _data(records: Sequence[AuditRecord], event: Event) -> Iterator[JsonObject]:
    return (record["data"] for record in records if record["event"] == event)


def _code(error: JsonValue, name: str) -> str:
    return str(error.get(name, "")) if isinstance(error, dict) else ""
