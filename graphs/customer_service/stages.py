"""The stages of a conversation with a customer."""

from collections.abc import Mapping
from typing import Any, cast

from langgraph.runtime import Runtime

from contracts.approval import JsonObject
from contracts.context import Context
from contracts.errors import PolicyDenied, ToolRefused
from contracts.tool import ToolModel
from graphs.customer_service.drafts import summary_of
from graphs.customer_service.state import Desk, Moved, Proposed, Records, Result, State
from nodes.agent import hear, refusal
from nodes.outcomes import notes_outcome, so_far, why_handed_off
from nodes.recovery import or_hand_off
from tools import shop_catalogue, shop_customers, shop_orders
from tools.shop_customers import Found
from tools.shop_orders import Order

WEIGHED = (shop_customers.read_profile, shop_orders.read_order, shop_catalogue.read_product)
_DESKS: dict[str, Desk] = {"pending": "pending", "delivered": "delivered"}
_LEAVES_AN_ORDER = (shop_customers.read_profile.name, shop_catalogue.list_products.name)


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


def _after(state: Proposed, receipt: JsonObject) -> dict[str, object]:
    return {"desk": _DESKS.get(str(receipt.get("status")), "general")}


_note_outcome = notes_outcome(summary_of, _after)


async def note_outcome(state: Proposed) -> dict[str, object]:
    """Tell the assistant what became of its proposal, and forget the proposal."""
    return _note_outcome(state)


async def close(state: State) -> Result:
    """End the conversation with what was done in it."""
    decision, done = state.get("decision"), state.get("done") or []
    if decision and decision["type"] == "expired":
        return {"outcome": "expired", "summary": f"Nobody decided in time. {so_far(done)}"}
    return {"outcome": "completed", "summary": so_far(done)}


async def hand_off(state: State) -> Result:
    """Leave the customer to a person, with why and with what was done."""
    return {"outcome": "handed_off", "summary": f"{why_handed_off(state)} {so_far(state.get('done') or [])}"}
