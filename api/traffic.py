"""Every request gets an id, a line in the log and a place in the metrics."""

import logging
import re
import time
import uuid
from typing import Any

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from engine.store.scope import nobody
from engine.traces.ids import about
from engine.traces.metrics import REQUEST_SECONDS, REQUESTS

_LOG = logging.getLogger("gatehouse.http")
REQUEST_ID = "x-request-id"
_SANE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,63}")
_RUN = re.compile(r"/runs/([0-9a-f-]{36})$")
_PROBES = ("/ok", "/health/live", "/health/ready", "/metrics")
"""Asked every few seconds by machines: their lines are written at the level DEBUG."""
_METHODS = frozenset({"GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"})
_OF_OTHERS = frozenset({b"langsmith-trace", b"baggage"})
"""By these, a caller could have LangSmith's library write our traces below theirs, and send them where they like."""
_UNKNOWN_ROUTE = "unknown"
_NOBODY_THERE = 499
"""Says, as others do, that the caller hung up before there was an answer."""


class Traffic:
    """The outermost middleware. A caller's `x-request-id` is kept when it is sane; the answer names the one used."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began, answered, run_id = time.perf_counter(), 0, ""
        request_id = _request_id(scope)
        scope["headers"] = [(name, value) for name, value in scope["headers"] if name not in _OF_OTHERS]
        scope.setdefault("state", {})["request_id"] = request_id

        async def named(message: Message) -> None:
            nonlocal answered, run_id
            if message["type"] == "http.response.start":
                answered, headers = message["status"], MutableHeaders(scope=message)
                headers[REQUEST_ID] = request_id
                if accepted := _RUN.search(headers.get("content-location", "")):
                    run_id = accepted[1]
            await send(message)

        with about(request_id=request_id), nobody():
            unanswered = 500  # an exception is on its way to the last resort, which says so
            try:
                await self._app(scope, receive, named)
                unanswered = _NOBODY_THERE
            finally:
                _tell(scope, answered or unanswered, time.perf_counter() - began, run_id)


def route_of(scope: Scope) -> str:
    """The path template that a request matched: `/threads/{thread_id}`, never an id or what a stranger typed."""
    return str(getattr(scope.get("route"), "path", _UNKNOWN_ROUTE))


def _tell(scope: Scope, status: int, took_s: float, run_id: str) -> None:
    route, method = route_of(scope), _method(scope)
    REQUESTS.labels(method, route, str(status)).inc()
    REQUEST_SECONDS.labels(method, route).observe(took_s)
    level = logging.DEBUG if route in _PROBES and status < 400 else logging.INFO
    if _LOG.isEnabledFor(level):
        facts: dict[str, Any] = {"method": method, "path": route, "status": status}
        facts["ms"] = round(took_s * 1000, 1)
        if run_id:
            facts["run_id"] = run_id
        _LOG.log(level, "%s %s %d", method, route, status, extra={"facts": facts})


def _method(scope: Scope) -> str:
    """The method, if it is one that HTTP knows: any word may stand there, and each would be a label for ever."""
    method = str(scope["method"])
    return method if method in _METHODS else "OTHER"


def _request_id(scope: Scope) -> str:
    given = next((value.decode("latin-1") for name, value in scope["headers"] if name == REQUEST_ID.encode()), "")
    return given if _SANE.fullmatch(given) else uuid.uuid4().hex
