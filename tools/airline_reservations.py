"""The airline's reservations: what is booked, and what may be changed about it."""

from functools import partial
from typing import Annotated, Literal

from pydantic import Field

from contracts.sink import Sink
from contracts.tool import Call, ToolModel, tool
from tools.airline_customers import CustomerId, Passenger
from tools.airline_flights import Cabin, FlightStatus
from tools.fields import AirPaymentId, Airport, FlightNumber, IsoDate, Money, ReservationId, SignedMoney

Trip = Literal["one_way", "round_trip"]
CancelReason = Literal["change of plan", "airline cancelled flight", "health or weather", "other"]
_Version = Annotated[int, Field(ge=1)]
_Bags = Annotated[int, Field(ge=0, le=50)]
_Moment = Annotated[str, Field(pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}$")]

LATE_FROM = 15
"""Minutes after which a flight that has landed counts as delayed."""
_RESERVATION = {"reservation_id": Sink("identifier", nouns=("reservation", "booking"))}
_METHOD = {"payment_method_id": Sink("identifier")}
_FLIGHTS = {"segments.flight_number": Sink("identifier", nouns=("flight",))}
_TRUSTED = (
    "reservation_id",
    "customer_id",
    "origin",
    "destination",
    "trip",
    "cabin",
    "segments",
    "payments",
    "booked_at",
    "bags",
    "paid_bags",
    "insured",
    "status",
    "as_of",
    "version",
)
"""Not the passengers: whoever books writes their names."""


class Segment(ToolModel):
    """A flight that somebody wants to take."""

    flight_number: FlightNumber
    date: IsoDate


class BookedSegment(Segment):
    origin: Airport
    destination: Airport
    price: Money
    """For one passenger."""
    status: FlightStatus
    minutes_late: Annotated[int, Field(ge=0)]
    """How much later than planned it landed; 0 as long as it has not."""

    @property
    def delayed(self) -> bool:
        """Whether it is late, or was by more than a moment."""
        return self.status == "delayed" or self.minutes_late >= LATE_FROM


class Payment(ToolModel):
    payment_method_id: AirPaymentId
    amount: SignedMoney
    """Below zero: given back."""


Segments = Annotated[tuple[Segment, ...], Field(min_length=1, max_length=8)]
Passengers = Annotated[tuple[Passenger, ...], Field(min_length=1, max_length=9)]
Payments = Annotated[tuple[Payment, ...], Field(min_length=1, max_length=9)]


class ReservationRequest(ToolModel):
    reservation_id: ReservationId


class Reservation(ToolModel):
    reservation_id: ReservationId
    customer_id: CustomerId
    origin: Airport
    destination: Airport
    trip: Trip
    cabin: Cabin
    """As booked: a change of cabin shows in the prices of the segments alone."""
    segments: tuple[BookedSegment, ...]
    passengers: tuple[Passenger, ...]
    payments: tuple[Payment, ...]
    """Oldest first."""
    booked_at: _Moment
    bags: _Bags
    paid_bags: _Bags
    insured: bool
    status: Literal["booked", "cancelled"]
    as_of: _Moment
    """When this was read, by the airline's clock."""
    version: _Version


class BookRequest(ToolModel):
    customer_id: CustomerId
    profile_version: _Version
    """Version of the profile that the booking was shown with."""
    origin: Airport
    destination: Airport
    trip: Trip
    cabin: Cabin
    segments: Segments
    passengers: Passengers
    payments: Payments
    bags: _Bags
    paid_bags: _Bags
    insured: bool
    price: Money
    """What everything costs together; `payments` add up to it."""


class _Change(ToolModel):
    reservation_id: ReservationId
    reservation_version: _Version
    """Version of the reservation that the change was shown with."""


class CancelRequest(_Change):
    reason: CancelReason
    refund: Money
    """What was paid less what was given back: goes back the way it came."""


class FlightsRequest(_Change):
    cabin: Cabin
    segments: Segments
    """Every flight of the reservation as it is to be, with those that stay."""
    payment_method_id: AirPaymentId
    price_difference: SignedMoney


class BagsRequest(_Change):
    bags: _Bags
    paid_bags: _Bags
    payment_method_id: AirPaymentId
    price: Money


class PassengersRequest(_Change):
    passengers: Passengers


@tool(effect="read", scopes=("airline_reservations:read",), trusted=_TRUSTED)
async def read_reservation(request: ReservationRequest, call: Call) -> Reservation:
    """Read a reservation: flights with their status, passengers, payments, bags and insurance.

    Raises `ToolRefused` for a reservation that the airline does not have.
    """
    return await _read(request.reservation_id, call)


async def _read(reservation_id: str, call: Call) -> Reservation:
    return Reservation.model_validate(await call.send("GET", "/reservations", query={"reservation_id": reservation_id}))


async def _read_version(request: _Change, call: Call) -> dict[str, int]:
    return {"reservation_version": (await _read(request.reservation_id, call)).version}


async def _change(path: str, request: ToolModel, call: Call) -> Reservation:
    return Reservation.model_validate(await call.send("POST", path, body=request.model_dump(mode="json")))


_changes_a_reservation = partial(
    tool,
    effect="idempotent",
    blast_radius="customer",
    target="reservation_id",
    idempotent_by=("reservation_id", "reservation_version"),
    preconditions=("reservation_version",),
    reread=_read_version,
    trusted=_TRUSTED,
    reaches="customer",
)
"""What all changes have in common: each is made once upon the reservation as it was read."""


@tool(
    effect="idempotent",
    reversibility="compensable",
    blast_radius="customer",
    scopes=("airline_reservations:book",),
    target="customer_id",
    idempotent_by=("customer_id", "segments", "passengers"),
    sinks={"customer_id": Sink("identifier"), "payments.payment_method_id": Sink("identifier")} | _FLIGHTS,
    trusted=_TRUSTED,
    reaches="customer",
    undo="Cancel the reservation within 24 hours of booking: everything is given back, but for what a certificate had.",
)
async def book_flights(request: BookRequest, call: Call) -> Reservation:
    """Book flights for a customer and take the money for them.

    Repeats of the key are answered with the first reply. Raises `ToolRefused` for a flight that cannot be booked or has
    no seats left, for payments that do not add up, and for a method without enough on it.
    """
    return await _change("/bookings", request, call)


@_changes_a_reservation(
    reversibility="irreversible",
    scopes=("airline_reservations:cancel",),
    sinks=_RESERVATION,
    undo="Not possible: the money goes back. The customer books again, at today's price.",
    gate_class="refunds_and_cancellations",
)
async def cancel_reservation(request: CancelRequest, call: Call) -> Reservation:
    """Cancel a whole reservation and give back what was paid, in 5 to 7 working days.

    Repeats of the key are answered with the first reply. Raises `ToolRefused` for a reservation that is cancelled, has
    changed since, or was paid otherwise than `refund` says. Whether it may be cancelled the airline does not check.
    """
    return await _change("/cancellations", request, call)


@_changes_a_reservation(
    reversibility="compensable",
    scopes=("airline_reservations:flights",),
    sinks=_RESERVATION | _METHOD | _FLIGHTS,
    undo="Change it back to the flights before, at the price that they have then.",
)
async def change_flights(request: FlightsRequest, call: Call) -> Reservation:
    """Change flights or cabin of a reservation; flights that stay in the same cabin keep their price.

    Repeats of the key are answered with the first reply. Raises `ToolRefused` for a flight that cannot be booked or has
    no seats left, for a certificate, and for a gift card without enough on it.
    """
    return await _change("/flights", request, call)


@_changes_a_reservation(
    reversibility="compensable",
    scopes=("airline_reservations:bags",),
    sinks=_RESERVATION | _METHOD,
    undo="Not by the customer: bags are not taken out again. A person at the airline may.",
)
async def change_bags(request: BagsRequest, call: Call) -> Reservation:
    """Change how many bags a reservation has; each that is not free costs 50 dollars.

    Repeats and refusals are as for a change of flights.
    """
    return await _change("/bags", request, call)


@_changes_a_reservation(
    reversibility="compensable",
    scopes=("airline_reservations:passengers",),
    sinks=_RESERVATION,
    undo="Change them back to the passengers before.",
)
async def change_passengers(request: PassengersRequest, call: Call) -> Reservation:
    """Change who flies; how many they are stays. Repeats and refusals are as for a change of flights."""
    return await _change("/passengers", request, call)
