"""What was read and done in a case, looked up among its finished calls."""

from collections.abc import Sequence
from typing import cast

from contracts.approval import JsonObject
from contracts.guard import Finished
from tools import airline_customers, airline_flights, airline_prices, airline_reservations
from tools.airline_customers import Profile
from tools.airline_flights import Cabin, Flight
from tools.airline_reservations import Reservation

_RESERVATIONS = tuple(
    tool.name for tool in vars(airline_reservations).values() if getattr(tool, "reply", None) is Reservation
)


def identified(past: Sequence[Finished]) -> str:
    """The customer whom the case has found first; empty while there is none. Nobody takes their place."""
    found = (
        cast(JsonObject, call.result)["customer_id"]
        for call in past
        if call.tool == airline_customers.find_customer.name
    )
    return next((str(customer) for customer in found if customer), "")


def profile_of(past: Sequence[Finished]) -> Profile | None:
    """The identified customer's, as it was last read."""
    customer = identified(past)
    for call in reversed(past):
        if call.tool == airline_customers.read_profile.name and call.args["customer_id"] == customer:
            return Profile.model_validate(call.result)
    return None


def readings_of(reservation_id: str, past: Sequence[Finished]) -> list[tuple[str, Reservation]]:
    """The reservation each time that it was read or changed, oldest first, with the tool that did."""
    found = [(call.tool, Reservation.model_validate(call.result)) for call in past if call.tool in _RESERVATIONS]
    return [(tool, reading) for tool, reading in found if reading.reservation_id == reservation_id]


def reservation_of(args: JsonObject, past: Sequence[Finished]) -> Reservation:
    """As it was last read or changed in this case. Raises `ValueError` where it was not: then nothing is known."""
    readings = readings_of(str(args["reservation_id"]), past)
    if not readings:
        raise ValueError("the reservation was not read")
    return readings[-1][1]


def cabin_of(found: Reservation, past: Sequence[Finished]) -> Cabin:
    """The cabin that it is flown in: what this case has changed it to, else as it was booked."""
    for call in reversed(past):
        if (
            call.tool == airline_reservations.change_flights.name
            and call.args["reservation_id"] == found.reservation_id
        ):
            return cast(Cabin, call.args["cabin"])
    return found.cabin


def timetable_of(past: Sequence[Finished]) -> airline_prices.Timetable:
    """Every flight as it was last read."""
    return airline_prices.timetable_of(
        Flight.model_validate(call.result) for call in past if call.tool == airline_flights.read_flight.name
    )
