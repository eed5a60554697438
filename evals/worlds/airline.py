"""The world's airline: customers, timetable, reservations and desk, each an HTTP system over one set of books."""

from collections.abc import Callable
from typing import Any

from starlette.applications import Starlette

from evals.worlds.airline_changes import (
    Books,
    book,
    cancel,
    change_bags,
    change_flights,
    change_passengers,
    give_certificate,
)
from evals.worlds.airline_data import CITIES, FLIGHTS, RESERVATIONS, USERS
from evals.worlds.airline_replies import flight_said, profile_said, reservation_said
from evals.worlds.serving import Answer, Desk, Incoming, answered_before, receipt_id, record_effect
from evals.worlds.store import Rows, from_text, to_text
from evals.worlds.whole_records import Objection, Record, answering, keep_record, record_as_shown, record_of


def airline_customers_world(desk: Desk) -> Starlette:
    return Starlette(
        routes=[
            desk.route("airline_customers.find_customer", "GET", "/known", _known),
            desk.route("airline_customers.read_profile", "GET", "/profiles", _profile),
            desk.route("airline_customers.send_certificate", "POST", "/certificates", _certificate),
        ]
    )


def airline_flights_world(desk: Desk) -> Starlette:
    return Starlette(
        routes=[
            desk.route("airline_flights.list_airports", "GET", "/airports", _airports),
            desk.route("airline_flights.search_flights", "GET", "/connections", _connections),
            desk.route("airline_flights.read_flight", "GET", "/flights", _flight),
        ]
    )


def airline_reservations_world(desk: Desk) -> Starlette:
    """Its routes; `/meanwhile` is how somebody at the airport changes what a reservation has in bags."""
    return Starlette(
        routes=[
            desk.route("airline_reservations.read_reservation", "GET", "/reservations", _reservation),
            desk.route("airline_reservations.book_flights", "POST", "/bookings", _book),
            desk.route(
                "airline_reservations.cancel_reservation",
                "POST",
                "/cancellations",
                _changes("reservation_cancellation", cancel),
            ),
            desk.route(
                "airline_reservations.change_flights", "POST", "/flights", _changes("flight_change", change_flights)
            ),
            desk.route("airline_reservations.change_bags", "POST", "/bags", _changes("bag_change", change_bags)),
            desk.route(
                "airline_reservations.change_passengers",
                "POST",
                "/passengers",
                _changes("passenger_change", change_passengers),
            ),
            desk.route("airline_reservations.meanwhile", "POST", "/meanwhile", _meanwhile),
        ]
    )


def airline_desk_world(desk: Desk) -> Starlette:
    return Starlette(routes=[desk.route("airline_desk.leave_task", "POST", "/tasks", _task)])


def _known(rows: Rows, incoming: Incoming) -> Answer:
    key = incoming.query.get("customer_id", "")
    return Answer(200, {"customer_id": key if rows.one("shop_record", kind=USERS, key=key) else None})


@answering
def _profile(rows: Rows, incoming: Incoming) -> Answer:
    key = incoming.query.get("customer_id", "")
    return Answer(200, profile_said(key, *record_of(rows, USERS, key)))


@answering
def _certificate(rows: Rows, incoming: Incoming) -> Answer:
    if answered := answered_before(rows, incoming, "certificate"):
        return answered
    wish: Record = incoming.body
    key = str(wish.get("customer_id", ""))
    customer, _ = record_as_shown(rows, USERS, key, wish.get("profile_version"), "profile")
    certificate_id = give_certificate(customer, wish)
    keep_record(rows, USERS, key, customer)
    said: Record = {"certificate_id": certificate_id, "customer_id": key, "amount": wish["amount"]}
    return record_effect(rows, "certificate", incoming, said)


def _timetable(rows: Rows) -> list[Record]:
    return [from_text(row["record"]) for row in rows.all("shop_records", kind=FLIGHTS)]


def _airports(rows: Rows, incoming: Incoming) -> Answer:
    served = {end for flight in _timetable(rows) for end in (flight["origin"], flight["destination"])}
    airports: list[Any] = [{"airport": code, "city": CITIES.get(code, code)} for code in sorted(served)]
    return Answer(200, {"airports": airports})


