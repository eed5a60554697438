"""How much a workflow may do by itself, for each tenant: five modes, raised by two people and lowered by one."""

import uuid
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal, get_args

from contracts.approval import JsonObject
from contracts.errors import AlreadyDecided, Forbidden, InvalidRequest, NotFound
from contracts.event import Event
from engine.access.keys import Principal
from engine.audit import audit
from engine.policies.cedar import USUAL_MODE
from engine.store.database import Connection
from engine.store.sql import load_queries

_SQL = load_queries(__file__)

Mode = Literal["shadow", "read_only", "approve_all", "thresholds", "auto"]
MODES: tuple[Mode, ...] = get_args(Mode)
"""From the one that does least to the one that does most without a person."""


@dataclass(frozen=True)
class Wish:
    """A higher mode that somebody wants and that a second person has not agreed to yet."""

    id: str
    mode: Mode
    reason: str
    asked_by: str
    asked_at: datetime


@dataclass(frozen=True)
class Standing:
    """The mode in which a workflow works for one tenant."""

    workflow: str
    mode: Mode
    reason: str = ""
    set_by: str | None = None
    """None: nobody ever changed it."""
    set_at: datetime | None = None
    wish: Wish | None = None


async def mode_of(conn: Connection, workflow: str, *, tenant: str) -> str:
    """The mode that counts for the next call."""
    row = await (await conn.execute(_SQL["mode"], {"tenant": tenant, "workflow": workflow})).fetchone()
    return str(row["mode"]) if row else USUAL_MODE


async def standing(conn: Connection, workflow: str, *, tenant: str) -> Standing:
    """The mode, who set it, and what was asked for."""
    params = {"tenant": tenant, "workflow": workflow}
    row = await (await conn.execute(_SQL["mode"], params)).fetchone()
    found = Standing(workflow, row["mode"], row["reason"], row["set_by"], row["set_at"]) if row else None
    asked = await (await conn.execute(_SQL["open_wish"], params)).fetchone()
    wish = (
        Wish(str(asked["id"]), *(asked[name] for name in ("mode", "reason", "asked_by", "asked_at"))) if asked else None
    )
    return replace(found or Standing(workflow, "thresholds"), wish=wish)


async def change(conn: Connection, workflow: str, mode: Mode, by: Principal, *, reason: str) -> Standing:
    """Lower the mode at once, or ask for a higher one, which a second person decides: `decide_wish`.

    What was asked for before and is not decided counts no more. Raises `Forbidden`, `InvalidRequest` where nothing
    would change.
    """
    by.require("operator")
    now = await _held(conn, workflow, by)
    if now.mode == mode and now.wish is None:
        raise InvalidRequest(f"{workflow!r} works in the mode {mode!r} already.")
    params = {"tenant": by.tenant, "workflow": workflow, "mode": mode, "reason": reason, "by": by.name}
    await conn.execute(_SQL["withdraw"], params)
    data: JsonObject = {"workflow": workflow, "tenant": by.tenant, "from": now.mode, "to": mode, "reason": reason}
    if MODES.index(mode) <= MODES.index(now.mode):
        await conn.execute(_SQL["set"], params)
        await _record(conn, workflow, by, Event.MODE_CHANGED, data)
    else:
        wish = {"id": str(uuid.uuid4())}
        await conn.execute(_SQL["wish"], params | wish)
        await _record(conn, workflow, by, Event.MODE_ASKED, data | {"request_id": wish["id"]})
    return await standing(conn, workflow, tenant=by.tenant)


async def decide_wish(
    conn: Connection, workflow: str, wish_id: str, by: Principal, *, agreed: bool, reason: str
) -> Standing:
    """Raise the mode as somebody else asked, or not.

    Raises `Forbidden` for who asked, and for who is neither operator nor reviewer; `NotFound`, `AlreadyDecided`.
    """
    if not by.roles & {"operator", "reviewer"}:
        by.require("reviewer")
    await _held(conn, workflow, by)
    params = {"id": wish_id, "tenant": by.tenant, "workflow": workflow, "by": by.name, "reason": reason}
    row = await (await conn.execute(_SQL["wish_by_id"], params)).fetchone()
    if row is None:
        raise NotFound(f"Nobody asked for another mode of {workflow!r} under {wish_id!r}.")
    if row["state"] != "open":
        raise AlreadyDecided(f"This was {row['state']} before.", facts={"winner": {"decision": row["state"]}})
    if row["asked_by"] == by.name:
        raise Forbidden("Who asks for a higher mode does not agree to it (four eyes).", hint="Ask somebody else.")
    await conn.execute(_SQL["decide_wish"], params | {"state": "approved" if agreed else "rejected"})
    data: JsonObject = {"workflow": workflow, "tenant": by.tenant, "to": row["mode"], "reason": reason}
    data |= {"request_id": wish_id, "asked_by": row["asked_by"]}
    if agreed:
        await conn.execute(_SQL["set"], params | {"mode": row["mode"]})
    await _record(conn, workflow, by, Event.MODE_CHANGED if agreed else Event.MODE_REFUSED, data)
    return await standing(conn, workflow, tenant=by.tenant)


async def _held(conn: Connection, workflow: str, by: Principal) -> Standing:
    """One change of a workflow's mode at a time."""
    await conn.execute(_SQL["hold"], {"tenant": by.tenant, "workflow": workflow})
    return await standing(conn, workflow, tenant=by.tenant)


async def _record(conn: Connection, workflow: str, by: Principal, event: Event, data: JsonObject) -> None:
    await audit.append_to(conn, f"mode:{by.tenant}.{workflow}", by.name, event, data)
