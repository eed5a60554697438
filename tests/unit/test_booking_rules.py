"""What the booking workflow works out by itself: routes, free bags, prices, and how a price is spread."""

import pytest

from contracts.guard import Finished
from graphs.booking.drafts import DRAFTS, summary_of
from graphs.booking.evidence import EVIDENCE
from graphs.booking.policy import POLICY
from graphs.booking.routes import is_trip
from graphs.booking.wishes import EVERY
from tools import airline_customers, airline_reservations
from tools.airline_customers import Membership
from tools.airline_flights import Cabin, Flight, Offer
from tools.airline_prices import booking_price, free_bags, timetable_of
from tools.airline_reservations import Segment

DAY = "2024-05-20"
PROFILE = {
    "customer_id": "kim_lee_123",
    "name": {"first_name": "Kim", "last_name": "Lee"},
    "email": "kim@example.com",
    "born_on": "1990-01-01",
    "address": {"line_1": "1 Elm", "line_2": "", "city": "Reno", "state": "NV", "country": "USA", "zip": "89501"},
    "membership": "silver",
    "payment_methods": [
        {"payment_method_id": f"{kind}_1234567", "kind": kind, "balance": balance, "brand": None, "last_four": None}
        for kind, balance in (("certificate", "60.00"), ("gift_card", "50.00"), ("credit_card", None))
    ],
    "saved_passengers": [],
    "reservations": [],
    "version": 3,
}
WISH = {
    "origin": "JFK",
    "destination": "SEA",
    "trip": "one_way",
    "cabin": "economy",
    "segments": [{"flight_number": "ONE001", "date": DAY}],
    "passengers": [{"first_name": "Kim", "last_name": "Lee", "born_on": "1990-01-01"}],
    "bags": 3,
    "insured": True,
}


def flight(number: str, origin: str, destination: str, price: str = "100.00") -> Flight:
    return Flight(
        flight_number=number,
        date=DAY,
        origin=origin,
        destination=destination,
        departs="08:00:00",
        arrives="10:00:00",
        status="available",
        offers=(Offer(cabin="economy", seats=2, price=price),),
    )


TIMETABLE = timetable_of(
    [flight("ONE001", "JFK", "SEA"), flight("TWO002", "SEA", "JFK"), flight("ONE003", "JFK", "ORD")]
)


def draft_of(*methods: str) -> dict[str, object]:
    records = {
        "profile": PROFILE,
        "reservation": None,
        "flights": [one.model_dump(mode="json") for one in TIMETABLE.values()],
    }
    move = {
        "use": "airline_reservations.book_flights",
        "args": WISH | {"payment_method_ids": list(methods)},
        "text": "",
    }
    state: object = {"records": records, "move": move, "answered_by": "test"}
    return dict(DRAFTS[airline_reservations.book_flights](state)["args"])  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("numbers", "trip", "leads"),
    [
        (["ONE001"], "one_way", True),
        (["ONE001"], "round_trip", False),
        (["ONE001", "TWO002"], "round_trip", True),
        (["ONE001", "TWO002"], "one_way", False),
        (["ONE003"], "one_way", False),
        (["ONE003", "TWO002"], "one_way", False),
        (["NOT009"], "one_way", False),
    ],
)
def test_flights_lead_from_origin_to_destination_and_back(numbers: list[str], trip: str, leads: bool) -> None:
    segments = [Segment(flight_number=number, date=DAY) for number in numbers]

    assert is_trip("JFK", "SEA", trip, segments, TIMETABLE) is leads


@pytest.mark.parametrize(
    ("membership", "cabin", "free"),
    [("regular", "basic_economy", 0), ("regular", "business", 4), ("silver", "economy", 4), ("gold", "business", 6)],
)
def test_bags_are_free_by_membership_and_cabin(membership: Membership, cabin: Cabin, free: int) -> None:
    assert free_bags(membership, cabin, 2) == free


def test_a_price_is_spread_over_the_methods_in_their_order() -> None:
    args = draft_of("certificate_1234567", "gift_card_1234567", "credit_card_1234567")

    assert (args["price"], args["paid_bags"], args["profile_version"]) == ("180.00", 1, 3)
    assert args["payments"] == [
        {"payment_method_id": "certificate_1234567", "amount": "60.00"},
        {"payment_method_id": "gift_card_1234567", "amount": "50.00"},
        {"payment_method_id": "credit_card_1234567", "amount": "70.00"},
    ]


