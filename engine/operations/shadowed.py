"""What second models said beside a case, next to what the first ones said there."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from contracts.event import Event
from engine.operations.cases import records_of
from engine.runs.report import run_facts
from engine.store.database import Connection

Json = dict[str, Any]
Question = tuple[str, str, str]
"""Run, prompt, and the digest of what was asked."""


async def shadowed(conn: Connection, run_id: str, *, tenant: str) -> list[Json]:
    """Each question of the run's case that a second model was asked, in order. Raises `NotFound`."""
    return paired(await records_of(conn, await run_facts(conn, run_id, tenant=tenant)))


def paired(records: Sequence[Mapping[str, Any]]) -> list[Json]:
    """`agrees` is None where one of the two gave no reply that could be compared."""
    first: dict[Question, Json] = {}
    for record in records:
        data: Json = dict(record["data"])
        if record["event"] == Event.MODEL_CALLED and not data.get("problem"):
            first[_question(record)] = data
    return [
        _compared(first.get(_question(record), {}), dict(record["data"]))
        for record in records
        if record["event"] == Event.MODEL_SHADOWED
    ]


def _compared(first: Json, second: Json) -> Json:
    one, other, problem = first.get("reply", ""), second.get("reply", ""), second.get("problem", "")
    return {
        "prompt": second["prompt"],
        "model": first.get("model", ""),
        "shadow": second["model"],
        "agrees": _read(one) == _read(other) if one and other and not problem else None,
        "reply": one,
        "shadow_reply": other,
        "problem": problem,
        "latency_ms": [first.get("latency_ms"), second.get("latency_ms")],
        "cost": [first.get("cost"), second.get("cost")],
    }


def _question(record: Mapping[str, Any]) -> Question:
    data = record["data"]
    return record["run_id"], str(data.get("prompt")), str(data.get("asked"))


def _read(text: str) -> object:
    try:
        return json.loads(text)
    except ValueError:
        return text
