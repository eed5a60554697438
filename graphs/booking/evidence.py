"""What the case's own calls show of an action: who was identified, whose it is, whether the airline's rules allow it.

Each function is `(arguments, finished calls) -> facts`, pure. Rules read them under names that begin with `seen_`; a
model cannot say them and an edited state cannot hold them. What was not read is not known, and no rule allows that.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, cast

from contracts.approval import JsonObject
from contracts.guard import Finished
from contracts.policy import Evidence
from graphs.booking.ledger import cabin_of, identified, profile_of, readings_of, reservation_of, timetable_of
from graphs.booking.routes import is_same_route, is_trip
from tools import airline_customers, airline_desk, airline_flights, airline_prices, airline_reservations
from tools.airline_customers import PaymentMethod, Profile
from tools.airline_flights import Cabin
from tools.airline_reservations import Payment, Reservation, Segment

_A_DAY = timedelta(hours=24)
_USED = {"flying", "landed"}
_EACH = {"cancelled flight": Decimal(100), "delayed flight": Decimal(50)}
_MOST_GIFT_CARDS = 3


def whether_identified(args: JsonObject, past: Sequence[Finished]) -> JsonObject:
    return {"identified": bool(identified(past))}


def of_a_profile(args: JsonObject, past: Sequence[Finished]) -> JsonObject:
    return {"own": args["customer_id"] == identified(past) != ""}


def of_a_reservation(args: JsonObject, past: Sequence[Finished]) -> JsonObject:
    """A reservation is the customer's own when their profile lists it: so much is known before it is read."""
    profile = profile_of(past)
    return {"own": profile is not None and args["reservation_id"] in profile.reservations}


def of_a_cancellation(args: JsonObject, past: Sequence[Finished]) -> JsonObject:
    found = reservation_of(args, past)
    paid = sum((Decimal(payment.amount) for payment in found.payments), Decimal(0))
    return _upon(args, found, past) | {
        "right_sum": Decimal(str(args["refund"])) == paid,
        "unused": not _is_used(found),
        "may_cancel": found.insured or _by_rule(args, found, cabin_of(found, past)),
        "condition_met": _by_rule(args, found, cabin_of(found, past)),
    }


def _by_rule(args: JsonObject, found: Reservation, cabin: Cabin) -> bool:
    """Whether it may be cancelled without anybody judging what the insurance pays for."""
    since = datetime.fromisoformat(found.as_of) - datetime.fromisoformat(found.booked_at)
    by_the_airline = any(segment.status == "cancelled" for segment in found.segments)
    covered = found.insured and args["reason"] == "health or weather"
    return since <= _A_DAY or by_the_airline or cabin == "business" or covered


def of_new_flights(args: JsonObject, past: Sequence[Finished]) -> JsonObject:
    found, cabin, segments = reservation_of(args, past), cast(Cabin, args["cabin"]), _segments(args)
    timetable, anew = timetable_of(past), airline_prices.new_segments(found, cabin, segments)
    difference = airline_prices.difference_of(found, cabin, segments, timetable)
    before = {(one.flight_number, one.date) for one in found.segments}
    same_flights = before == {(one.flight_number, one.date) for one in segments}
    left = [airline_prices.seats_left(timetable.get((one.flight_number, one.date)), cabin) for one in anew]
    return {
        **_upon(args, found, past),
        **_method(args, past, difference or Decimal(0)),
        "unused": not _is_used(found),
        "may_change": same_flights or cabin_of(found, past) != "basic_economy",
        "same_route": same_flights or is_same_route(found, segments, timetable),
        "available": all(seats >= len(found.passengers) for seats in left),
        "right_sum": difference is not None and Decimal(str(args["price_difference"])) == difference,
        "difference": f"{abs(difference or Decimal(0)):.2f}",
    }


def of_new_bags(args: JsonObject, past: Sequence[Finished]) -> JsonObject:
    found, profile = reservation_of(args, past), profile_of(past)
    bags, paid = int(str(args["bags"])), int(str(args["paid_bags"]))
    flown = cabin_of(found, past)
    free = airline_prices.free_bags(profile.membership, flown, len(found.passengers)) if profile else 0
    price = airline_prices.BAG * max(0, paid - found.paid_bags)
    return {
        **_upon(args, found, past),
        **_method(args, past, price),
        "adds_bags": bags >= found.bags,
        "right_bags": paid == max(0, bags - free),
        "right_sum": Decimal(str(args["price"])) == price,
    }


def of_new_passengers(args: JsonObject, past: Sequence[Finished]) -> JsonObject:
    found = reservation_of(args, past)
    same = len(cast(list[Any], args["passengers"])) == len(found.passengers)
    return _upon(args, found, past) | {"same_number": same}