def test_what_is_left_falls_on_the_last_method_even_if_it_has_too_little() -> None:
    args = draft_of("certificate_1234567", "gift_card_1234567")

    assert args["payments"] == [
        {"payment_method_id": "certificate_1234567", "amount": "60.00"},
        {"payment_method_id": "gift_card_1234567", "amount": "120.00"},
    ]


def test_a_flight_that_was_not_read_has_no_price() -> None:
    unknown = [Segment(flight_number="NOT009", date=DAY)]

    assert booking_price("economy", unknown, TIMETABLE, passengers=1, paid_bags=0, insured=False) is None


def test_every_tool_but_the_pad_has_evidence_and_every_write_a_summary() -> None:
    without = {tool.name for tool in EVERY} - set(EVIDENCE)

    assert without == {"workpad.calculate", "workpad.pass_to_person"}
    assert set(POLICY.confirmed) == {tool.name for tool in DRAFTS}
    assert summary_of("airline_desk.leave_task", {"reservation_id": "ABC123", "subject": "Call"}).endswith(
        "ABC123: Call"
    )


def past_of(*, insured: bool = False, cabin: str = "economy", status: str = "landed", late: int = 0) -> list[Finished]:
    segment = {"flight_number": "ONE001", "date": DAY, "origin": "JFK", "destination": "SEA", "price": "100.00"}
    reservation = {
        "reservation_id": "KIM001",
        "customer_id": "kim_lee_123",
        "origin": "JFK",
        "destination": "SEA",
        "trip": "one_way",
        "cabin": cabin,
        "segments": [segment | {"status": status, "minutes_late": late}],
        "passengers": [{"first_name": "Kim", "last_name": "Lee", "born_on": "1990-01-01"}],
        "payments": [{"payment_method_id": "credit_card_1234567", "amount": "100.00"}],
        "booked_at": "2024-05-01T10:00:00",
        "bags": 0,
        "paid_bags": 0,
        "insured": insured,
        "status": "booked",
        "as_of": "2024-05-15T15:00:00",
        "version": 1,
    }
    identity = {"customer_id": "kim_lee_123"}
    return [
        Finished(airline_customers.find_customer.name, identity, identity),
        Finished(airline_customers.read_profile.name, identity, PROFILE),
        Finished(airline_reservations.read_reservation.name, {"reservation_id": "KIM001"}, reservation),
    ]


@pytest.mark.parametrize(
    ("insured", "reason", "may", "met"),
    [
        (False, "health or weather", False, False),
        (True, "health or weather", True, True),
        (True, "change of plan", True, False),
    ],
)
def test_whether_insurance_pays_for_other_reasons_is_not_known(
    insured: bool, reason: str, may: bool, met: bool
) -> None:
    args = {"reservation_id": "KIM001", "reservation_version": 1, "reason": reason, "refund": "100.00"}

    facts = EVIDENCE[airline_reservations.cancel_reservation.name](args, past_of(insured=insured, status="available"))

    assert (facts["may_cancel"], facts["condition_met"], facts["unused"]) == (may, met, True)


@pytest.mark.parametrize(
    ("status", "late", "delayed"), [("delayed", 0, True), ("landed", 15, True), ("landed", 14, False)]
)
def test_a_flight_that_landed_late_was_delayed(status: str, late: int, delayed: bool) -> None:
    args = {
        "customer_id": "kim_lee_123",
        "profile_version": 3,
        "reservation_id": "KIM001",
        "because": "delayed flight",
        "amount": "50.00",
    }

    facts = EVIDENCE[airline_customers.send_certificate.name](args, past_of(status=status, late=late))

    assert (facts["disrupted"], facts["settled"], facts["right_sum"]) == (delayed, False, True)


@pytest.mark.parametrize(("flown_in", "paid"), [("", 1), ("business", 0)])
def test_free_bags_follow_the_cabin_that_the_conversation_has_changed_to(flown_in: str, paid: int) -> None:
    records = {"profile": PROFILE, "reservation": past_of()[2].result, "flights": [], "flown_in": flown_in}
    args = {"reservation_id": "KIM001", "bags": 3, "payment_method_id": "credit_card_1234567"}
    state: object = {"records": records, "move": {"use": "", "args": args, "text": ""}, "answered_by": "test"}

    draft = DRAFTS[airline_reservations.change_bags](state)["args"]  # type: ignore[arg-type]

    assert (draft["paid_bags"], draft["price"]) == (paid, f"{50 * paid}.00")
