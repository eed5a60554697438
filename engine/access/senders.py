"""Other agents and systems that may start cases by what they send: their keys, and which messages were taken."""

import os
import secrets
from dataclasses import dataclass
from typing import Any, Literal

import psycopg
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from joserfc.jwk import KeySet
from psycopg.rows import DictRow
from psycopg.types.json import Jsonb
from pydantic import JsonValue

from contracts.errors import AlreadyExists, InvalidRequest, NotFound, SealBroken
from contracts.event import Event
from engine.access.keys import Principal
from engine.access.tokens import key_set
from engine.audit import audit
from engine.store.database import Connection
from engine.store.sql import load_queries

_SQL = load_queries(__file__)
_NONCE_BYTES = 12
Kind = Literal["agent", "hook"]
"""An agent signs its messages with a key of its own; a hook shares a secret with us."""


@dataclass(frozen=True)
class NewSender:
    """Who may send what starts cases of one workflow."""

    name: str
    kind: Kind
    workflow: str
    public_key: dict[str, Any] | None = None
    """Of an agent: a JWK."""
    scopes: tuple[str, ...] | None = None
    """Scopes of tools that its cases may use; None: no limit."""


@dataclass(frozen=True)
class Sender:
    """A sender that still counts."""

    id: str
    tenant: str
    name: str
    kind: Kind
    workflow: str
    public_key: dict[str, Any] | None
    sealed_secret: bytes | None

    @property
    def principal(self) -> str:
        """As in records."""
        return f"sender:{self.name}"

    @property
    def keys(self) -> KeySet:
        return key_set({"keys": [self.public_key]})

    def secret(self, seal_key: bytes) -> bytes:
        """What a hook signs with. Raises `SealBroken` where this installation did not write it."""
        sealed = self.sealed_secret or b""
        try:
            return AESGCM(seal_key).decrypt(
                sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], _binding(self.tenant, self.id)
            )
        except (InvalidTag, ValueError) as error:
            raise SealBroken(f"The secret of the sender {self.id} was not sealed here.") from error


async def add_sender(conn: Connection, new: NewSender, by: Principal, seal_key: bytes) -> tuple[str, bytes | None]:
    """Register a sender in the principal's tenant: its id, and a hook's secret, which cannot be read back by anybody.

    Raises `InvalidRequest` for a key that is none, `AlreadyExists` for a taken name.
    """
    sender_id, secret = f"snd_{secrets.token_hex(8)}", secrets.token_bytes(32) if new.kind == "hook" else None
    key = _public(new, sender_id) if new.kind == "agent" else None
    nonce = os.urandom(_NONCE_BYTES)
    sealed = nonce + AESGCM(seal_key).encrypt(nonce, secret, _binding(by.tenant, sender_id)) if secret else None
    row = {
        "id": sender_id,
        "tenant": by.tenant,
        "name": new.name,
        "kind": new.kind,
        "workflow": new.workflow,
        "public_key": Jsonb(key) if key else None,
        "sealed_secret": sealed,
        "scopes": None if new.scopes is None else sorted(new.scopes),
    }
    try:
        await conn.execute(_SQL["insert_sender"], row)
    except psycopg.errors.UniqueViolation as error:
        raise AlreadyExists(f"There is a sender named {new.name!r} already.", hint="Choose another name.") from error
    said: dict[str, JsonValue] = {"name": new.name, "kind": new.kind, "workflow": new.workflow, "tenant": by.tenant}
    await audit.append_to(conn, stream_of(sender_id), by.name, Event.SENDER_ADDED, said)
    return sender_id, secret


async def list_senders(conn: Connection, *, tenant: str) -> list[DictRow]:
    """A tenant's senders, without their secrets."""
    return await (await conn.execute(_SQL["list_senders"], {"tenant": tenant})).fetchall()


async def revoke_sender(conn: Connection, sender_id: str, by: Principal) -> None:
    """Take nothing from a sender any more, and do nothing more in its name. Raises `NotFound`."""
    if not await (await conn.execute(_SQL["revoke_sender"], {"id": sender_id, "tenant": by.tenant})).fetchone():
        raise NotFound(f"There is no sender {sender_id!r}.", hint="See: gatehouse senders list")
    await audit.append_to(conn, stream_of(sender_id), by.name, Event.SENDER_REVOKED, {})


async def find_sender(conn: Connection, sender_id: str, kind: Kind) -> Sender | None:
    """A sender that still counts, if there is one."""
    row = await (await conn.execute(_SQL["sender"], {"id": sender_id, "kind": kind})).fetchone()
    return Sender(**row) if row else None


async def take_once(conn: Connection, sender: Sender, message_id: str, thread_id: str) -> str | None:
    """Remember a message, whose case is `thread_id`; None where it is new, else the case that it began before."""
    params = {"sender_id": sender.id, "tenant": sender.tenant, "message_id": message_id, "thread_id": thread_id}
    if await (await conn.execute(_SQL["take_message"], params)).fetchone():
        return None
    row = await (await conn.execute(_SQL["message"], params)).fetchone()
    return str(row["thread_id"]) if row else thread_id


async def note_refused(conn: Connection, sender: Sender, message_id: str, why: str) -> None:
    """Record a message that its sender signed, and that starts nothing."""
    data: dict[str, JsonValue] = {"message_id": message_id, "why": why}
    await audit.append_to(conn, stream_of(sender.id), sender.principal, Event.MESSAGE_REFUSED, data)


async def note_taken(conn: Connection, sender: Sender, message_id: str, run_id: str) -> None:
    """Record a message that starts a run, in the transaction that makes it."""
    data: dict[str, JsonValue] = {"message_id": message_id, "run_id": run_id}
    await audit.append_to(conn, stream_of(sender.id), sender.principal, Event.MESSAGE_TAKEN, data)


def stream_of(sender_id: str) -> str:
    """The chain of what one sender sent."""
    return f"sender:{sender_id}"


def _public(new: NewSender, sender_id: str) -> dict[str, Any]:
    try:
        (key,) = key_set({"keys": [{**(new.public_key or {}), "kid": sender_id}]}).keys
    except (ValueError, TypeError) as error:
        raise InvalidRequest(
            "An agent is registered with one public key as a JWK: Ed25519, P-256 or RSA.",
            hint='As in {"kty": "OKP", "crv": "Ed25519", "x": "…"}.',
        ) from error
    return dict(key.as_dict(private=False))


def _binding(tenant: str, sender_id: str) -> bytes:
    return f"sender\0{tenant}\0{sender_id}".encode()
