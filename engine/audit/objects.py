"""Business objects: which ones a call is about, and the cases that touched one."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import JsonValue

from contracts.errors import InvalidRequest
from engine.store.database import Connection
from engine.store.sql import load_queries

_SQL = load_queries(__file__)
_MOST = 50
_LONGEST = 200


@dataclass(frozen=True)
class Objects:
    """What a record is about, for the index: `(system, kind, value)`, as in `("shop", "order", "1042")`."""

    tenant: str
    named: tuple[tuple[str, str, str], ...] = ()

    @property
    def flat(self) -> list[str] | None:
        return [text for one in self.named for text in one] or None


NO_OBJECTS = Objects("")


def objects_of(tenant: str, tool: str, args: Mapping[str, JsonValue], target: str) -> Objects:
    """The objects of a call: its target, and whatever its arguments `<kind>_id` and `<kind>_ids` name."""
    system, found = tool.partition(".")[0], dict[tuple[str, str, str], None]()
    for name, value in args.items():
        if name.endswith(("_id", "_ids")) or (target and str(value) == target):
            kind = name.removesuffix("s") if name.endswith("_ids") else name
            values = value if isinstance(value, list) else [value]
            found |= {(system, kind.removesuffix("_id"), str(v)): None for v in values if _names(v)}
    return Objects(tenant, tuple(found)[:_MOST])


async def cases_about(
    conn: Connection, asked: str, *, tenant: str, limit: int, after: str = ""
) -> list[dict[str, Any]]:
    """Cases whose calls named `kind:value`, `system:value` or `case:<thread id>`, by name of their chains.

    Each with the objects that matched and the record at which each came up. Raises `InvalidRequest`.
    """
    kind, separator, value = asked.partition(":")
    if not (separator and kind and value):
        raise InvalidRequest(
            f"{asked!r} names no business object.", hint="Write kind:value, as in order:1042, or system:value."
        )
    params = {"tenant": tenant, "kind": kind, "value": value, "limit": limit, "after": after}
    name = "case_itself" if kind == "case" else "cases_about"
    return [dict(row) for row in await (await conn.execute(_SQL[name], params)).fetchall()]


def _names(value: JsonValue) -> bool:
    return isinstance(value, str | int) and not isinstance(value, bool) and 0 < len(str(value)) <= _LONGEST
