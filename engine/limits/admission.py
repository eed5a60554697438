"""Whether one call may be made now: one statement asks everything, and the first reason against it is heard."""

from collections.abc import Awaitable, Callable, Collection, Mapping
from math import ceil

from psycopg.types.json import Jsonb

from contracts.errors import (
    BudgetExceeded,
    CircuitOpen,
    LoopDetected,
    RateLimited,
    SwitchedOff,
    ToolSwitchedOff,
)
from engine.limits.breakers import PROBE_S
from engine.limits.model import Ask, Share, Standing
from engine.store.database import Connection
from engine.store.sql import load_queries

_SQL = load_queries(__file__)
_LONGEST_REASON = 120


async def stand(conn: Connection, ask: Ask) -> Standing:
    """How every limit of a call stands, this call included: reserved in the caller's transaction, and undone with it.

    Holds the rows of the limits until then, so it comes last in a transaction, behind the audit trail.
    """
    takes = ask.kind == "model" or ask.shares or ask.rates
    (row,) = await (await conn.execute(_SQL["admit" if takes else "look"], ask.row())).fetchall()
    novel = row["unknown"] and await _is_news(conn, ask)
    used = tuple(row["used"] or ())
    return Standing(row["off"], row["broken"], row["paced"] or {}, used, row["iterations"], novel)


async def _is_news(conn: Connection, ask: Ask) -> bool:
    row = await (await conn.execute(_SQL["learn"], ask.row())).fetchone()
    return bool(row and row["novel"])


def require_on(ask: Ask, standing: Standing) -> None:
    """Raises `SwitchedOff`, `ToolSwitchedOff` for a tool."""
    if (off := standing.off) is None:
        return
    what = "Everything of this tenant" if off["scope"] == "tenant" else f"The {off['scope']} {off['name']!r}"
    kind = ToolSwitchedOff if off["scope"] == "tool" else SwitchedOff
    raise kind(
        f"{what} was switched off by {off['off_by']!r}: {off['reason']}",
        hint="Two operators switch it on again: gatehouse switches on.",
        facts={"scope": off["scope"], "name": off["name"]},
    )


async def require_no_loop(conn: Connection, ask: Ask, standing: Standing) -> None:
    """Raises `LoopDetected`, with what was tried, where a model stage was executed too often without an end."""
    if ask.iterations and standing.iterations >= ask.iterations:
        raise LoopDetected(
            f"Stage {ask.stage!r} has asked its model {standing.iterations} times without coming to an end. "
            f"{await tried(conn, ask.case_id)}",
            hint="A person takes the case up.",
            facts={"stage": ask.stage, "iterations": standing.iterations},
        )


async def tried(conn: Connection, case_id: str) -> str:
    """What a case has tried, in one sentence for whoever takes it up."""
    rows = await (await conn.execute(_SQL["tried"], {"case_id": case_id})).fetchall()
    said = [f"{row['tool']} {row['calls']}x {row['state']}{_because(row['said'])}" for row in rows]
    return f"Tried: {'; '.join(said)}." if said else "It has called no tool."


def require_in_pace(ask: Ask, standing: Standing) -> None:
    """Raises `RateLimited` with the seconds after which to come again."""
    waits = {rate.name: rate.wait_s(standing.paced[rate.name]) for rate in ask.rates if rate.name in standing.paced}
    name = max(waits, key=lambda name: waits[name], default="")
    if name and waits[name] > 0:
        raise rate_limited(f"The limit of {name!r} is reached: {_rate_of(ask, name)} in a minute.", waits[name])


