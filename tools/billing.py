"""The billing system: what was charged, what the plan allows, and the two ways to give money back."""

from typing import Annotated, Literal

from pydantic import Field, JsonValue

from contracts.approval import Change
from contracts.sink import Sink
from contracts.tool import Call, ToolModel, tool
from tools.fields import (
    AccountId,
    BasisPoints,
    Cents,
    ChargeId,
    Currency,
    EmailAddress,
    InvoiceId,
    IsoDate,
    PositiveCents,
    Version,
)


class ChargesRequest(ToolModel):
    account_id: AccountId
    since: IsoDate | None = None
    """First day of posting to include; None means everything."""


class Exchange(ToolModel):
    """How a purchase in a foreign currency was converted."""

    original_cents: PositiveCents
    original_currency: Currency
    reference_rate: Annotated[str, Field(pattern=r"^[0-9]+\.[0-9]+$")]
    """Charge currency for one unit of the original currency, without markup, as a decimal."""
    base_cents: PositiveCents
    """The purchase at the reference rate, in the charge's currency."""
    markup_bp: BasisPoints
    """Markup that was added to `base_cents`; `amount_cents` of the charge includes it, rounded half up."""


class Charge(ToolModel):
    """One line of an invoice."""

    charge_id: ChargeId
    invoice_id: InvoiceId
    posted_on: IsoDate
    """For a pending charge the day of its authorisation."""
    description: str
    merchant: str
    """Empty for what the billing company itself charges."""
    kind: Literal["subscription", "usage", "fee", "purchase", "cash_withdrawal", "transfer", "adjustment"]
    fee_code: str
    """Code under which a price plan permits a fee or a usage charge; else empty."""
    amount_cents: PositiveCents
    currency: Currency
    refunded_cents: Cents
    refunded_on: IsoDate | None
    """Day of the last refund; the card's bank may need ten more days to show it."""
    credited_cents: Cents
    status: Literal["posted", "pending", "reversed"]
    """`pending` is a hold that posts or vanishes; `reversed` was taken back by the merchant."""
    authorisation: str
    """The card network's approval code: two charges that share one come from one approval. Empty off the card."""
    exchange: Exchange | None
    version: Version


class ChargesReply(ToolModel):
    account_id: AccountId
    account_holder: str
    account_email: EmailAddress
    charges: tuple[Charge, ...]
    """Oldest first."""


class PlanRequest(ToolModel):
    account_id: AccountId


class PermittedFee(ToolModel):
    fee_code: str
    description: str
    amount_cents: PositiveCents
    currency: Currency


class PricePlan(ToolModel):
    """What an account should be charged: the policy side of every comparison."""

    account_id: AccountId
    plan: str
    currency: Currency
    monthly_price_cents: Cents
    fees: tuple[PermittedFee, ...]
    """Every fee that may be charged; one that is not listed is not permitted."""
    fx_markup_bp: BasisPoints
    """Markup agreed on purchases in a foreign currency."""
    starts_on: IsoDate
    cancelled_on: IsoDate | None
    """Last day that may be charged for; None while the plan runs."""


class RefundRequest(ToolModel):
    account_id: AccountId
    charge_id: ChargeId
    invoice_id: InvoiceId
    amount_cents: PositiveCents
    currency: Currency
    charge_version: Version
    """Version of the charge that the proposal was computed from."""


class RefundReceipt(ToolModel):
    refund_id: str
    account_id: AccountId
    charge_id: ChargeId
    amount_cents: PositiveCents
    currency: Currency
    paid_on: IsoDate


class CreditRequest(ToolModel):
    account_id: AccountId
    charge_id: ChargeId
    """The charge that the credit makes good."""
    amount_cents: PositiveCents
    currency: Currency
    charge_version: Version


class CreditReceipt(ToolModel):
    credit_id: str
    account_id: AccountId
    charge_id: ChargeId
    amount_cents: PositiveCents
    currency: Currency
    applies_from: IsoDate
    """First day of the invoice that will be lower."""


