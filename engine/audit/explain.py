"""Answers the five questions about an effect, from the case's audit records alone."""

import json
from typing import Any, cast

from contracts.context import by_whom
from contracts.errors import NotFound
from contracts.event import AuditRecord
from engine.audit.audit import chain, stream_of
from engine.store.database import Connection
from engine.store.sql import load_queries

_SQL = load_queries(__file__)


async def explain_effect(conn: Connection, effect: str, *, tenant: str) -> dict[str, Any]:
    """Who asked, what the agent saw, which tool, what changed, how it was reviewed and is reversed.

    `effect` is a call key of the ledger or the id of the approval that it consumed. Raises `NotFound`.
    """
    params = {"key": effect, "tenant": tenant}
    row = await (await conn.execute(_SQL["case_of_effect"], params)).fetchone()
    if row is None:
        raise NotFound(
            f"The ledger has no call {effect!r}.", hint="A case's calls stand in: gatehouse runs timeline RUN"
        )
    records = [link.record for link in await chain(conn, stream_of(row["thread_id"]))]
    call_key = row["call_key"]
    started = _of(records, "call.started", call_key=call_key)
    finished = _of(records, "call.finished", call_key=call_key)
    resolved = _of(records, "call.resolved", call_key=call_key)
    opened = _of(records, "run.created", kind="input")
    frozen = _of(records, "action.frozen", action_digest=row["action_digest"])
    decided = _of(records, "approval.decided", action_digest=row["action_digest"])
    return {
        "who_asked": [f"{o['data']['requester']} opened the case on {o['at'][:10]}" for o in opened],
        "what_the_agent_saw": _seen(records, started),
        "which_tool": [_called(s["data"]) for s in started],
        "what_changed": [f"{f['data']['state']}: {_text(f['data']['result'] or f['data']['error'])}" for f in finished]
        + [f"{r['data']['by']} found out: {r['data']['outcome']} {r['data']['note']}" for r in resolved],
        "how_it_was_reviewed": _reviewed(frozen, decided),
        "how_it_is_reversed": row["undo"] or "See the tool's contract.",
    }


def _of(records: list[AuditRecord], event: str, **data: object) -> list[dict[str, Any]]:
    """Records of one kind whose data has these values."""
    found = [r for r in records if r["event"] == event and all(r["data"].get(k) == v for k, v in data.items())]
    return [cast("dict[str, Any]", record) for record in found]


def _seen(records: list[AuditRecord], started: list[dict[str, Any]]) -> list[str]:
    """Tool replies and model replies that came before the call."""
    until = started[0]["at"] if started else ""
    seen = []
    for record in records:
        data = cast("dict[str, Any]", record["data"])
        if record["at"] >= until:
            break
        if record["event"] == "call.finished":
            seen.append(f"{data['tool']}: {_text(data['result'] or data['error'])}")
        elif record["event"] == "model.called":
            seen.append(f"{by_whom(data['model'], data['source'])} on {data['prompt']}: {data['reply']}")
    return seen


def _called(data: dict[str, Any]) -> str:
    return f"{data['tool']} {_text(data['args'])} (attempt {data['attempt']})"


def _reviewed(frozen: list[dict[str, Any]], decided: list[dict[str, Any]]) -> list[str]:
    said = [f"policy {f['data']['policy_version']}: {f['data']['verdict']} by rule {f['data']['rule']}" for f in frozen]
    return said + [f"{d['data']['by']}: {d['data']['type']} at {d['at'][:19]} {d['data']['reason']}" for d in decided]


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