def require_budget(ask: Ask, standing: Standing) -> None:
    """Raises `BudgetExceeded`, or `RateLimited` where too many calls are under way."""
    limits = {(share.scope, share.unit, _kind_of(share.period)): share for share in ask.shares}
    for row in standing.used:
        share = limits[row["scope"], row["unit"], _kind_of(row["period"])]
        if row["used"] <= share.limit:
            continue
        if share.unit == "under_way":
            raise rate_limited(f"{share.limit} calls of {ask.name!r} are under way, as many as may be.", 1.0)
        raise BudgetExceeded(
            f"{_said(share)} may use {share.limit} {_unit(share.unit)} {_when(share.period)}; "
            f"with this call it would be {row['used']}.",
            hint="What is under way counts as used.",
            facts={"scope": share.scope, "unit": share.unit, "limit": share.limit, "left": _left(share, row["used"])},
        )


async def require_whole(conn: Connection, ask: Ask, standing: Standing) -> None:
    """Raises `CircuitOpen` while the breaker is open; once its time is over, one call becomes the probe."""
    broken = standing.broken
    if broken is None or broken["state"] == "closed":
        return
    params = {"tenant": ask.tenant, "name": ask.breaker, "probe_s": PROBE_S}
    if broken["for_s"] <= 0 and await (await conn.execute(_SQL["probe"], params)).fetchone():
        return
    wait_s = max(1.0, float(broken["for_s"]))
    named = f"{ask.name}/{ask.route}" if ask.route else ask.name
    raise CircuitOpen(
        f"{named!r} has failed too often lately and is not called for another {wait_s:.0f} s.",
        hint="It is tried again by itself; a person may take the case up meanwhile.",
        facts={"retry_after_s": ceil(wait_s)},
    )


def rate_limited(detail: str, wait_s: float) -> RateLimited:
    """With the exact seconds for who waits here, and whole ones for who reads it."""
    facts = {"retry_after_s": max(1, ceil(wait_s)), "wait_s": round(wait_s, 3)}
    return RateLimited(detail, hint=f"Come again after {facts['retry_after_s']} s.", facts=facts)


async def admit(conn: Connection, ask: Ask, controls: Collection[str]) -> Standing:
    """Reserve a call of a model and judge it by the controls named. Raises as they do."""
    standing = await stand(conn, ask)
    for name, judge in JUDGES.items():
        if name in controls:
            judge(ask, standing)
    for name, look in LOOKS.items():
        if name in controls:
            await look(conn, ask, standing)
    return standing


async def settle(conn: Connection, call_key: str, actual: Mapping[str, int], *, state: str = "spent") -> None:
    """Replace what a call of a model held by what it came to, by unit; comes last in a transaction."""
    await conn.execute(_SQL["settle"], {"call_key": call_key, "state": state, "actual": Jsonb(dict(actual))})


JUDGES: dict[str, Callable[[Ask, Standing], None]] = {
    "kill-switches": require_on,
    "rate-limits": require_in_pace,
    "budget-caps": require_budget,
}
"""By the name of the control: those that judge what was answered."""

LOOKS: dict[str, Callable[[Connection, Ask, Standing], Awaitable[None]]] = {
    "loops": require_no_loop,
    "breakers": require_whole,
}
"""Those that have to look further."""

CONTROLS = (*JUDGES, *LOOKS)


def _because(said: str | None) -> str:
    return f" ({said[:_LONGEST_REASON]})" if said else ""


def _kind_of(period: str) -> str:
    return "day" if period[:1].isdigit() else period


def _left(share: Share, used: int) -> int:
    return max(0, share.limit - (used - share.n))


def _said(share: Share) -> str:
    kind, _, name = share.scope.partition(":")
    workflow, _, tool = name.partition("/")
    return f"{tool!r} in {workflow!r}" if tool else f"The {kind} {name!r}"


def _unit(unit: str) -> str:
    if unit == "ms":
        return "milliseconds of calls"
    kind, _, currency = unit.partition(":")
    return {"money": f"minor units of {currency}", "cost": f"millionths of {currency} for models"}.get(
        kind, unit.replace("_", " ")
    )


def _when(period: str) -> str:
    return "in a day" if period == "day" else "in a case"


def _rate_of(ask: Ask, name: str) -> int:
    return next(rate.per_minute for rate in ask.rates if rate.name == name)
