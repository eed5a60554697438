"""The world's supplier register, and the people who keep it."""

import re
from typing import Literal

from pydantic import BaseModel, ConfigDict
from starlette.applications import Starlette

from evals.worlds.serving import Answer, Desk, Incoming, refusal
from evals.worlds.store import JsonObject, Rows, from_text, to_text

_LEGAL_FORMS = frozenset({"ltd", "gmbh", "ag", "sarl", "inc", "kk", "as", "ou"})


class Change(BaseModel):
    """What somebody in procurement enters: a sanction, a block, another account."""

    model_config = ConfigDict(extra="forbid")

    supplier_id: str
    standing: Literal["approved", "new", "blocked", "sanctioned"] | None = None
    bank_account: str | None = None
    bank_account_since: str | None = None


def suppliers_world(desk: Desk) -> Starlette:
    return Starlette(
        routes=[
            desk.route("suppliers.find_suppliers", "GET", "/suppliers", _find),
            desk.route("suppliers.change_supplier", "POST", "/changes", _change),
        ]
    )


def _find(rows: Rows, incoming: Incoming) -> Answer:
    name = incoming.query.get("name", "")
    if not _words(name):
        return refusal(422, "name is missing")
    known = [from_text(row["record"]) | {"version": row["version"]} for row in rows.all("suppliers")]
    return Answer(200, {"found": [record for record in known if _means(name, record)]})


def _means(name: str, record: JsonObject) -> bool:
    """Whether every word of `name`, legal forms aside, stands in one name of the supplier."""
    others = record["also_known_as"]
    names = [record["name"], *(others if isinstance(others, list) else [])]
    return name == record["supplier_id"] or any(_words(name) <= _words(str(known)) for known in names)


def _words(name: str) -> set[str]:
    return set(re.findall(r"\w+", name.casefold())) - _LEGAL_FORMS


def _change(rows: Rows, incoming: Incoming) -> Answer:
    change = Change.model_validate(incoming.body)
    row = rows.one("supplier", supplier_id=change.supplier_id)
    if row is None:
        return refusal(404, f"no supplier {change.supplier_id!r}")
    record = from_text(row["record"]) | change.model_dump(exclude_none=True)
    rows.all("change_supplier", supplier_id=change.supplier_id, record=to_text(record))
    return Answer(200, record | {"version": row["version"] + 1})
