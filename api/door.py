"""Who is calling: by an API key, or by the token of an issuer; without any of both, only this machine may call."""

import re
from collections.abc import Awaitable, Callable
from typing import Annotated

from fastapi import Depends, Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.problems import problem
from contracts.errors import BodyTooLarge, Forbidden, Unauthenticated
from engine.access.addresses import is_loopback
from engine.access.keys import LOCAL, Principal, Role, any_keys
from engine.store.scope import across_tenants, enter_tenant, of_tenant
from engine.traces.ids import also_about
from engine.wiring import Engine

_ID = re.compile(r"[0-9a-f-]{36}")


async def engine_of(request: Request) -> Engine:
    """The engine that the server opened at start."""
    engine: Engine = request.app.state.engine
    return engine


TheEngine = Annotated[Engine, Depends(engine_of)]


async def who(request: Request, engine: TheEngine) -> Principal:
    """The caller; while there is no key at all, who is on this machine is `local`.

    Raises `Unauthenticated`, and `TooManyRequests` for who sends more than its share.
    """
    principal = await _identify(request, engine)
    also_about(tenant=principal.tenant, principal=principal.name, **_ids_in_path(request))
    with of_tenant(principal.tenant):
        await engine.callers.require_share(principal)
    return principal


async def admitted(principal: Annotated[Principal, Depends(who)]) -> Principal:
    """The caller, for whose tenant the request works from here on."""
    enter_tenant(principal.tenant)
    return principal


async def _identify(request: Request, engine: Engine) -> Principal:
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    key = request.headers.get("x-api-key")
    credential = key or (token if scheme.lower() == "bearer" else "")
    if credential:
        address = request.client.host if request.client else ""
        return await engine.entrance.identify(credential, address=address, bearer=not key)
    with across_tenants("whether anybody has a key"):
        return await _without_credential(request, engine)


async def _without_credential(request: Request, engine: Engine) -> Principal:
    async with engine.database.reading() as conn:
        keys_exist = engine.entrance.issuers or await any_keys(conn)
    if keys_exist:
        raise Unauthenticated("This server wants an API key or a token.", hint="Send a key as the header 'x-api-key'.")
    if not comes_from_here(request):
        raise Unauthenticated(
            "Without API keys only this machine may call.",
            hint="Make one with: gatehouse keys create NAME --role caller",
        )
    return LOCAL


def comes_from_here(request: Request) -> bool:
    """Whether a program on this machine asks, by an address of this machine."""
    # A web page in a browser on this machine can send requests here, but not with our name as host.
    return bool(request.client and is_loopback(request.client.host) and is_loopback(request.url.hostname or ""))


def _ids_in_path(request: Request) -> dict[str, str]:
    """Run and thread of the path for the log, if they are ids at all: anybody may write anything there."""
    named = {name: str(request.path_params.get(name, "")) for name in ("thread_id", "run_id")}
    return {name: value for name, value in named.items() if _ID.fullmatch(value)}


def may(role: Role) -> Callable[[Principal], Awaitable[Principal]]:
    """A dependency that lets callers with `role` pass."""

    async def check(principal: Annotated[Principal, Depends(admitted)]) -> Principal:
        principal.require(role)
        return principal

    return check


def one_of(*roles: Role) -> Callable[[Principal], Awaitable[Principal]]:
    """A dependency that lets callers with any of these roles pass."""

    async def check(principal: Annotated[Principal, Depends(admitted)]) -> Principal:
        if principal.roles & set(roles):
            return principal
        raise Forbidden(f"{principal.name!r} has none of the roles {list(roles)}, one of which this needs.")

    return check


Anybody = Annotated[Principal, Depends(admitted)]
Caller = Annotated[Principal, Depends(may("caller"))]
Reviewer = Annotated[Principal, Depends(may("reviewer"))]
Operator = Annotated[Principal, Depends(may("operator"))]
Staff = Annotated[Principal, Depends(one_of("reviewer", "operator"))]
Reader = Annotated[Principal, Depends(one_of("reviewer", "operator", "auditor"))]
AuthorToo = Annotated[Principal, Depends(one_of("reviewer", "operator", "auditor", "author"))]
"""Who may read how workflows are made."""


class BodyLimit:
    """Refuses bodies over `limit` bytes, declared or not, before anything reads them."""

    def __init__(self, app: ASGIApp, limit: int) -> None:
        self._app = app
        self._limit = limit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        declared = dict(scope["headers"]).get(b"content-length", b"0")
        if not declared.isdigit() or int(declared) > self._limit:
            await self._refuse(scope, receive, send)
            return
        body, more = b"", True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                return  # what came of the body is not what the caller wanted to say
            body += message.get("body", b"")
            more = message.get("more_body", False)
            if len(body) > self._limit:
                await self._refuse(scope, receive, send)
                return
        await self._app(scope, _replay(body, receive), send)

    async def _refuse(self, scope: Scope, receive: Receive, send: Send) -> None:
        await problem(BodyTooLarge(f"A request body has at most {self._limit:,} bytes."))(scope, receive, send)


def _replay(body: bytes, receive: Receive) -> Receive:
    """Give the body that was read once more, then whatever comes, such as the client's hanging up."""
    given = False

    async def again() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return again
