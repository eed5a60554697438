"""What the assistant may do for a customer, who decides what it may not, and who answers for it."""

from contracts.policy import (
    Bound,
    Budget,
    Condition,
    Duties,
    Guarded,
    Level,
    Policy,
    Queue,
    Rule,
    above,
    allow,
    deny,
    deny_unless,
    differs,
    equals,
    require_approval,
)
from contracts.tool import AnyTool
from graphs.customer_service.evidence import EVIDENCE
from graphs.customer_service.wishes import EVERY, WRITES
from guards.calls import STANDARD
from guards.card_numbers import redact_card_numbers
from tools import shop_catalogue, shop_customers, shop_orders

HOUR_S = 3600
DAY_S = 24 * HOUR_S
CAPACITY = 1000
"""Cases of a tenant that may wait or be on their way: about what its reviewers decide in a day."""
LEAD = "support_lead"

REFUNDED_UP_TO = "2000.00"
"""What a cancellation or a return may give back without a person, in dollars."""
MOVED_UP_TO = "2000.00"
"""What may be moved from one way to pay to another without a person."""
DIFFERENCE_UP_TO = "250.00"
"""What changed items may cost more or less without a person."""

_OWN = ("own", True, "Only the customer whom this case has identified, and only their own orders and account.")
_AS_READ = ("as_read", True, "It was not read in this case as it stands now.")
_PENDING = ("status", "pending", "Only an order that is pending, and of which no item was changed, can be changed so.")
_DELIVERED = ("status", "delivered", "Only items of a delivered order go back, and they do so once.")
_SUM = ("right_sum", True, "The sum is not what the order and the catalogue come to.")
_METHOD = ("own_method", True, "Money goes to and comes from the customer's own payment methods only.")
NOT_COVERED = "The gift card does not have enough on it."
_COVERED = ("covered", True, NOT_COVERED)
_SWAP = (
    _METHOD,
    ("in_order", True, "The order has no such item."),
    ("same_product", True, "An item is changed for another of the same product."),
    ("available", True, "The new item cannot be had now."),
    _SUM,
    _COVERED,
)


def _write(tool: AnyTool, name: str, *bounds: Bound, asks: tuple[Rule, ...] = ()) -> tuple[Rule, ...]:
    """The rules of a write: denied unless every bound holds, for people where they ask, and else allowed."""
    why = "It is theirs, and nothing is unusual."
    fine = allow(f"{name}-of-ones-own", tool.name, equals("seen_own", True), why=why)
    return (*deny_unless(tool.name, name, _OWN, _AS_READ, *bounds), *asks, fine)


def _asks(tool: AnyTool, rule_id: str, *when: Condition, why: str) -> tuple[Rule, ...]:
    return (require_approval(rule_id, tool.name, *when, role=LEAD, within_s=DAY_S, why=why),)


def _reads() -> tuple[Rule, ...]:
    finds = (shop_customers.find_by_email, shop_customers.find_by_name)
    own, products = (shop_customers.read_profile, shop_orders.read_order), vars(shop_catalogue)
    return (
        *(
            deny(
                f"find-once-{tool.name.rpartition('_')[2]}",
                tool.name,
                differs("seen_identified", False),
                why="A case is about one customer, and this one has theirs.",
            )
            for tool in finds
        ),
        *(
            deny(f"read-ones-own-{tool.name.rpartition('_')[2]}", tool.name, differs("seen_own", True), why=_OWN[2])
            for tool in own
        ),
        *(
            deny(
                f"{name.replace('_', '-')}-when-identified",
                products[name].name,
                differs("seen_identified", True),
                why="Nothing is read before it is known who asks.",
            )
            for name in ("list_products", "read_product")
        ),
    )


def _orders() -> tuple[Rule, ...]:
    cancel, address, payment = shop_orders.cancel_order, shop_orders.change_address, shop_orders.change_payment
    dear = "More than may be given back or moved without a person."
    return (
        *_write(
            cancel,
            "cancel",
            _PENDING,
            _SUM,
            asks=_asks(cancel, "cancel-dear-order", above("refund", REFUNDED_UP_TO), why=dear),
        ),
        *_write(address, "send", _PENDING, asks=_unknown_address(address, "send")),
        *_write(
            payment,
            "pay",
            _PENDING,
            _METHOD,
            ("other_method", True, "The order is paid with this method, or was changed before."),
            _SUM,
            _COVERED,
            asks=_asks(payment, "pay-dear-order", above("amount", MOVED_UP_TO), why=dear),
        ),
        *_swaps(shop_orders.change_items, "change", _PENDING),
        *_swaps(shop_orders.exchange_items, "exchange", _DELIVERED),
        *_write(
            shop_orders.return_items,
            "return",
            _DELIVERED,
            _METHOD,
            ("in_order", True, "The order has no such items, or not so many."),
            _SUM,
            ("to_gift_card_or_back", True, "Money goes back to what paid for the order, or to a gift card."),
            asks=_asks(shop_orders.return_items, "return-dear-items", above("refund", REFUNDED_UP_TO), why=dear),
        ),
    )


def _swaps(tool: AnyTool, name: str, status: Bound) -> tuple[Rule, ...]:
    far = _asks(
        tool, f"{name}-far-in-price", above("seen_difference", DIFFERENCE_UP_TO), why="The price differs by much."
    )
    idle = _asks(
        tool,
        f"{name}-nothing",
        differs("seen_changes_something", True),
        why="Every item stays what it is, and the order can be changed no more afterwards.",
    )
    return _write(tool, name, status, *_SWAP, asks=(*far, *idle))


def _unknown_address(tool: AnyTool, name: str) -> tuple[Rule, ...]:
    why = "Neither the customer's account nor an order of theirs has this address."
    return _asks(tool, f"{name}-to-unknown-address", differs("seen_known_address", True), why=why)


_DEFAULT = shop_customers.change_default_address

POLICY = Policy(
    owner="customer-service",
    purpose="Help customers of the shop with their own orders and account, and nobody with anybody else's.",
    success=(
        "Four of five customers are helped without a handoff, fewer than one in twenty decisions is corrected,"
        " and no order is changed that its customer has not confirmed."
    ),
    duties=Duties(
        prompts="customer-service",
        rules="shop-finance",
        tool_access="platform-security",
        monitoring="customer-service",
        escalation="head-of-service",
        review_due="2027-06-30",
    ),
    tools=EVERY,
    rules=(*_reads(), *_orders(), *_write(_DEFAULT, "live", asks=_unknown_address(_DEFAULT, "live"))),
    evidence=EVIDENCE,
    confirmed=tuple(tool.name for tool in WRITES),
    roles=(LEAD,),
    budget=Budget(tool_calls=150, model_calls=80, seconds=300),
    queue=Queue(
        name="customer-service",
        target_s=HOUR_S,
        escalation=(Level("group", 2 * HOUR_S, LEAD),),
        capacity=CAPACITY,
    ),
    input_guards=(redact_card_numbers,),
    guarded=Guarded(guards=STANDARD, says=("message",), role=LEAD, within_s=DAY_S),
)
