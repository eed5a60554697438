"""The world's billing system: charges, price plans, and the two ways to give money back, each once per key."""

from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field
from starlette.applications import Starlette

from evals.worlds.seed import GIVEN_BACK, Seed
from evals.worlds.serving import Answer, Desk, Incoming, answered_before, receipt_id, record_effect, refusal
from evals.worlds.store import JsonObject, Rows, from_text


class Order(BaseModel):
    """What refunds and credits have in common."""

    model_config = ConfigDict(extra="forbid")

    account_id: str
    charge_id: str
    amount_cents: Annotated[int, Field(gt=0, strict=True)]
    currency: str
    charge_version: int


class RefundOrder(Order):
    invoice_id: str


class CreditOrder(Order):
    pass


def billing_world(desk: Desk, seed: Seed) -> Starlette:
    cashier = _Cashier(seed.today, seed.next_invoice_on)
    return Starlette(
        routes=[
            desk.route("billing.list_charges", "GET", "/charges", _list_charges),
            desk.route("billing.read_price_plan", "GET", "/plans", _read_plan),
            desk.route("billing.issue_refund", "POST", "/refunds", cashier.refund),
            desk.route("billing.issue_credit", "POST", "/credits", cashier.credit),
        ]
    )


def _list_charges(rows: Rows, incoming: Incoming) -> Answer:
    account_id = incoming.query.get("account_id", "")
    account = rows.one("account", account_id=account_id)
    if account is None:
        return refusal(404, f"no account {account_id!r}")
    charges = rows.all("charges", account_id=account_id, since=incoming.query.get("since", ""))
    reply: JsonObject = {
        "account_id": account_id,
        "account_holder": account["holder"],
        "account_email": account["email"],
        "charges": [from_text(row["record"]) | {name: row[name] for name in GIVEN_BACK} for row in charges],
    }
    return Answer(200, reply)


def _read_plan(rows: Rows, incoming: Incoming) -> Answer:
    account_id = incoming.query.get("account_id", "")
    account = rows.one("account", account_id=account_id)
    return Answer(200, from_text(account["plan"])) if account else refusal(404, f"no account {account_id!r}")


@dataclass(frozen=True)
class _Cashier:
    """Gives money back: the first request with a key acts, its repeats are answered with the first receipt."""

    today: str
    next_invoice_on: str

    def refund(self, rows: Rows, incoming: Incoming) -> Answer:
        order = RefundOrder.model_validate(incoming.body)
        return self._give_back(rows, incoming, order, "refund")

    def credit(self, rows: Rows, incoming: Incoming) -> Answer:
        order = CreditOrder.model_validate(incoming.body)
        return self._give_back(rows, incoming, order, "credit")

    def _give_back(self, rows: Rows, incoming: Incoming, order: Order, kind: Literal["refund", "credit"]) -> Answer:
        if answered := answered_before(rows, incoming, kind):
            return answered
        refused = _objection(rows, order)
        if refused:
            return refused
        given = {"refunded_cents": 0, "credited_cents": 0} | {f"{kind}ed_cents": order.amount_cents}
        rows.all("give_back", charge_id=order.charge_id, today=self.today, **given)
        return record_effect(rows, kind, incoming, self._receipt(kind, order, incoming.idempotency_key))

    def _receipt(self, kind: Literal["refund", "credit"], order: Order, key: str) -> JsonObject:
        common = order.model_dump(include={"account_id", "charge_id", "amount_cents", "currency"})
        match kind:
            case "refund":
                return common | {"refund_id": receipt_id("RF", key), "paid_on": self.today}
            case "credit":
                return common | {"credit_id": receipt_id("CR", key), "applies_from": self.next_invoice_on}


def _objection(rows: Rows, order: Order) -> Answer | None:
    """Why the order cannot be carried out now; None when it can."""
    row = rows.one("charge", charge_id=order.charge_id, account_id=order.account_id)
    if row is None:
        return refusal(404, f"account {order.account_id!r} has no charge {order.charge_id!r}")
    charge = from_text(row["record"])
    left = int(str(charge["amount_cents"])) - row["refunded_cents"] - row["credited_cents"]
    other_invoice = isinstance(order, RefundOrder) and order.invoice_id != charge["invoice_id"]
    objections = (
        (row["version"] != order.charge_version, 409, f"the charge has version {row['version']} by now"),
        (charge["status"] != "posted", 409, f"the charge is {charge['status']}"),
        (order.currency != charge["currency"], 422, f"the charge is in {charge['currency']}"),
        (other_invoice, 422, f"the charge is on invoice {charge['invoice_id']}"),
        (order.amount_cents > left, 422, f"{left} is left of the charge"),
    )
    return next((refusal(status, why) for holds, status, why in objections if holds), None)