def _connections(rows: Rows, incoming: Incoming) -> Answer:
    origin, destination, date = (incoming.query.get(name, "") for name in ("origin", "destination", "date"))
    timetable = _timetable(rows)
    if incoming.query.get("stops") == "0":
        found = [[(one, date)] for one in timetable if (one["origin"], one["destination"]) == (origin, destination)]
    else:
        found = [
            [(first, date), (second, _day_after(date) if "+1" in first["scheduled_arrival_time_est"] else date)]
            for first in timetable
            if first["origin"] == origin
            for second in timetable
            if (first["destination"], second["destination"]) == (second["origin"], destination)
            and first["scheduled_arrival_time_est"] <= second["scheduled_departure_time_est"]
        ]
    bookable = [connection for connection in found if all(_can_be_booked(*leg) for leg in connection)]
    said: list[Any] = [{"flights": [flight_said(*leg) for leg in connection]} for connection in bookable]
    return Answer(200, {"connections": said})


def _day_after(date: str) -> str:
    """Within the month: the timetable has no other."""
    return f"{date[:-2]}{int(date[-2:]) + 1:02}"


def _can_be_booked(flight: Record, date: str) -> bool:
    return bool(flight["dates"].get(date, {}).get("status") == "available")


@answering
def _flight(rows: Rows, incoming: Incoming) -> Answer:
    flight, _ = record_of(rows, FLIGHTS, incoming.query.get("flight_number", ""))
    date = incoming.query.get("date", "")
    if date not in flight["dates"]:
        raise Objection(404, f"flight {flight['flight_number']} not found on date {date}")
    return Answer(200, flight_said(flight, date))


@answering
def _reservation(rows: Rows, incoming: Incoming) -> Answer:
    key = incoming.query.get("reservation_id", "")
    return Answer(200, reservation_said(rows, *record_of(rows, RESERVATIONS, key)))


@answering
def _book(rows: Rows, incoming: Incoming) -> Answer:
    if answered := answered_before(rows, incoming, "booking"):
        return answered
    wish: Record = incoming.body
    key = str(wish.get("customer_id", ""))
    customer, _ = record_as_shown(rows, USERS, key, wish.get("profile_version"), "profile")
    reservation = book(
        customer,
        wish,
        lambda number: record_of(rows, FLIGHTS, number)[0],
        lambda new: rows.one("shop_record", kind=RESERVATIONS, key=new) is not None,
    )
    keep_record(rows, USERS, key, customer)
    new = reservation["reservation_id"]
    rows.all("seed_shop_record", kind=RESERVATIONS, key=new, record=to_text(reservation))
    return record_effect(rows, "booking", incoming, reservation_said(rows, reservation, 1))


def _changes(kind: str, change: Callable[[Books, Record], None]) -> Callable[[Rows, Incoming], Answer]:
    @answering
    def act(rows: Rows, incoming: Incoming) -> Answer:
        if answered := answered_before(rows, incoming, kind):
            return answered
        wish: Record = incoming.body
        key = str(wish.get("reservation_id", ""))
        shown = wish.get("reservation_version")
        reservation, version = record_as_shown(rows, RESERVATIONS, key, shown, "reservation")
        customer, _ = record_of(rows, USERS, reservation["user_id"])
        before = to_text(customer)
        change(Books(reservation, customer, lambda number: record_of(rows, FLIGHTS, number)[0]), wish)
        keep_record(rows, RESERVATIONS, key, reservation)
        if to_text(customer) != before:
            keep_record(rows, USERS, reservation["user_id"], customer)
        return record_effect(rows, kind, incoming, reservation_said(rows, reservation, version + 1))

    return act


@answering
def _meanwhile(rows: Rows, incoming: Incoming) -> Answer:
    key = str(incoming.body.get("reservation_id", ""))
    reservation, version = record_of(rows, RESERVATIONS, key)
    reservation["total_baggages"] = incoming.body["bags"]
    keep_record(rows, RESERVATIONS, key, reservation)
    return Answer(200, reservation_said(rows, reservation, version + 1))


def _task(rows: Rows, incoming: Incoming) -> Answer:
    if answered := answered_before(rows, incoming, "desk_task"):
        return answered
    return record_effect(rows, "desk_task", incoming, {"task_id": receipt_id("TK", to_text(incoming.body))})
