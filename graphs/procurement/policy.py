"""What procurement may do, who decides what it may not, and who answers for it."""

from contracts.policy import (
    Budget,
    Duties,
    Guarded,
    Level,
    Policy,
    Queue,
    Quorum,
    Rule,
    above,
    allow,
    deny,
    differs,
    equals,
    not_among,
    require_approval,
)
from graphs.procurement.measures import measure_booking, measure_order
from guards.calls import STANDARD
from guards.card_numbers import redact_card_numbers
from tools import accounting, budgets, purchasing, suppliers

HOUR_S = 3600
DAY_S = 24 * HOUR_S
THREE_DAYS_S = 3 * DAY_S
CAPACITY = 1000
"""Purchases of a tenant that may wait or be on their way: about what its reviewers decide in three days."""

AUTOMATIC_UP_TO_CENTS = {"EUR": 50_000, "GBP": 45_000, "USD": 50_000, "JPY": 75_000}
"""What one requester may buy from one supplier in 30 days without a person: about 500 euros."""
MANAGER_UP_TO_CENTS = {"EUR": 1_000_000, "GBP": 900_000, "USD": 1_000_000, "JPY": 1_500_000}
"""What a manager may agree to alone: about 10,000 euros."""

MANAGER = Quorum(("manager",))
TWO_OF_THREE = Quorum(("manager", "finance", "director"), needed=2, always=("finance",))

ORDER, RESERVE, SETTLE = purchasing.place_order.name, budgets.set_aside.name, budgets.book_outcome.name


def _denials() -> tuple[Rule, ...]:
    return (
        deny(
            "order-from-sanctioned-supplier",
            ORDER,
            equals("trust", "sanctioned"),
            why="The supplier, or one that it shares an owner or an account with, is on a sanctions list.",
        ),
        deny("order-from-blocked-supplier", ORDER, equals("trust", "blocked"), why="We do not buy from this supplier."),
        deny(
            "order-of-what-nobody-read",
            ORDER,
            differs("as_read", True),
            why="The registers were read for another supplier, offer or currency.",
        ),
        deny(
            "order-paid-elsewhere",
            ORDER,
            differs("to_known_account", True),
            why="A supplier is paid to the account in the register and to no other.",
        ),
        deny(
            "order-for-somebody-else",
            ORDER,
            differs("for_whom_asked", True),
            why="An order belongs to the case, the requester and the cost centre that asked for it.",
        ),
        deny(
            "order-at-another-price",
            ORDER,
            differs("priced_as_offered", True),
            why="An order costs its quantity times the offered price, within the quantity that the price holds for.",
        ),
        deny(
            "order-over-reservation",
            ORDER,
            differs("within_reserved", True),
            why="No more is ordered than was set aside for it.",
        ),
        deny(
            "order-over-budget",
            ORDER,
            differs("within_budget", True),
            why="With what is spent, ordered and set aside, the budget of the cost centre does not cover it.",
        ),
    )


def _over(limits: dict[str, int], name: str, quorum: Quorum, *, within_s: int, why: str) -> tuple[Rule, ...]:
    return tuple(
        require_approval(
            f"order-over-{name}-{currency.lower()}",
            ORDER,
            equals("currency", currency),
            above("together_cents", limit),
            quorum=quorum,
            within_s=within_s,
            why=why,
        )
        for currency, limit in limits.items()
    )


def _questions_for_several() -> tuple[Rule, ...]:
    return (
        *_over(
            MANAGER_UP_TO_CENTS,
            "second-limit",
            TWO_OF_THREE,
            within_s=THREE_DAYS_S,
            why="With the requester's other orders from this supplier it is more than a manager may agree to alone.",
        ),
        require_approval(
            "order-in-other-currency",
            ORDER,
            not_among("currency", *AUTOMATIC_UP_TO_CENTS),
            quorum=TWO_OF_THREE,
            within_s=THREE_DAYS_S,
            why="There are no limits for this currency.",
        ),
        require_approval(
            "order-to-doubtful-account",
            ORDER,
            differs("account", "confirmed"),
            quorum=TWO_OF_THREE,
            within_s=THREE_DAYS_S,
            why="The supplier's account is new, or the offer names another: finance asks the supplier.",
        ),
        require_approval(
            "order-from-unexamined-supplier",
            ORDER,
            differs("trust", "approved"),
            quorum=TWO_OF_THREE,
            within_s=THREE_DAYS_S,
            why="Nobody has examined this supplier.",
        ),
    )


def _questions_for_a_manager() -> tuple[Rule, ...]:
    return (
        *_over(
            AUTOMATIC_UP_TO_CENTS,
            "first-limit",
            MANAGER,
            within_s=THREE_DAYS_S,
            why="With the requester's other orders from this supplier it is more than may be ordered without a person.",
        ),
        require_approval(
            "order-outside-category",
            ORDER,
            differs("category_approved", True),
            quorum=MANAGER,
            within_s=DAY_S,
            why="The supplier was not approved for this kind of thing.",
        ),
        require_approval(
            "order-like-another",
            ORDER,
            differs("double", False),
            quorum=MANAGER,
            within_s=DAY_S,
            why="The same requester has ordered the same in the last 30 days, or is about to.",
        ),
        require_approval(
            "order-on-conflicting-evidence",
            ORDER,
            differs("evidence", "clear"),
            quorum=MANAGER,
            within_s=DAY_S,
            why="The request and what was found for it do not agree.",
        ),
    )


POLICY = Policy(
    owner="procurement",
    purpose="Buy small things at once, large ones when people agree, and nothing from whom we must not buy.",
    success=(
        "Nine of ten requests end as an order or a reasoned refusal, fewer than one in twenty decisions is corrected,"
        " and no budget is passed."
    ),
    duties=Duties(
        prompts="procurement",
        rules="finance-control",
        tool_access="platform-security",
        monitoring="procurement",
        escalation="head-of-procurement",
        review_due="2027-06-30",
    ),
    tools=(
        suppliers.find_suppliers,
        purchasing.list_offers,
        purchasing.list_orders,
        accounting.read_budget,
        budgets.set_aside,
        purchasing.place_order,
        budgets.book_outcome,
    ),
    rules=(
        allow(
            "reservation", RESERVE, equals("for_itself", True), why="It is our own note, and promises nobody anything."
        ),
        *_denials(),
        *_questions_for_several(),
        *_questions_for_a_manager(),
        allow(
            "order-small-and-clear",
            ORDER,
            equals("trust", "approved"),
            equals("account", "confirmed"),
            equals("evidence", "clear"),
            why="A small order of what was asked for, from a supplier we know.",
        ),
        allow("settlement", SETTLE, equals("for_itself", True), why="It is our own note of what happened."),
    ),
    budget=Budget(tool_calls=30, model_calls=10, seconds=300),
    queue=Queue(
        "purchases",
        target_s=8 * HOUR_S,
        escalation=(Level("group", after_s=DAY_S),),
        capacity=CAPACITY,
        grace_s=DAY_S,
    ),
    roles=("manager", "finance", "director"),
    measures={ORDER: measure_order, RESERVE: measure_booking, SETTLE: measure_booking},
    input_guards=(redact_card_numbers,),
    guarded=Guarded(
        guards=STANDARD,
        says=("request", "cost_centre"),
        role="finance",
        within_s=THREE_DAYS_S,
        unchecked={f"{ORDER}.amount_cents": "order-at-another-price denies all but quantity times the offered price."},
    ),
)