@tool(
    effect="read",
    scopes=("billing:read",),
    trusted=(
        "account_id",
        "account_email",
        "charges.charge_id",
        "charges.invoice_id",
        "charges.amount_cents",
        "charges.currency",
    ),
)
async def list_charges(request: ChargesRequest, call: Call) -> ChargesReply:
    """List what an account was charged, oldest first, with what of it was already given back.

    Amounts are minor units of each charge's currency. What can still be given back of a charge is
    `amount_cents - refunded_cents - credited_cents`. Raises `ToolRefused` for an account that billing does not have.
    """
    query = {"account_id": request.account_id}
    if request.since is not None:
        query["since"] = request.since
    return ChargesReply.model_validate(await call.send("GET", "/charges", query=query))


@tool(effect="read", scopes=("billing:read",))
async def read_price_plan(request: PlanRequest, call: Call) -> PricePlan:
    """Read what an account should be charged: plan, monthly price, permitted fees, currency markup.

    Raises `ToolRefused` for an account that billing does not have.
    """
    return PricePlan.model_validate(await call.send("GET", "/plans", query={"account_id": request.account_id}))


async def read_charge_version(request: RefundRequest | CreditRequest, call: Call) -> dict[str, JsonValue]:
    """The version that the charge has now; nothing for a charge that is gone, which the refund is refused for."""
    query = {"account_id": request.account_id}
    bill = ChargesReply.model_validate(await call.send("GET", "/charges", query=query))
    versions = [charge.version for charge in bill.charges if charge.charge_id == request.charge_id]
    return {"charge_version": versions[0]} if versions else {}


async def preview_giving_back(request: RefundRequest | CreditRequest, call: Call) -> list[Change]:
    """What is left of the charge, in minor units, before and after; nothing for a charge that is gone."""
    query = {"account_id": request.account_id}
    bill = ChargesReply.model_validate(await call.send("GET", "/charges", query=query))
    left = [
        charge.amount_cents - charge.refunded_cents - charge.credited_cents
        for charge in bill.charges
        if charge.charge_id == request.charge_id
    ]
    name = f"left of {request.charge_id}, in minor units of {request.currency}"
    return [Change(field=name, before=cents, after=cents - request.amount_cents) for cents in left]


@tool(
    effect="idempotent",
    reversibility="irreversible",
    blast_radius="customer",
    scopes=("billing:refund",),
    target="charge_id",
    idempotent_by=("account_id", "charge_id"),
    preconditions=("charge_version",),
    reread=read_charge_version,
    dry_run=preview_giving_back,
    amount="amount_cents",
    currency="currency",
    undo="Not possible: the money is on the customer's card. Finance can only ask the customer to pay again.",
    sinks={
        "account_id": Sink("identifier"),
        "charge_id": Sink("identifier"),
        "invoice_id": Sink("identifier"),
        "amount_cents": Sink("amount", paired_with="charge_id"),
    },
    gate_class="refunds_and_cancellations",
)
async def issue_refund(request: RefundRequest, call: Call) -> RefundReceipt:
    """Pay `amount_cents` of one posted charge back to the card that paid it.

    The billing system drops repeats of the idempotency key and answers them with the first receipt. It refuses
    (`ToolRefused`) a key that was used for another refund, a charge that has changed since `charge_version` or is not
    posted, another currency than the charge's, and more than is left of the charge.
    """
    return RefundReceipt.model_validate(await call.send("POST", "/refunds", body=request.model_dump(mode="json")))


@tool(
    effect="idempotent",
    reversibility="compensable",
    blast_radius="customer",
    scopes=("billing:credit",),
    target="charge_id",
    idempotent_by=("account_id", "charge_id"),
    preconditions=("charge_version",),
    reread=read_charge_version,
    amount="amount_cents",
    currency="currency",
    undo="Void the credit in the billing system before the next invoice is issued.",
    sinks={
        "account_id": Sink("identifier"),
        "charge_id": Sink("identifier"),
        "amount_cents": Sink("amount", paired_with="charge_id"),
    },
    gate_class="refunds_and_cancellations",
)
async def issue_credit(request: CreditRequest, call: Call) -> CreditReceipt:
    """Lower the account's next invoice by `amount_cents`, to make one posted charge good.

    Repeats and refusals are as for `billing.issue_refund`: refunds and credits together never exceed the charge.
    """
    return CreditReceipt.model_validate(await call.send("POST", "/credits", body=request.model_dump(mode="json")))
