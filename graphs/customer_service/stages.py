"""The stages of a conversation with a customer."""

from collections.abc import Mapping
from typing import Any, cast

from langgraph.runtime import Runtime

from contracts.approval import JsonObject
from contracts.context import Context
from contracts.errors import PolicyDenied, ToolRefused
from contracts.tool import ToolModel
from graphs.customer_service.drafts import summary_of
from graphs.customer_service.state import Desk, Message, Moved, Proposed, Records, Result, State
from nodes.agent import hear, refusal
from nodes.recovery import or_hand_off
from tools import shop_catalogue, shop_customers, shop_orders
from tools.shop_customers import Found
from tools.shop_orders import Order

WEIGHED = (shop_customers.read_profile, shop_orders.read_order, shop_catalogue.read_product)
_DESKS: dict[str, Desk] = {"pending": "pending", "delivered": "delivered"}
_LEAVES_AN_ORDER = (shop_customers.read_profile.name, shop_catalogue.list_products.name)


async def open_case(state: Message) -> dict[str, object]:
    """Forget what an earlier case on the same thread left behind: whoever writes now is identified anew."""
    kept = ("records", "proposal", "decision", "receipt", "drift", "problem")
    said = [{"who": "requester", "says": state["message"]}]
    empty = {"conversation": said, "desk": "identify", "customer_id": "", "turns": 0, "done": [], "confirmed": False}
    return dict.fromkeys(kept) | empty


def note_read(state: Any, tool: str, reply: ToolModel) -> dict[str, object]:
    """What a reply says of who is served, and of which tools are on offer next."""
    if isinstance(reply, Found):
        return {"customer_id": reply.customer_id or state["customer_id"]}
    if isinstance(reply, Order):
        return {"desk": _DESKS.get(reply.status, "general")}
    return {"desk": "general"} if tool in _LEAVES_AN_ORDER else {}


@or_hand_off
async def read_own_profile(state: Moved, runtime: Runtime[Context]) -> dict[str, object]:
    """The account of whoever was found: which orders are theirs follows from it."""
    request = shop_customers.ProfileRequest(customer_id=state["customer_id"])
    profile = await runtime.context.tools.call(shop_customers.read_profile, request)
    asked = cast(JsonObject, request.model_dump(mode="json"))
    heard = hear(state, shop_customers.read_profile.name, asked, profile.model_dump(mode="json"))
    return heard | {"desk": "general"}


@or_hand_off
async def weigh_change(state: Moved, runtime: Runtime[Context]) -> dict[str, object]:
    """Read what the change is about as it stands now; what may not be read is heard, and nothing is proposed."""
    call, args = runtime.context.tools.call, state["move"]["args"]
    order: Order | None = None
    products: list[shop_catalogue.Product] = []
    try:
        profile = await call(
            shop_customers.read_profile, shop_customers.ProfileRequest(customer_id=state["customer_id"])
        )
        if "order_id" in args:
            order = await call(shop_orders.read_order, shop_orders.OrderRequest(order_id=str(args["order_id"])))
            for product_id in _products_meant(args, order):
                request = shop_catalogue.ProductRequest(product_id=product_id)
                products.append(await call(shop_catalogue.read_product, request))
    except (PolicyDenied, ToolRefused) as error:
        return hear(state, state["move"]["use"], args, refusal(error)) | {"records": None}
    records: Records = {
        "order": order.model_dump(mode="json") if order else None,
        "profile": profile.model_dump(mode="json"),
        "products": [product.model_dump(mode="json") for product in products],
    }
    return {"records": records}


def _products_meant(args: Mapping[str, Any], order: Order) -> list[str]:
    meant = {swap["item_id"] for swap in args.get("swaps", ())}
    return list(dict.fromkeys(item.product_id for item in order.items if item.item_id in meant))


async def note_outcome(state: Proposed) -> dict[str, object]:
    """Tell the assistant what became of its proposal, and forget the proposal."""
    proposal, receipt = state["proposal"], state["receipt"]
    result = receipt if receipt else {"error": _why_not_done(state)}
    update = hear(state, proposal["tool"], state["move"]["args"], cast(JsonObject, result))
    update |= dict.fromkeys(("records", "proposal", "decision", "receipt", "drift")) | {"confirmed": False}
    if receipt:
        done = [*state["done"], summary_of(proposal["tool"], proposal["args"])]
        update |= {"done": done, "turns": 0, "desk": _DESKS.get(str(receipt.get("status")), "general")}
    return update


def _why_not_done(state: Proposed) -> JsonObject:
    proposal, decision, drift = state["proposal"], state["decision"], state["drift"]
    if proposal["verdict"] == "deny":
        return _said("policy_denied", proposal["why"], "Do not try the same again; say why, or do what is allowed.")
    if drift:
        return _said("precondition_changed", drift["detail"], "Read it again, and propose what is right by now.")
    if decision:
        said = decision["message"] or decision["reason"]
        return _said(f"reviewer_{decision['type']}", f"A reviewer did not agree. {said}".strip(), "Tell the customer.")
    return _said("not_confirmed", "The customer did not answer yes.", "Read their answer and go on from it.")


def _said(code: str, message: str, hint: str) -> JsonObject:
    return {"code": code, "category": "logic", "message": message, "hint": hint, "retryable": False}


async def close(state: State) -> Result:
    """End the conversation with what was done in it."""
    decision, done = state.get("decision"), state.get("done") or []
    if decision and decision["type"] == "expired":
        return {"outcome": "expired", "summary": f"Nobody decided in time. {_so_far(done)}"}
    return {"outcome": "completed", "summary": _so_far(done)}


async def hand_off(state: State) -> Result:
    """Leave the customer to a person, with why and with what was done."""
    return {"outcome": "handed_off", "summary": f"{_why_handed_off(state)} {_so_far(state.get('done') or [])}"}


def _why_handed_off(state: State) -> str:
    problem, move = state.get("problem"), state.get("move")
    if problem:
        return f"{problem['stage']} failed ({problem['code']}): {problem['detail']}"
    if move and "summary" in move["args"]:
        return f"The assistant asks for a person: {move['args']['summary']}"
    wanted = f" It was about to {move['use']}." if move else ""
    return f"The assistant came to no end in {state.get('turns')} turns.{wanted}"


def _so_far(done: list[str]) -> str:
    return f"Done: {'; '.join(done)}." if done else "Nothing was changed."
