"""What each stage is worth: how often it sent cases another way, how often they ended otherwise, what it took.

What is told is what went together, and no cause: what a stage changes shows when it is replaced in a recorded case.
"""

from collections import Counter, defaultdict
from collections.abc import Mapping
from typing import Any

from psycopg.rows import DictRow

from engine.measures.outcomes import Span, in_units, rate, spread
from engine.store.database import Connection
from engine.store.sql import load_queries

_SQL = load_queries(__file__)

Json = dict[str, Any]
Place = tuple[str, str, str]
Ways = Mapping[str, Counter[str]]
"""Outcomes of the cases that left a stage in each way."""


async def stage_measures(conn: Connection, span: Span) -> list[Json]:
    """Each stage of each version with cases, ways, what it decided, what it took and cost."""

    async def rows(name: str) -> list[DictRow]:
        return await (await conn.execute(_SQL[name], vars(span))).fetchall()

    ways: dict[Place, dict[str, Counter[str]]] = defaultdict(lambda: defaultdict(Counter))
    for row in await rows("ways"):
        ways[_place(row)][row["way"]][row["outcome"]] += row["cases"]
    overruled = {_place(row): row for row in await rows("overruled")}
    costs: dict[Place, list[DictRow]] = defaultdict(list)
    for row in await rows("stage_costs"):
        costs[_place(row)].append(row)
    told = []
    for row in await rows("stages"):
        place = _place(row)
        worth = decided(ways[place], row["cases"]) | _gate(overruled.get(place))
        told.append(_stage(row) | worth | _cost(costs[place]))
    return told


def decided(ways: Ways, cases: int) -> Json:
    """What a stage decided, of so many cases that were at it.

    `usual` is the way that most of them took, `diverted` how many took another, `changed` how many of these ended with
    another outcome than most of those on the usual way. Of equals the first by name counts as the most.
    """
    if not ways:
        return {"ways": {}, "usual": None, "diverted": 0, "changed": 0, "value": 0.0 if cases else None}
    sizes = {way: outcomes.total() for way, outcomes in ways.items()}
    usual = _most(sizes)
    expected = _most(ways[usual])
    others = [outcomes for way, outcomes in ways.items() if way != usual]
    diverted = sum(outcomes.total() for outcomes in others)
    changed = sum(outcomes.total() - outcomes[expected] for outcomes in others)
    ordered = dict(sorted(sizes.items(), key=lambda item: (-item[1], item[0])))
    return {"ways": ordered, "usual": usual, "diverted": diverted, "changed": changed, "value": rate(changed, cases)}


def _most(sizes: Mapping[str, int]) -> str:
    return min(sizes, key=lambda name: (-sizes[name], name))


def _place(row: DictRow) -> Place:
    return (row["workflow"], row["version"], row["stage"])


def _stage(row: DictRow) -> Json:
    names = ("workflow", "version", "stage", "cases", "visits", "failed")
    return {name: row[name] for name in names} | {"took_ms": spread(row["took_ms"])}


def _gate(row: DictRow | None) -> Json:
    """How often people said anything but a plain yes to what was proposed here."""
    asked, changed = (row["decided"], row["changed"]) if row else (0, 0)
    return {"asked_people": asked, "overruled": changed}


def _cost(rows: list[DictRow]) -> Json:
    paid = {row["currency"]: in_units(row["cost"]) for row in rows if row["currency"]}
    return {"model_calls": sum(row["calls"] for row in rows), "cost": paid}
