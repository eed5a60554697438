"""The shop's customer register: who somebody is, where they live, how they pay, what they ordered."""

from typing import Annotated, Literal

from pydantic import Field

from contracts.sink import Sink
from contracts.tool import Call, ToolModel, tool
from tools.fields import EmailAddress, Money, PaymentMethodId, ShopCustomerId, ShopOrderId

_Line = Annotated[str, Field(max_length=100, pattern=r"^[^\x00-\x1f\x7f]*$")]
_Filled = Annotated[str, Field(min_length=1, max_length=100, pattern=r"^[^\x00-\x1f\x7f]+$")]


class Address(ToolModel):
    line_1: _Filled
    line_2: _Line
    city: _Filled
    state: _Filled
    country: _Filled
    zip: Annotated[str, Field(pattern=r"^[0-9A-Z -]{3,10}$", max_length=10)]


class Person(ToolModel):
    first_name: _Filled
    last_name: _Filled


class PaymentMethod(ToolModel):
    payment_method_id: PaymentMethodId
    kind: Literal["credit_card", "paypal", "gift_card"]
    balance: Money | None
    """What is left on a gift card; None for the others."""


_TRUSTED = ("customer_id", "name", "email", "address", "payment_methods", "orders", "version")


class EmailRequest(ToolModel):
    email: EmailAddress


class NameRequest(ToolModel):
    first_name: _Filled
    last_name: _Filled
    zip: Annotated[str, Field(min_length=3, max_length=10)]


class Found(ToolModel):
    customer_id: ShopCustomerId | None


class ProfileRequest(ToolModel):
    customer_id: ShopCustomerId


class Profile(ToolModel):
    customer_id: ShopCustomerId
    name: Person
    email: EmailAddress
    address: Address
    payment_methods: tuple[PaymentMethod, ...]
    orders: tuple[ShopOrderId, ...]
    version: Annotated[int, Field(ge=1)]


class ProfileAddressRequest(ToolModel):
    customer_id: ShopCustomerId
    address: Address
    profile_version: Annotated[int, Field(ge=1)]
    """Version of the profile that the change was shown with."""


@tool(effect="read", scopes=("shop_customers:find",), trusted=("customer_id",))
async def find_by_email(request: EmailRequest, call: Call) -> Found:
    """Find the customer who has this e-mail address; None when nobody has it."""
    return Found.model_validate(await call.send("GET", "/by-email", query={"email": request.email}))


@tool(effect="read", scopes=("shop_customers:find",), trusted=("customer_id",))
async def find_by_name(request: NameRequest, call: Call) -> Found:
    """Find the customer of this first name, last name and zip code; None when nobody or more than one fits."""
    return Found.model_validate(await call.send("GET", "/by-name", query=request.model_dump(mode="json")))


@tool(effect="read", scopes=("shop_customers:read",), trusted=_TRUSTED)
async def read_profile(request: ProfileRequest, call: Call) -> Profile:
    """Read a customer's profile: name, e-mail, default address, payment methods and orders.

    Raises `ToolRefused` for a customer that the shop does not have.
    """
    return Profile.model_validate(await call.send("GET", "/profiles", query={"customer_id": request.customer_id}))


async def _read_version(request: ProfileAddressRequest, call: Call) -> dict[str, int]:
    found = Profile.model_validate(await call.send("GET", "/profiles", query={"customer_id": request.customer_id}))
    return {"profile_version": found.version}


@tool(
    effect="idempotent",
    reversibility="compensable",
    blast_radius="customer",
    scopes=("shop_customers:write",),
    target="customer_id",
    idempotent_by=("customer_id",),
    preconditions=("profile_version",),
    reread=_read_version,
    sinks={"customer_id": Sink("identifier"), "address": Sink("recipient")},
    trusted=_TRUSTED,
    reaches="customer",
    undo="Change the address back to the one before; orders that were placed meanwhile keep theirs.",
)
async def change_default_address(request: ProfileAddressRequest, call: Call) -> Profile:
    """Change the address that a customer's future orders are sent to. Orders that stand keep theirs.

    Repeats of the key are answered with the first reply. Raises `ToolRefused` for a profile that has changed since.
    """
    return Profile.model_validate(await call.send("POST", "/addresses", body=request.model_dump(mode="json")))
