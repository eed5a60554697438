"""What the assistant may say of a change: which and to what. Versions, sums and paid bags are worked out by code."""

from typing import Annotated, Literal

from pydantic import Field

from contracts.tool import ToolModel
from nodes.agent import Offer
from tools import airline_customers, airline_desk, airline_flights, airline_reservations, workpad
from tools.airline_flights import Cabin
from tools.airline_reservations import CancelReason, Passengers, Segments, Trip
from tools.fields import AirPaymentId, Airport, ReservationId

_Bags = Annotated[int, Field(ge=0, le=50)]


class Booking(ToolModel):
    origin: Airport
    destination: Airport
    trip: Trip
    cabin: Cabin
    segments: Segments
    passengers: Passengers
    payment_method_ids: Annotated[tuple[AirPaymentId, ...], Field(min_length=1, max_length=9)]
    """In the order in which they are used up; the last pays what is left."""
    bags: _Bags
    insured: bool


class Cancellation(ToolModel):
    reservation_id: ReservationId
    reason: CancelReason


class NewFlights(ToolModel):
    reservation_id: ReservationId
    cabin: Cabin
    segments: Segments
    """Every flight of the reservation as it is to be, with those that stay."""
    payment_method_id: AirPaymentId


class NewBags(ToolModel):
    reservation_id: ReservationId
    bags: _Bags
    """How many there are to be altogether."""
    payment_method_id: AirPaymentId


class NewPassengers(ToolModel):
    reservation_id: ReservationId
    passengers: Passengers


class Gesture(ToolModel):
    reservation_id: ReservationId
    because: Literal["cancelled flight", "delayed flight"]


class ForTheDesk(ToolModel):
    reservation_id: ReservationId
    kind: Literal["follow_up", "exception"]
    """An exception asks an administrator for what the rules do not allow."""
    subject: Annotated[str, Field(min_length=1, max_length=120, pattern=r"^[^\x00-\x1f\x7f]+$")]
    text: Annotated[str, Field(min_length=1, max_length=2000)]


_EVERYWHERE = (
    Offer(airline_customers.read_profile),
    Offer(airline_reservations.read_reservation),
    Offer(airline_flights.search_flights),
    Offer(workpad.pass_to_person),
)
_TASK = Offer(airline_desk.leave_task, ForTheDesk)
_CANCEL = Offer(airline_reservations.cancel_reservation, Cancellation)
_FLIGHTS = Offer(airline_reservations.change_flights, NewFlights)

TO_IDENTIFY = (Offer(airline_customers.find_customer), Offer(workpad.pass_to_person))
IN_GENERAL = (
    *_EVERYWHERE,
    Offer(airline_flights.list_airports),
    Offer(airline_reservations.book_flights, Booking),
    Offer(workpad.calculate),
    _TASK,
)
WITH_A_RESERVATION = (
    *_EVERYWHERE,
    _CANCEL,
    _FLIGHTS,
    Offer(airline_reservations.change_bags, NewBags),
    Offer(airline_reservations.change_passengers, NewPassengers),
)
ONCE_DISRUPTED = (*_EVERYWHERE, _CANCEL, _FLIGHTS, Offer(airline_customers.send_certificate, Gesture), _TASK)
OFFERED = tuple({o.tool: o for o in (*TO_IDENTIFY, *IN_GENERAL, *WITH_A_RESERVATION, *ONCE_DISRUPTED)})
READS = tuple(tool for tool in OFFERED if not tool.writes)
WRITES = tuple(tool for tool in OFFERED if tool.writes)
EVERY = (*OFFERED, airline_flights.read_flight)
"""With what code reads for itself: each flight that a change is about."""
