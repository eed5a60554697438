"""What bookings and changes of the airline come to, worked out from what was read: bags, insurance, seats."""

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal

from tools.airline_customers import Membership
from tools.airline_flights import Cabin, Flight
from tools.airline_reservations import Reservation, Segment

BAG, INSURANCE = Decimal(50), Decimal(30)
_FREE: dict[Membership, dict[Cabin, int]] = {
    "regular": {"basic_economy": 0, "economy": 1, "business": 2},
    "silver": {"basic_economy": 1, "economy": 2, "business": 3},
    "gold": {"basic_economy": 2, "economy": 3, "business": 3},
}
Timetable = Mapping[tuple[str, str], Flight]
"""Flights by number and date."""


def free_bags(membership: Membership, cabin: Cabin, passengers: int) -> int:
    """How many bags cost nothing."""
    return _FREE[membership][cabin] * passengers


def seats_price(flight: Flight | None, cabin: Cabin) -> Decimal | None:
    """What a seat costs; None for a flight that cannot be booked or has no such cabin."""
    offers = flight.offers if flight and flight.status == "available" else ()
    return next((Decimal(offer.price) for offer in offers if offer.cabin == cabin), None)


def seats_left(flight: Flight | None, cabin: Cabin) -> int:
    """How many seats a cabin has left."""
    offers = flight.offers if flight and flight.status == "available" else ()
    return next((offer.seats for offer in offers if offer.cabin == cabin), 0)


def timetable_of(flights: Iterable[Flight]) -> Timetable:
    return {(flight.flight_number, flight.date): flight for flight in flights}


def new_segments(reservation: Reservation, cabin: Cabin, segments: Sequence[Segment]) -> list[Segment]:
    """Segments that are booked anew: those that stay in the same cabin keep their price and their seats."""
    kept = {(one.flight_number, one.date) for one in reservation.segments} if cabin == reservation.cabin else set()
    return [one for one in segments if (one.flight_number, one.date) not in kept]


def difference_of(
    reservation: Reservation, cabin: Cabin, segments: Sequence[Segment], timetable: Timetable
) -> Decimal | None:
    """What changed flights cost more, below zero less; None where a flight cannot be booked."""
    prices = {(one.flight_number, one.date): Decimal(one.price) for one in reservation.segments}
    anew = new_segments(reservation, cabin, segments)
    total = -sum((Decimal(one.price) for one in reservation.segments), Decimal(0))
    for one in segments:
        key = (one.flight_number, one.date)
        price = seats_price(timetable.get(key), cabin) if one in anew else prices[key]
        if price is None:
            return None
        total += price
    return total * len(reservation.passengers)


def booking_price(
    cabin: Cabin, segments: Sequence[Segment], timetable: Timetable, *, passengers: int, paid_bags: int, insured: bool
) -> Decimal | None:
    """What a booking costs; None where a flight cannot be booked."""
    prices = [seats_price(timetable.get((one.flight_number, one.date)), cabin) for one in segments]
    known = [price for price in prices if price is not None]
    if len(known) < len(prices):
        return None
    insurance = INSURANCE * passengers if insured else Decimal(0)
    return sum(known, Decimal(0)) * passengers + BAG * paid_bags + insurance
