"""Doors for what is signed instead of sent with a key, and the list of those who may sign."""

from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Depends, Path, Request
from pydantic import Field, JsonValue

from api.bodies import Body
from api.door import Anybody, Operator, Reader, TheEngine
from contracts.errors import NotFound
from engine.access import senders
from engine.webhooks.signing import written
from engine.wiring import Engine
from engine.worker.inbound import Inbound, Started

router = APIRouter(tags=["inbound"])

Json = dict[str, Any]
SenderId = Annotated[str, Path(pattern=r"^snd_[0-9a-f]{16}$", description="A sender.")]
Name = Annotated[str, Path(pattern=r"^[\w.-]{1,200}$", description="A workflow.")]


class SenderBody(Body):
    """Who may send what starts cases of one workflow."""

    name: str = Field(pattern=r"^[\w.-]{1,100}$", description="Stands in records as `sender:<name>`.")
    kind: Literal["agent", "hook"] = Field(description="An agent signs messages (JWS), a hook events (HMAC).")
    workflow: str = Field(min_length=1, max_length=200)
    public_key: dict[str, JsonValue] | None = Field(None, description="Of an agent: a JWK.")
    scopes: list[Annotated[str, Field(max_length=100)]] | None = Field(
        None, max_length=100, description="Scopes of tools that its cases may use; by default all."
    )


class MessageBody(Body):
    """What another agent sends."""

    message: str = Field(max_length=1_000_000, description="A compact JWS.")


async def signed() -> None:
    """Such a route knows its caller by a signature, which it checks itself."""


@router.post("/inbound/{workflow}", dependencies=[Depends(signed)])
async def message(workflow: Name, body: MessageBody, request: Request, engine: TheEngine) -> Json:
    """Start a case by the signed message of a registered agent: addressed to this workflow, and taken once."""
    return _started(await _inbound(engine).message(workflow, body.message, address=_address(request)))


@router.post("/hooks/{sender_id}", dependencies=[Depends(signed)])
async def event(sender_id: SenderId, request: Request, engine: TheEngine) -> Json:
    """Start a case by an event that is signed as Standard Webhooks says; sent again it finds the same case."""
    body = await request.body()
    return _started(await _inbound(engine).event(sender_id, request.headers, body, address=_address(request)))


@router.get("/senders")
async def list_(engine: TheEngine, principal: Reader) -> list[Json]:
    """Who may send, without their secrets."""
    async with engine.database.reading() as conn:
        return [dict(row) for row in await senders.list_senders(conn, tenant=principal.tenant)]


@router.post("/senders")
async def add(body: SenderBody, engine: TheEngine, principal: Operator) -> Json:
    """Let an agent or a system send. A hook's `secret` is shown once."""
    if body.workflow not in engine.catalog:
        raise NotFound(f"There is no workflow {body.workflow!r}.", hint="See: gatehouse workflows")
    scopes = None if body.scopes is None else tuple(body.scopes)
    new = senders.NewSender(body.name, body.kind, body.workflow, body.public_key, scopes)
    async with engine.database.transaction() as conn:
        sender_id, secret = await senders.add_sender(conn, new, principal, engine.carrier.seal_key)
    return {"sender_id": sender_id, "secret": written(secret) if secret else None}


@router.delete("/senders/{sender_id}", status_code=204)
async def revoke(sender_id: SenderId, engine: TheEngine, principal: Operator) -> None:
    """Take nothing from a sender any more, and do nothing more in its name."""
    async with engine.database.transaction() as conn:
        await senders.revoke_sender(conn, sender_id, principal)


@router.get("/senders/schemas/{workflow}")
async def schema(workflow: Name, engine: TheEngine, principal: Anybody) -> Json:
    """What an agent's message names as its `schema`, and the JSON Schema of its `input`."""
    known = engine.catalog.get(workflow)
    if known is None:
        raise NotFound(f"There is no workflow {workflow!r}.", hint="See: gatehouse workflows")
    return {"id": f"{workflow}.input", "version": known.input_version, "schema": known.input_schema}


def _inbound(engine: Engine) -> Inbound:
    return Inbound(engine.database, engine.intake, engine.carrier.seal_key, engine.entrance.attempts)


def _address(request: Request) -> str:
    return request.client.host if request.client else ""


def _started(started: Started) -> Json:
    return {"thread_id": str(UUID(started.thread_id)), "again": started.again}
