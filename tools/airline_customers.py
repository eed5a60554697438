"""The airline's customer register: who somebody is, how they pay, what they booked, and certificates given to them."""

from typing import Annotated, Literal

from pydantic import Field

from contracts.sink import Limits, Sink
from contracts.tool import Call, ToolModel, tool
from tools.fields import AirPaymentId, EmailAddress, IsoDate, Money, ReservationId, ShopCustomerId
from tools.shop_customers import Address, Person

CustomerId = ShopCustomerId
Membership = Literal["regular", "silver", "gold"]
_Version = Annotated[int, Field(ge=1)]
_TRUSTED = (
    "customer_id",
    "email",
    "membership",
    "payment_methods",
    "reservations",
    "saved_passengers",
    "name",
    "born_on",
    "version",
)


class Passenger(ToolModel):
    first_name: Annotated[str, Field(min_length=1, max_length=100)]
    last_name: Annotated[str, Field(min_length=1, max_length=100)]
    born_on: IsoDate


class PaymentMethod(ToolModel):
    payment_method_id: AirPaymentId
    kind: Literal["credit_card", "gift_card", "certificate"]
    balance: Money | None
    """What is left on a gift card or a certificate; None for a credit card."""
    brand: str | None
    last_four: str | None


class CustomerRequest(ToolModel):
    customer_id: CustomerId


class Found(ToolModel):
    customer_id: CustomerId | None


class Profile(ToolModel):
    customer_id: CustomerId
    name: Person
    email: EmailAddress
    born_on: IsoDate
    address: Address
    membership: Membership
    payment_methods: tuple[PaymentMethod, ...]
    saved_passengers: tuple[Passenger, ...]
    reservations: tuple[ReservationId, ...]
    version: _Version


class CertificateRequest(ToolModel):
    customer_id: CustomerId
    profile_version: _Version
    """Version of the profile that the certificate was shown with."""
    reservation_id: ReservationId
    because: Literal["cancelled flight", "delayed flight"]
    amount: Money


class Certificate(ToolModel):
    certificate_id: AirPaymentId
    customer_id: CustomerId
    amount: Money


@tool(effect="read", scopes=("airline_customers:find",), trusted=("customer_id",))
async def find_customer(request: CustomerRequest, call: Call) -> Found:
    """Find the customer who has this user id; None when nobody has it."""
    return Found.model_validate(await call.send("GET", "/known", query={"customer_id": request.customer_id}))


@tool(effect="read", scopes=("airline_customers:read",), trusted=_TRUSTED)
async def read_profile(request: CustomerRequest, call: Call) -> Profile:
    """Read a customer's profile: membership, payment methods, saved passengers and reservations.

    Raises `ToolRefused` for a customer that the airline does not have.
    """
    return await _read(request.customer_id, call)


async def _read(customer_id: str, call: Call) -> Profile:
    return Profile.model_validate(await call.send("GET", "/profiles", query={"customer_id": customer_id}))


async def _read_version(request: CertificateRequest, call: Call) -> dict[str, int]:
    return {"profile_version": (await _read(request.customer_id, call)).version}


@tool(
    effect="idempotent",
    reversibility="irreversible",
    blast_radius="customer",
    scopes=("airline_customers:certificate",),
    target="customer_id",
    idempotent_by=("customer_id", "reservation_id", "because"),
    preconditions=("profile_version",),
    reread=_read_version,
    sinks={
        "customer_id": Sink("payee"),
        "reservation_id": Sink("identifier", nouns=("reservation", "booking")),
    },
    trusted=("certificate_id", "customer_id", "amount"),
    reaches="customer",
    limits=Limits(per_case=4),
    undo="Not possible once it is spent; until then the airline may take it out of the profile by hand.",
    gate_class="refunds_and_cancellations",
)
async def send_certificate(request: CertificateRequest, call: Call) -> Certificate:
    """Give a customer a travel certificate for a flight of a reservation of theirs that was cancelled or delayed.

    Repeats of the key are answered with the first reply. Raises `ToolRefused` for a profile that has changed since.
    """
    return Certificate.model_validate(await call.send("POST", "/certificates", body=request.model_dump(mode="json")))
