"""The forms in which the airline's tasks and we say the same thing."""

import json
import re
from collections.abc import Sequence
from decimal import Decimal, InvalidOperation
from typing import Any

from contracts.tool import ToolModel
from evals.tau_bench.on_record import Said
from tools.airline_customers import Certificate, Passenger, Profile
from tools.airline_flights import Airports, Connection, Connections, Flight
from tools.airline_reservations import Reservation, Segment
from tools.workpad import HandedOver, Noted, Worth

_CERTIFICATE = re.compile(r"(certificate_\d+) .* (\w+) with amount ([\d.]+?)\.?$")


def segments_of(flights: Sequence[Said]) -> tuple[Segment, ...]:
    return tuple(Segment(flight_number=one["flight_number"], date=one["date"]) for one in flights)


def passengers_of(people: Sequence[Said]) -> tuple[Passenger, ...]:
    return tuple(
        Passenger(first_name=one["first_name"], last_name=one["last_name"], born_on=one["dob"]) for one in people
    )


def is_as_recorded(said: ToolModel | str, on_record: str) -> bool:
    """Whether a reply of ours, or the text of a refusal, says what is on record."""
    match said:
        case str():
            return on_record.startswith("Error")
        case Worth():
            return _is_number(on_record, said.value)
        case HandedOver():
            return said.accepted and not on_record.startswith("Error")
        case Noted():
            return not on_record
        case Certificate():
            found = _CERTIFICATE.search(on_record)
            return found is not None and found[1] == said.certificate_id and _is_number(found[3], said.amount)
    return bool(_says(on_record) == _recorded(said))


def _is_number(text: str, value: str) -> bool:
    try:
        return Decimal(text) == Decimal(value)
    except InvalidOperation:
        return False


def _says(on_record: str) -> Any:
    """What is on record; None where it is no JSON."""
    try:
        found = json.loads(on_record)
    except ValueError:
        return None
    if isinstance(found, dict) and "province" in found.get("address", {}):  # as runs have it, and tasks do not
        found["address"]["state"] = found["address"].pop("province")
    return found


def _recorded(said: ToolModel) -> Any:
    """A reply of ours in the form that is on record."""
    match said:
        case Profile():
            return _profile(said)
        case Reservation():
            return _reservation(said)
        case Connections():
            return [_connected(connection) for connection in said.connections]
        case Airports():
            return {one.airport: one.city for one in said.airports}
    return said.model_dump(mode="json")


def _whole(amount: str) -> int | float:
    value = Decimal(amount)
    return int(value) if value == value.to_integral_value() else float(value)


def _person(passenger: Passenger) -> Said:
    return {"first_name": passenger.first_name, "last_name": passenger.last_name, "dob": passenger.born_on}


def _profile(profile: Profile) -> Said:
    address = profile.address.model_dump()
    named = {"line_1": "address1", "line_2": "address2"}
    methods = {}
    for method in profile.payment_methods:
        said: Said = {"source": method.kind, "id": method.payment_method_id}
        said |= {"amount": _whole(method.balance)} if method.balance else {}
        said |= {"brand": method.brand, "last_four": method.last_four} if method.brand else {}
        methods[method.payment_method_id] = said
    return {
        "name": profile.name.model_dump(),
        "address": {named.get(name, name): part for name, part in address.items()},
        "email": profile.email,
        "dob": profile.born_on,
        "payment_methods": methods,
        "saved_passengers": [_person(passenger) for passenger in profile.saved_passengers],
        "membership": profile.membership,
        "reservations": list(profile.reservations),
    }


def _reservation(reservation: Reservation) -> Said:
    said: Said = {
        "reservation_id": reservation.reservation_id,
        "user_id": reservation.customer_id,
        "origin": reservation.origin,
        "destination": reservation.destination,
        "flight_type": reservation.trip,
        "cabin": reservation.cabin,
        "flights": [
            segment.model_dump(exclude={"status", "minutes_late"}) | {"price": _whole(segment.price)}
            for segment in reservation.segments
        ],
        "passengers": [_person(passenger) for passenger in reservation.passengers],
        "payment_history": [
            {"payment_id": payment.payment_method_id, "amount": _whole(payment.amount)}
            for payment in reservation.payments
        ],
        "created_at": reservation.booked_at,
        "total_baggages": reservation.bags,
        "nonfree_baggages": reservation.paid_bags,
        "insurance": "yes" if reservation.insured else "no",
    }
    return said | ({"status": "cancelled"} if reservation.status == "cancelled" else {})


def _connected(connection: Connection) -> Said | list[Said]:
    """On record a flight says its date where there are several."""
    legs = [_flight(leg) for leg in connection.flights]
    if len(legs) == 1:
        return legs[0]
    return [leg | {"date": flight.date} for leg, flight in zip(legs, connection.flights, strict=True)]


def _flight(flight: Flight) -> Said:
    return {
        "flight_number": flight.flight_number,
        "origin": flight.origin,
        "destination": flight.destination,
        "scheduled_departure_time_est": flight.departs,
        "scheduled_arrival_time_est": flight.arrives,
        "status": flight.status,
        "available_seats": {offer.cabin: offer.seats for offer in flight.offers},
        "prices": {offer.cabin: _whole(offer.price) for offer in flight.offers},
    }
