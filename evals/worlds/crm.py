"""The world's customer register."""

from starlette.applications import Starlette

from evals.worlds.serving import Answer, Desk, Incoming, refusal
from evals.worlds.store import Rows, from_text


def crm_world(desk: Desk) -> Starlette:
    return Starlette(routes=[desk.route("crm.find_customer", "GET", "/customers", _find)])


def _find(rows: Rows, incoming: Incoming) -> Answer:
    account_id = incoming.query.get("account_id")
    if not account_id:
        return refusal(422, "account_id is missing")
    row = rows.one("customer", account_id=account_id)
    return Answer(200, {"found": from_text(row["record"]) if row else None})
