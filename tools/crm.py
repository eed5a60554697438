"""The customer register: who holds an account, and how fresh that record is."""

from typing import Literal

from contracts.tool import Call, ToolModel, tool
from tools.fields import AccountId, Cents, Country, Currency, EmailAddress, IsoDate


class CustomerRequest(ToolModel):
    account_id: AccountId


class Customer(ToolModel):
    account_id: AccountId
    name: str
    email: EmailAddress
    country: Country
    segment: Literal["personal", "premium", "business"]
    since: IsoDate
    """Day on which the account was opened."""
    goodwill_granted_cents_this_year: Cents
    """Given back out of kindness since 1 January, in `currency`."""
    currency: Currency
    record_updated_on: IsoDate
    """Day on which somebody last confirmed name and address. An old one may name a former holder."""
    opted_in_email: bool
    """Whether the customer agreed to be answered by e-mail."""


class CustomerReply(ToolModel):
    found: Customer | None


@tool(
    effect="read",
    scopes=("crm:read",),
    trusted=("found.account_id", "found.email"),
    private=("found.segment", "found.record_updated_on"),
)
async def find_customer(request: CustomerRequest, call: Call) -> CustomerReply:
    """Look up the customer who holds an account, as the customer register knows them.

    `found` is None for an account that the register does not have: that is an answer, not an error. The register may
    disagree with the account holder that billing names (`billing.list_charges`); nobody has reconciled them.
    """
    reply = await call.send("GET", "/customers", query={"account_id": request.account_id})
    return CustomerReply.model_validate(reply)
