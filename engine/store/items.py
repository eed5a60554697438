"""LangGraph's store on the connection of a transaction of ours."""

import json
from typing import Any

from langgraph.store.postgres.aio import AsyncPostgresStore

from engine.store.database import Connection

_OPERATORS = {
    "$eq": "value->%s = %s::jsonb",
    "$ne": "value->%s IS DISTINCT FROM %s::jsonb",
    "$gt": "jsonb_typeof(value->%s) = jsonb_typeof(%s::jsonb) AND value->%s > %s::jsonb",
    "$gte": "jsonb_typeof(value->%s) = jsonb_typeof(%s::jsonb) AND value->%s >= %s::jsonb",
    "$lt": "jsonb_typeof(value->%s) = jsonb_typeof(%s::jsonb) AND value->%s < %s::jsonb",
    "$lte": "jsonb_typeof(value->%s) = jsonb_typeof(%s::jsonb) AND value->%s <= %s::jsonb",
}
OPERATORS = tuple(_OPERATORS)
"""What a filter may ask of a member beside being equal."""


class ItemStore(AsyncPostgresStore):
    """Call `abatch` inside the transaction; items whose time is over are not found."""

    def __init__(self, conn: Connection) -> None:
        super().__init__(conn, ttl={"omit_expired": True})

    def _ensure_task(self) -> None:
        # The parent's task gathers calls of different callers into one batch, in which one bad call fails the others.
        pass

    def _get_filter_condition(self, key: str, op: str, value: Any) -> tuple[str, list[Any]]:
        # The parent compares as text, where 10 is less than 9.
        condition = _OPERATORS[op]
        return condition, [key, json.dumps(value)] * (condition.count("%s") // 2)
