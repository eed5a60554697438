"""The world's accounting system."""

from starlette.applications import Starlette

from evals.worlds.serving import Answer, Desk, Incoming, refusal
from evals.worlds.store import Rows, from_text


def accounting_world(desk: Desk) -> Starlette:
    return Starlette(routes=[desk.route("accounting.read_budget", "GET", "/budgets", _read)])


def _read(rows: Rows, incoming: Incoming) -> Answer:
    cost_centre = incoming.query.get("cost_centre", "")
    row = rows.one("cost_centre", cost_centre=cost_centre)
    return Answer(200, from_text(row["record"])) if row else refusal(404, f"no cost centre {cost_centre!r}")
