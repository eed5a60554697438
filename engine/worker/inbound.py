"""Signed messages of other agents and signed events of other systems: each starts one run, or nothing and a record."""

import json
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, replace

from pydantic import JsonValue

from contracts.approval import JsonObject
from contracts.errors import AlreadyExists, GatehouseError, InvalidRequest, MessageRefused, NotFound, Unauthenticated
from engine.access.attempts import Attempts
from engine.access.senders import Sender, find_sender, note_refused, note_taken, take_once
from engine.access.tokens import Claims, Expected, read_unverified, verify
from engine.runs.model import NewRun, NewThread, RunOptions
from engine.store.database import Database
from engine.store.scope import across_tenants, of_tenant
from engine.webhooks.signing import require_signed
from engine.worker.intake import Intake

LONGEST_LIFE_S = 3600
_LONGEST_ID = 200


@dataclass(frozen=True)
class Started:
    """The case that a message started, now or when it came first."""

    thread_id: str
    again: bool


@dataclass(frozen=True)
class Inbound:
    """The way in for whoever has no key and signs what it sends."""

    database: Database
    intake: Intake
    seal_key: bytes
    attempts: Attempts

    async def message(self, workflow: str, token: str, *, address: str) -> Started:
        """Start a run of a workflow as an agent's message asks.

        Raises `Unauthenticated` for what no registered agent signed, `MessageRefused` for what is addressed or written
        otherwise, `AlreadyExists` for one that was taken before, and as `Intake.accept` does.
        """
        self.attempts.require_allowed(token, address)
        try:
            sender = await self._sender(read_unverified(token).issuer, "agent")
            required = ("iat", "jti", "schema", "input")
            claims = verify(token, sender.keys, Expected(sender.id, sender.workflow, required))
        except Unauthenticated as error:
            self.attempts.failed(error.code, token, address)
            raise
        message_id = str(claims["jti"])[:_LONGEST_ID]
        with of_tenant(sender.tenant):
            try:
                started = await self._start(sender, message_id, self._asked(sender, workflow, claims))
                if started.again:
                    raise AlreadyExists("This message was taken before.", facts={"thread_id": started.thread_id})
            except GatehouseError as error:
                await self._note(sender, message_id, error)
                raise
        return started

    async def event(self, sender_id: str, headers: Mapping[str, str], body: bytes, *, address: str) -> Started:
        """Start a run of a hook's workflow with an event; the same event again finds the run that it started.

        Raises `Unauthenticated` for what the hook did not sign now, `InvalidRequest` for an event that the workflow
        cannot use, and as `Intake.accept` does.
        """
        credential = f"{sender_id} {headers.get('webhook-signature', '')}"
        self.attempts.require_allowed(credential, address)
        try:
            sender = await self._sender(sender_id, "hook")
            message_id = require_signed(sender.secret(self.seal_key), headers, body, time.time())
        except Unauthenticated as error:
            self.attempts.failed(error.code, credential, address)
            raise
        with of_tenant(sender.tenant):
            try:
                return await self._start(sender, message_id, self._run(sender, _content(body)))
            except GatehouseError as error:
                await self._note(sender, message_id, error)
                raise

    async def _sender(self, sender_id: str, kind: str) -> Sender:
        with across_tenants("whose sender it is"):
            async with self.database.reading() as conn:
                sender = await find_sender(conn, sender_id, "agent" if kind == "agent" else "hook")
        if sender is None:
            raise Unauthenticated("No sender that counts has signed this.")
        return sender

    def _asked(self, sender: Sender, workflow: str, claims: Claims) -> NewRun:
        """The run that a message asks for, if it is written for us as we are."""
        known, said = self.intake.catalog.get(workflow), claims["schema"]
        if sender.workflow != workflow or known is None:
            raise MessageRefused(f"The message is for {sender.workflow!r}, not for {workflow!r}.")
        if claims.get("tenant", sender.tenant) != sender.tenant:
            raise MessageRefused("The message is for another tenant than its sender's.")
        if said != {"id": f"{workflow}.input", "version": known.input_version}:
            raise MessageRefused(
                "The message is of a schema that is not known here.",
                hint=f"GET /senders/schemas/{workflow} says which is.",
            )
        if _number(claims["exp"]) - _number(claims["iat"]) > LONGEST_LIFE_S:
            raise MessageRefused(f"A message lives {LONGEST_LIFE_S} s at most.")
        content, scope = claims["input"], claims.get("scope")
        if not isinstance(content, dict) or not isinstance(scope, str | None):
            raise MessageRefused("The message's `input` is no object, or its `scope` no text.")
        run = self._run(sender, content)
        return run if scope is None else replace(run, options=RunOptions(scopes=tuple(scope.split())))

    def _run(self, sender: Sender, content: JsonObject) -> NewRun:
        if sender.workflow not in self.intake.catalog:
            raise NotFound(f"There is no workflow {sender.workflow!r} any more.")
        thread_id = str(uuid.uuid4())
        return NewRun(thread_id, sender.tenant, sender.workflow, sender.principal, content)

    async def _start(self, sender: Sender, message_id: str, new: NewRun) -> Started:
        ready = self.intake.prepared(new)
        async with self.database.transaction() as conn:
            before = await take_once(conn, sender, message_id, ready.thread_id)
            if before:
                return Started(before, again=True)
            run = await self.intake.accept_in(conn, ready, thread=NewThread(ready.thread_id, ready.tenant))
            await note_taken(conn, sender, message_id, run.id)
        return Started(ready.thread_id, again=False)

    async def _note(self, sender: Sender, message_id: str, error: GatehouseError) -> None:
        if error.status < 500:
            async with self.database.transaction() as conn:
                await note_refused(conn, sender, message_id, f"{error.code}: {error.detail}")


def _content(body: bytes) -> JsonObject:
    """What an event is about: its `data` where it is in an envelope, else all of it."""
    try:
        event: JsonValue = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise InvalidRequest("The event is not JSON.") from error
    if isinstance(event, dict) and isinstance(event.get("type"), str) and isinstance(event.get("data"), dict):
        event = event["data"]
    if not isinstance(event, dict):
        raise InvalidRequest("The event is no object.")
    return event


def _number(value: JsonValue) -> float:
    return float(value) if isinstance(value, int | float) else 0.0
