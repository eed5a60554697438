"""How a world serves one operation: fault, action and request log in one transaction, then the answer."""

import asyncio
import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from pydantic import ValidationError
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from evals.worlds.faults import Fault, next_fault
from evals.worlds.store import JsonObject, Rows, Store, from_text, to_text


@dataclass(frozen=True)
class Incoming:
    query: Mapping[str, str]
    body: JsonObject
    idempotency_key: str
    """Empty when the request has none."""


@dataclass(frozen=True)
class Answer:
    status: int
    body: JsonObject = field(default_factory=dict)


def refusal(status: int, detail: str) -> Answer:
    return Answer(status, {"detail": detail})


def receipt_id(prefix: str, key: str) -> str:
    """Derived from the key of the request, so that every run of a case has the same receipts."""
    return f"{prefix}-{hashlib.sha256(key.encode()).hexdigest()[:12].upper()}"


def record_effect(rows: Rows, kind: str, incoming: Incoming, receipt: JsonObject) -> Answer:
    """Keep what was done and answer with its receipt, in the form in which a repeat will get it."""
    kept = to_text(receipt)
    rows.all(
        "insert_effect",
        kind=kind,
        idempotency_key=incoming.idempotency_key,
        request=to_text(incoming.body),
        receipt=kept,
    )
    return Answer(200, from_text(kept))


def answered_before(rows: Rows, incoming: Incoming, kind: str) -> Answer | None:
    """The first answer to this key; None for a key that was not used yet."""
    if not incoming.idempotency_key:
        return refusal(400, "the header Idempotency-Key is missing")
    earlier = rows.one("effect_by_key", kind=kind, idempotency_key=incoming.idempotency_key)
    if earlier is None:
        return None
    same = earlier["request"] == to_text(incoming.body)
    return Answer(200, from_text(earlier["receipt"])) if same else refusal(422, "the key was used before")


Act = Callable[[Rows, Incoming], Answer]
"""What the operation does. It decides before it changes anything: a refusal leaves no trace but the log."""


@dataclass(frozen=True)
class Desk:
    """Where the operations of all worlds are served from."""

    store: Store
    faults: dict[str, Fault]

    def route(self, operation: str, method: str, path: str, act: Act) -> Route:
        """Serve `act` as `operation` at `method path`."""

        async def endpoint(request: Request) -> JSONResponse:
            incoming = await _read(request)
            if incoming is None:
                return JSONResponse({"detail": "the body is not a JSON object"}, 400)
            answer, fault = await run_in_threadpool(self._serve, operation, act, incoming)
            if fault and fault.kind == "slow":
                await asyncio.sleep(fault.seconds)
            return JSONResponse(answer.body, answer.status)

        return Route(path, endpoint, methods=[method], name=operation)

    def _serve(self, operation: str, act: Act, incoming: Incoming) -> tuple[Answer, Fault | None]:
        with self.store.transaction() as rows:
            fault = next_fault(rows, self.faults, operation)
            answer = _answer(fault, act, rows, incoming)
            rows.all(
                "insert_request",
                operation=operation,
                idempotency_key=incoming.idempotency_key,
                body=to_text(incoming.body or dict(incoming.query)),
                status=answer.status,
            )
        return answer, fault


def _answer(fault: Fault | None, act: Act, rows: Rows, incoming: Incoming) -> Answer:
    match fault.kind if fault else None:
        case "unavailable":
            return refusal(503, "down for maintenance")
        case "refuses":
            return refusal(422, "refused for a reason of its own")
        case "acts_then_fails":
            _act(act, rows, incoming)
            return refusal(500, "internal error")
        case "malformed":
            _act(act, rows, incoming)
            return Answer(200, {"status": "OK", "items": None})
        case "slow" | None:
            return _act(act, rows, incoming)


def _act(act: Act, rows: Rows, incoming: Incoming) -> Answer:
    try:
        return act(rows, incoming)
    except ValidationError as error:
        return Answer(422, {"detail": "the request is not valid", "errors": json.loads(error.json(include_url=False))})


async def _read(request: Request) -> Incoming | None:
    raw = await request.body()
    try:
        body = json.loads(raw) if raw else {}
    except ValueError:
        return None
    key = request.headers.get("Idempotency-Key", "")
    return Incoming(request.query_params, body, key) if isinstance(body, dict) else None
