"""People and services that identity providers vouch for: what their newest token says, and whether they are blocked."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, cast

from psycopg.rows import DictRow
from pydantic import JsonValue

from contracts.errors import Forbidden, NotFound, Unauthenticated
from contracts.event import Event
from engine.access.issuers import Issuers, IssuerSettings, tenant_in, words_at
from engine.access.keys import ROLES, Principal
from engine.access.tokens import Claims, refused
from engine.audit import audit
from engine.store.database import Connection, Database
from engine.store.scope import of_tenant
from engine.store.sql import load_queries

_SQL = load_queries(__file__)
_LONGEST_SUBJECT = 200


@dataclass(frozen=True)
class _SignedIn:
    """Who a token speaks for, and since when it says what it says."""

    principal: Principal
    issued_at: datetime


async def sign_in(database: Database, issuers: Issuers, token: str) -> Principal:
    """Whom a token speaks for, and with which roles; kept, so that it counts for what they ask to have done later.

    A token that is older than the newest one of its person gives no right that the newest does not. Raises
    `Unauthenticated` for a token or a person that is not accepted, `IssuerUnavailable`.
    """
    issuer, claims = await issuers.verified(token)
    said = _SignedIn(_principal(issuer, claims), _issued_at(claims))
    with of_tenant(said.principal.tenant):
        row = await _kept(database, said)
    if row["blocked_at"]:
        raise refused("whoever it speaks for is blocked here")
    return said.principal if said.issued_at >= row["rights_at"] else _narrowed(said.principal, row)


async def _kept(database: Database, said: _SignedIn) -> DictRow:
    async with database.reading() as conn:
        row = await _row(conn, said.principal)
    if row is not None and not _news(row, said):
        return row
    async with database.transaction() as conn:
        return await _keep(conn, said)


async def list_people(conn: Connection, *, tenant: str) -> list[DictRow]:
    """Everybody of a tenant who ever signed in by a token."""
    return await (await conn.execute(_SQL["list_people"], {"tenant": tenant})).fetchall()


async def block(conn: Connection, name: str, by: Principal) -> None:
    """Let somebody's tokens count no more, for what they asked before too; again does nothing. Raises `NotFound`."""
    await _set_blocked(conn, name, by, Event.PERSON_BLOCKED)


async def unblock(conn: Connection, name: str, by: Principal) -> None:
    """Let somebody's tokens count again. Raises `NotFound`, `Forbidden` where they ask it for themselves."""
    if name == by.name:
        raise Forbidden("Nobody lets themselves in again.", hint="Ask another operator.")
    await _set_blocked(conn, name, by, Event.PERSON_UNBLOCKED)


async def _set_blocked(conn: Connection, name: str, by: Principal, event: Event) -> None:
    params = {"tenant": by.tenant, "name": name, "by": by.name if event is Event.PERSON_BLOCKED else None}
    if not await (await conn.execute(_SQL["set_blocked"], params)).fetchone():
        raise NotFound(f"Nobody named {name!r} has signed in.", hint="See: gatehouse people list")
    await audit.append_to(conn, _stream(by.tenant, name), by.name, event, {"name": name, "tenant": by.tenant})


async def _row(conn: Connection, person: Principal) -> DictRow | None:
    return await (await conn.execute(_SQL["person"], {"tenant": person.tenant, "name": person.name})).fetchone()


def _news(row: DictRow, said: _SignedIn) -> bool:
    """Whether a newer token says something else, or is the first for a while."""
    return said.issued_at >= row["rights_at"] and (
        _rights(said.principal) != _stored(row) or bool(row["seen_long_ago"])
    )


async def _keep(conn: Connection, said: _SignedIn) -> DictRow:
    who = said.principal
    before = await _row(conn, who)
    params = {"tenant": who.tenant, "name": who.name, "rights_at": said.issued_at, **_rights(who)}
    row = await (await conn.execute(_SQL["keep_person"], params)).fetchone()
    if row is None:  # a newer token came at the same time
        row = await _row(conn, who)
    elif before is None or _stored(before) != _rights(who):
        event = Event.PERSON_CHANGED if before else Event.PERSON_SEEN
        data: dict[str, JsonValue] = {
            "name": who.name,
            "tenant": who.tenant,
            **cast("dict[str, JsonValue]", _rights(who)),
        }
        await audit.append_to(conn, _stream(who.tenant, who.name), who.name, event, data)
    if row is None:
        raise Unauthenticated("The token is not accepted: its person was forgotten meanwhile.")
    return row


def _principal(issuer: IssuerSettings, claims: Claims) -> Principal:
    tenant = tenant_in(issuer, claims)
    subject = words_at(claims, issuer.subject_claim)
    if len(subject) != 1 or not subject[0].isprintable() or len(subject[0]) > _LONGEST_SUBJECT:
        raise refused("it does not name one subject")
    theirs = words_at(claims, issuer.roles_claim)
    roles = {issuer.roles.get(name, name) for name in theirs} & set(ROLES)
    if not roles:
        raise refused("it gives none of the roles that are known here")
    approves = words_at(claims, issuer.approves_claim) if issuer.approves_claim else []
    scopes = frozenset(words_at(claims, issuer.scopes_claim)) if issuer.scopes_claim else None
    return Principal(f"{issuer.name}:{subject[0]}", frozenset(roles), frozenset(approves), tenant, scopes)


def _issued_at(claims: Claims) -> datetime:
    return datetime.fromtimestamp(float(cast(float, claims["iat"])), UTC)


def _narrowed(who: Principal, row: DictRow) -> Principal:
    stored = None if row["scopes"] is None else frozenset(row["scopes"])
    scopes = who.scopes if stored is None else stored if who.scopes is None else who.scopes & stored
    roles, approves = who.roles & set(row["roles"]), who.approver_roles & set(row["approver_roles"])
    return replace(who, roles=roles, approver_roles=approves, scopes=scopes)


def _rights(who: Principal) -> dict[str, Any]:
    scopes = None if who.scopes is None else sorted(who.scopes)
    return {"roles": sorted(who.roles), "approver_roles": sorted(who.approver_roles), "scopes": scopes}


def _stored(row: DictRow) -> dict[str, Any]:
    return {name: row[name] for name in ("roles", "approver_roles", "scopes")}


def _stream(tenant: str, name: str) -> str:
    return f"person:{tenant}:{name}"
