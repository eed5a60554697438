"""The stages of a purchase."""

from typing import cast

from langgraph.runtime import Runtime
from typing_extensions import TypedDict

from contracts.approval import JsonObject
from contracts.context import Context
from graphs.procurement.matching import match
from graphs.procurement.replies import RequestReply
from graphs.procurement.spending import weigh
from graphs.procurement.state import (
    Decided,
    Identity,
    Match,
    Matched,
    Opened,
    Purchase,
    Read,
    Reserved,
    Result,
    Spending,
    State,
    Understood,
    Wanted,
    Wish,
)
from guards.money import write_amount
from nodes.recovery import or_hand_off
from tools import accounting, budgets, purchasing, suppliers

RECORDS = (suppliers.find_suppliers, purchasing.list_offers, purchasing.list_orders, accounting.read_budget)


async def open_case(state: Wish) -> dict[str, object]:
    """Forget what an earlier case on the same thread left behind."""
    decided = ("reservation_decision", "decision", "settlement_decision")
    kept = ("reservation", "proposal", "receipt", "settlement", "drift", "problem")
    return dict.fromkeys((*decided, *kept)) | {"clarification": "", "rounds": 0}


class _Understood(TypedDict):
    identity: Identity
    wanted: Wanted
    rounds: int


@or_hand_off
async def read_request(state: Opened, runtime: Runtime[Context]) -> _Understood:
    """Read what is wanted. What comes back is looked up in the registers; it adds nothing to them."""
    decision, case = state["decision"], runtime.context.case
    reply = await runtime.context.models.ask(
        "read_request",
        RequestReply,
        request=state["request"],
        clarification=state["clarification"],
        reviewer_note=decision["message"] if decision else "",
    )
    wanted = cast(Wanted, reply.value.model_dump() | {"answered_by": reply.answered_by})
    identity = Identity(reference=case.thread_id, requester=case.requester, today=case.opened_on)
    return {"identity": identity, "wanted": wanted, "rounds": state["rounds"] + 1}


class _Records(TypedDict):
    records: JsonObject


@or_hand_off
async def read_records(state: Understood, runtime: Runtime[Context]) -> _Records:
    """The suppliers that the name may mean, the offers of the one, the budget, and what was ordered from it."""
    call, name = runtime.context.tools.call, state["wanted"]["supplier"].strip()
    found = suppliers.SuppliersReply(found=())
    if len(name) > 1:
        found = await call(suppliers.find_suppliers, suppliers.SuppliersRequest(name=name))
    offers = purchasing.OffersReply(offers=())
    if len(found.found) == 1:
        of = purchasing.OffersRequest(supplier_id=found.found[0].supplier_id)
        offers = await call(purchasing.list_offers, of)
    budget = await call(accounting.read_budget, accounting.BudgetRequest(cost_centre=state["cost_centre"]))
    period = purchasing.OrdersRequest(cost_centre=state["cost_centre"], since=budget.period_starts_on)
    orders = await call(purchasing.list_orders, period)
    replies = {"suppliers": found, "offers": offers, "budget": budget, "orders": orders}
    return {"records": {name: reply.model_dump(mode="json") for name, reply in replies.items()}}


class _Match(TypedDict):
    match: Match


async def match_request(state: Read) -> _Match:
    """The request against the registers, by rules."""
    records, decision = state["records"], state["decision"]
    said = (state["request"], state["clarification"], decision["message"] if decision else "")
    found = match(
        state["wanted"],
        " ".join(said),
        suppliers.SuppliersReply.model_validate(records["suppliers"]).found,
        purchasing.OffersReply.model_validate(records["offers"]).offers,
        accounting.Budget.model_validate(records["budget"]),
        today=state["identity"]["today"],
    )
    return {"match": found}


def what_exactly(state: Matched) -> str:
    """The question to somebody whose words fit several suppliers or offers, or none."""
    return state["match"]["says"]


class _Spending(TypedDict):
    spending: Spending


async def weigh_spending(state: Reserved) -> _Spending:
    """What counts against the budget and the limits beside this order."""
    records = state["records"]
    spending = weigh(
        state["identity"],
        purchase_of(state),
        accounting.Budget.model_validate(records["budget"]),
        purchasing.OrdersReply.model_validate(records["orders"]).orders,
        budgets.Reserved.model_validate(state["reservation"]),
    )
    return {"spending": spending}


def purchase_of(state: Matched) -> Purchase:
    """The purchase that was found. Raises `ValueError` where there is none."""
    purchase = state["match"]["purchase"]
    if purchase is None:
        raise ValueError("a request without a purchase cannot go on")
    return purchase


class _Again(TypedDict):
    drift: None
    rounds: int


async def look_again(state: Decided) -> _Again:
    """What was approved has changed before it was done, and was not done: begin anew with the registers as they are."""
    return {"drift": None, "rounds": state["rounds"] + 1}


async def close(state: Decided) -> Result:
    """End the case with one of the closed outcomes."""
    decision, receipt = state["decision"], state["receipt"]
    if receipt:
        amount = write_amount(int(str(receipt["amount_cents"])), str(receipt["currency"]))
        says = f"Ordered as {receipt['order_id']} for {amount} from {purchase_of(state)['supplier_name']}."
        return {"outcome": "completed", "summary": says}
    if decision and decision["type"] == "expired":
        return {"outcome": "expired", "summary": "Nobody decided about the order in time; nothing was ordered."}
    why = decision["reason"] if decision else ""
    return {"outcome": "rejected", "summary": f"Nothing was ordered. {why}".strip()}


async def hand_off(state: State) -> Result:
    """Leave the case to a person, with what they need to go on."""
    receipt = state.get("receipt")
    done = f" Already ordered: {receipt}." if receipt else " Nothing was ordered."
    return {"outcome": "handed_off", "summary": _why_handed_off(state) + done}


def _why_handed_off(state: State) -> str:
    problem, decision, found = state.get("problem"), state.get("decision"), state.get("match")
    drift = state.get("drift")
    if problem:
        return f"{problem['stage']} failed ({problem['code']}): {problem['detail']}"
    if found and found["standing"] == "unclear":
        return f"The request stays unclear. {found['says']}"
    if drift:
        return f"It changes with every approval. {drift['detail']}"
    if decision and decision["type"] == "respond":
        return f"The order was sent back too often: {decision['message']}"
    return found["says"] if found else "The request could not be understood."