def of_a_booking(args: JsonObject, past: Sequence[Finished]) -> JsonObject:
    profile, segments, cabin = profile_of(past), _segments(args), cast(Cabin, args["cabin"])
    if profile is None:
        raise ValueError("the profile was not read")
    people, timetable = len(cast(list[Any], args["passengers"])), timetable_of(past)
    paid_bags, bags = int(str(args["paid_bags"])), int(str(args["bags"]))
    price = airline_prices.booking_price(
        cabin, segments, timetable, passengers=people, paid_bags=paid_bags, insured=bool(args["insured"])
    )
    left = [airline_prices.seats_left(timetable.get((one.flight_number, one.date)), cabin) for one in segments]
    free = airline_prices.free_bags(profile.membership, cabin, people)
    return {
        **of_a_profile(args, past),
        **_paid(args, profile),
        "as_read": profile.version == args["profile_version"],
        "few_enough": people,
        "is_trip": is_trip(str(args["origin"]), str(args["destination"]), str(args["trip"]), segments, timetable),
        "available": all(seats >= people for seats in left),
        "right_bags": paid_bags == max(0, bags - free),
        "right_sum": price is not None and Decimal(str(args["price"])) == price,
    }


def _paid(args: JsonObject, profile: Profile) -> JsonObject:
    payments = [Payment.model_validate(one) for one in cast(list[Any], args["payments"])]
    methods = {method.payment_method_id: method for method in profile.payment_methods}
    used = [methods[one.payment_method_id] for one in payments if one.payment_method_id in methods]
    kinds = [method.kind for method in used]
    paid = sum((Decimal(one.amount) for one in payments), Decimal(0))
    each_once = len({one.payment_method_id for one in payments}) == len(payments)
    return {
        "own_method": len(used) == len(payments),
        "certificates": kinds.count("certificate"),
        "credit_cards": kinds.count("credit_card"),
        "few_gift_cards": kinds.count("gift_card") <= _MOST_GIFT_CARDS,
        "adds_up": each_once and paid == Decimal(str(args["price"])),
        "covered": all(_covers(methods.get(one.payment_method_id), Decimal(one.amount)) for one in payments),
    }


def of_a_certificate(args: JsonObject, past: Sequence[Finished]) -> JsonObject:
    found, profile = reservation_of(args, past), profile_of(past)
    if profile is None:
        raise ValueError("the profile was not read")
    deserving = profile.membership != "regular" or found.insured or cabin_of(found, past) == "business"
    sent = [call.args for call in past if call.tool == airline_customers.send_certificate.name]
    return {
        "own": found.customer_id == identified(past) == args["customer_id"] != "",
        "as_read": profile.version == args["profile_version"],
        "deserving": deserving,
        "disrupted": _is_disrupted(args, past),
        "settled": args["because"] == "cancelled flight" or _was_changed(args, past),
        "first": args["reservation_id"] not in [one["reservation_id"] for one in sent],
        "right_sum": Decimal(str(args["amount"])) == _EACH[str(args["because"])] * len(found.passengers),
    }


def _is_disrupted(args: JsonObject, past: Sequence[Finished]) -> bool:
    """Whether a flight was seen that was cancelled, or that was delayed, as the certificate says."""
    readings = readings_of(str(args["reservation_id"]), past)
    segments = [segment for _, reading in readings for segment in reading.segments]
    if args["because"] == "cancelled flight":
        return any(segment.status == "cancelled" for segment in segments)
    return any(segment.delayed for segment in segments)


def _was_changed(args: JsonObject, past: Sequence[Finished]) -> bool:
    changes = (airline_reservations.change_flights.name, airline_reservations.cancel_reservation.name)
    return any(tool in changes for tool, _ in readings_of(str(args["reservation_id"]), past))


def _upon(args: JsonObject, found: Reservation, past: Sequence[Finished]) -> JsonObject:
    return {
        "own": found.customer_id == identified(past) != "",
        "as_read": found.version == args["reservation_version"],
        "status": found.status,
    }


def _method(args: JsonObject, past: Sequence[Finished], amount: Decimal) -> JsonObject:
    profile = profile_of(past)
    methods = {method.payment_method_id: method for method in profile.payment_methods} if profile else {}
    method = methods.get(str(args["payment_method_id"]))
    return {
        "own_method": method is not None,
        "no_certificate": method is not None and method.kind != "certificate",
        "covered": _covers(method, amount),
    }


def _covers(method: PaymentMethod | None, amount: Decimal) -> bool:
    """Whether there is enough on it; a credit card is asked by whoever issued it."""
    return method is not None and (method.balance is None or Decimal(method.balance) >= amount)


def _is_used(found: Reservation) -> bool:
    return any(segment.status in _USED for segment in found.segments)


def _segments(args: JsonObject) -> list[Segment]:
    return [Segment.model_validate(one) for one in cast(list[Any], args["segments"])]


EVIDENCE: dict[str, Evidence] = {
    airline_customers.find_customer.name: whether_identified,
    airline_customers.read_profile.name: of_a_profile,
    airline_flights.list_airports.name: whether_identified,
    airline_flights.search_flights.name: whether_identified,
    airline_flights.read_flight.name: whether_identified,
    airline_reservations.read_reservation.name: of_a_reservation,
    airline_reservations.book_flights.name: of_a_booking,
    airline_reservations.cancel_reservation.name: of_a_cancellation,
    airline_reservations.change_flights.name: of_new_flights,
    airline_reservations.change_bags.name: of_new_bags,
    airline_reservations.change_passengers.name: of_new_passengers,
    airline_customers.send_certificate.name: of_a_certificate,
    airline_desk.leave_task.name: of_a_reservation,
}
"""By tool: what policy is told of a call of it."""
