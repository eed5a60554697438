"""The trace of a case as spans, for those who keep traces elsewhere: one a case, its runs below, stages below those.

A span has the same id whenever it is made, so that what is sent twice is there once.
"""

import uuid
from collections import defaultdict
from dataclasses import dataclass, field
from typing import Literal

from engine.reasoning.pages import Entry, Traced

Kind = Literal["case", "run", "stage", "model", "tool", "branch"]
_SPANS = ("stage", "model", "tool", "branch")


@dataclass(frozen=True)
class Span:
    """What happened from `began` to `ended`, in seconds since 1970."""

    id: uuid.UUID
    kind: Kind
    name: str
    began: float
    ended: float
    parent: "Span | None" = None
    entry: Entry = field(default_factory=dict)


def spans_of(of: Traced, entries: list[Entry]) -> list[Span]:
    """The case's span and those of one of its runs, parents first; `entries` are the whole case's, in order."""
    if not entries:
        return []
    own = [entry for entry in entries if entry["run_id"] == of.run_id]
    case = Span(uuid.UUID(of.case_id), "case", of.workflow, _began(entries), _ended(entries))
    run = Span(uuid.uuid5(case.id, of.run_id), "run", of.workflow, _began(own), _ended(own), case) if own else None
    return [case, *([run, *_stages(run, own)] if run else [])]


def _stages(run: Span, entries: list[Entry]) -> list[Span]:
    found: list[Span] = []
    inside: dict[str, list[tuple[int, Entry]]] = defaultdict(list)
    for nth, entry in enumerate(entries):
        if entry["kind"] not in _SPANS:
            continue
        if entry["kind"] != "stage":
            inside[entry["stage"]].append((nth, entry))
            continue
        stage = _span(run, nth, entry)
        found += [stage, *(_span(stage, place, each, run) for place, each in inside.pop(entry["stage"], []))]
    return found + [_span(run, place, each) for rest in inside.values() for place, each in rest]


def _span(parent: Span, nth: int, entry: Entry, run: Span | None = None) -> Span:
    name = str(entry.get("tool") or entry.get("router") or entry["stage"])
    span_id = uuid.uuid5((run or parent).id, str(nth))
    return Span(span_id, entry["kind"], name, entry["at"], entry["at"] + entry["us"] / 1e6, parent, entry)


def _began(entries: list[Entry]) -> float:
    return min(float(entry["at"]) for entry in entries if "at" in entry)


def _ended(entries: list[Entry]) -> float:
    return max(float(entry["at"]) + float(entry.get("us", 0)) / 1e6 for entry in entries if "at" in entry)
