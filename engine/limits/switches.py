"""Kill switches: one operator stops a tenant, a workflow, a run or a tool at once; two let it go on."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, Self, get_args

from contracts.approval import JsonObject
from contracts.errors import Forbidden, InvalidRequest, NotFound, SwitchedOff
from contracts.event import Event
from engine.access.keys import Principal
from engine.audit import audit
from engine.store.database import Connection
from engine.store.sql import load_queries

_SQL = load_queries(__file__)

Scope = Literal["tenant", "workflow", "run", "tool"]
SCOPES: tuple[Scope, ...] = get_args(Scope)


@dataclass(frozen=True)
class Switch:
    """Something that was switched off."""

    id: int
    scope: Scope
    name: str
    reason: str
    off_by: str
    off_at: datetime
    on_asked_by: str | None
    """The first of the two who want it on again."""
    on_asked_at: datetime | None
    on_by: str | None
    on_at: datetime | None

    @property
    def off(self) -> bool:
        return self.on_at is None

    @classmethod
    def of(cls, row: dict[str, Any]) -> Self:
        return cls(**{name: row[name] for name in cls.__dataclass_fields__})


async def switch_off(conn: Connection, scope: Scope, name: str, by: Principal, *, reason: str) -> Switch:
    """Effective on the next call of whatever it stops, everywhere, once the caller's transaction is committed.

    Repeatable: what is off stays as it is, but for a wish to have it on again, which ends.
    """
    params = {"tenant": by.tenant, "scope": scope, "name": name, "reason": reason, "by": by.name}
    (row,) = await (await conn.execute(_SQL["switch_off"], params)).fetchall()
    data: JsonObject = {"scope": scope, "name": name, "reason": reason}
    await audit.append_to(conn, _stream(by.tenant), by.name, Event.SWITCHED_OFF, data)
    return Switch.of(row)


async def switch_on(conn: Connection, switch_id: int, by: Principal, *, reason: str) -> Switch:
    """Ask for something to be on again, or agree to that: it is once a second person has.

    Raises `NotFound`, also for another tenant's, and `Forbidden` for the one who asked before.
    """
    params = {"tenant": by.tenant, "id": switch_id, "by": by.name}
    found = await (await conn.execute(_SQL["held_switch"], params)).fetchone()
    if found is None:
        raise NotFound(f"No switch {switch_id} is off.", hint="List them with: gatehouse switches list")
    if found["on_asked_by"] == by.name:
        raise Forbidden(
            f"{by.name!r} has asked for it; somebody else has to agree.", hint="Ask another operator: it takes two."
        )
    agreed = found["on_asked_by"] is not None
    (row,) = await (await conn.execute(_SQL["switch_on" if agreed else "ask_for_on"], params)).fetchall()
    data: JsonObject = {"switch": switch_id, "scope": row["scope"], "name": row["name"], "reason": reason}
    event = Event.SWITCHED_ON if agreed else Event.SWITCH_ON_ASKED
    await audit.append_to(conn, _stream(by.tenant), by.name, event, data)
    return Switch.of(row)


async def switches(conn: Connection, *, tenant: str, all_: bool = False) -> list[Switch]:
    """What is off, and with `all_` what ever was, newest first."""
    params = {"tenant": tenant, "all": all_}
    return [Switch.of(row) for row in await (await conn.execute(_SQL["switches"], params)).fetchall()]


async def which_is_off(conn: Connection, asked: Sequence[tuple[Scope, str]], *, tenant: str) -> Switch | None:
    """One of the switches `asked` for, as scope and name, that is off; the tenant's own is always asked for."""
    every: list[tuple[Scope, str]] = [("tenant", tenant), *asked]
    params = {"tenant": tenant, "scopes": [scope for scope, _ in every], "names": [name for _, name in every]}
    row = await (await conn.execute(_SQL["which_is_off"], params)).fetchone()
    return Switch.of(row) if row else None


async def require_on(conn: Connection, asked: Sequence[tuple[Scope, str]], *, tenant: str) -> None:
    """Raises `SwitchedOff` when one of these, or the tenant, is off."""
    if off := await which_is_off(conn, asked, tenant=tenant):
        raise SwitchedOff(
            f"The {off.scope} {off.name!r} was switched off by {off.off_by!r}: {off.reason}",
            hint="Two operators switch it on again: gatehouse switches on.",
            facts={"scope": off.scope, "name": off.name},
        )


def require_scope(scope: str, name: str, *, tenant: str) -> str:
    """The name that a switch has. Raises `InvalidRequest` for one that stops nothing."""
    if scope not in SCOPES:
        raise InvalidRequest(f"{scope!r} cannot be switched off.", hint=f"One of: {', '.join(SCOPES)}.")
    if scope == "tenant":
        return tenant
    if not name:
        raise InvalidRequest(f"Say which {scope} is to be switched off.")
    return name


def _stream(tenant: str) -> str:
    return f"switches:{tenant}"
