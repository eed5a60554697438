"""Whether flights make a trip, and the trip that a reservation is for."""

from collections.abc import Sequence
from itertools import pairwise

from tools.airline_prices import Timetable
from tools.airline_reservations import Reservation, Segment

Leg = tuple[str, str]
"""Where from, where to."""


def is_trip(origin: str, destination: str, trip: str, segments: Sequence[Segment], timetable: Timetable) -> bool:
    """Whether each flight begins where the one before ended, from origin to destination, and back for a round trip."""
    flights = [timetable.get((one.flight_number, one.date)) for one in segments]
    legs = [(flight.origin, flight.destination) for flight in flights if flight]
    return len(legs) == len(segments) and _leads(legs, origin, destination, there_and_back=trip == "round_trip")


def is_same_route(found: Reservation, segments: Sequence[Segment], timetable: Timetable) -> bool:
    """Whether these flights lead where those of the reservation lead."""
    kept: dict[tuple[str, str], Leg] = {
        (one.flight_number, one.date): (one.origin, one.destination) for one in found.segments
    }
    read = {key: (flight.origin, flight.destination) for key, flight in timetable.items()}
    legs = [(read | kept).get((one.flight_number, one.date)) for one in segments]
    known = [leg for leg in legs if leg]
    there_and_back = found.trip == "round_trip"
    return len(known) == len(legs) and _leads(known, found.origin, found.destination, there_and_back=there_and_back)


def _leads(legs: Sequence[Leg], origin: str, destination: str, *, there_and_back: bool) -> bool:
    joined = all(before[1] == after[0] for before, after in pairwise(legs))
    reached = destination in [leg[1] for leg in legs]
    return joined and reached and legs[0][0] == origin and legs[-1][1] == (origin if there_and_back else destination)
