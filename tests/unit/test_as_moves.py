"""Steps on record as moves of ours: what is read from the customer's words, and what none of our tools takes."""

import pytest

from evals.tau_bench.as_moves import disrupted, reason_in, said_id, same_wish, wanted
from evals.tau_bench.recorded_runs import Step

SEGMENT = {"flight_number": "ABC001", "date": "2024-05-14", "origin": "JFK", "destination": "SEA", "price": "1.00"}


def reading(reservation_id: str, status: str, late: int = 0, number: str = "ABC001") -> dict[str, object]:
    segment = SEGMENT | {"flight_number": number, "status": status, "minutes_late": late}
    return {"result": {"reservation_id": reservation_id, "segments": [segment]}}


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        ("I have been ill since Monday", "health or weather"),
        ("because the airline cancelled the flight", "airline cancelled flight"),
        ("my plans have changed", "change of plan"),
        ("I just want to", "other"),
        ("it will be fulfilled", "other"),
    ],
)
def test_why_somebody_cancels_is_read_from_what_they_said(words: str, reason: str) -> None:
    assert reason_in([words]) == reason


def test_what_was_said_last_of_a_reason_and_of_a_user_id_counts() -> None:
    assert reason_in(["I am ill", "no, my plans have changed", "please"]) == "change of plan"
    assert said_id(["I am kim_lee_123", "sorry, mei_de_la_cruz_4567", "yes"]) == "mei_de_la_cruz_4567"
    assert said_id(["gift_card_1"]) == ""


def test_a_certificate_is_for_the_flight_that_the_customer_names() -> None:
    heard = [
        reading("AAA001", "landed", 20),
        reading("BBB002", "delayed", number="XYZ009"),
        reading("CCC003", "landed"),
    ]

    assert [(one["reservation_id"], why) for one, why in disrupted(heard, [])] == [
        ("BBB002", "delayed"),
        ("AAA001", "delayed"),
    ]
    assert [one["reservation_id"] for one, _ in disrupted(heard, ["my flight ABC001 was late"])] == ["AAA001"]


@pytest.mark.parametrize(
    "step",
    [
        Step(use="wave", args={}),
        Step(use="search_direct_flight", args={"origin": "New York", "destination": "SEA", "date": "2024-05-20"}),
    ],
)
def test_what_no_tool_of_ours_takes_is_said(step: Step) -> None:
    with pytest.raises(ValueError, match=r"no tool of ours|search_flights: origin"):
        wanted(step, [], [])


def test_the_same_wish_may_be_written_with_more_words_and_other_sums() -> None:
    flights = {"reservation_id": "AAA001", "cabin": "economy", "payment_id": "gift_card_1234567"}
    plain = flights | {"flights": [{"flight_number": "ABC001", "date": "2024-05-14"}]}
    wordy = flights | {"flights": [{"flight_number": "ABC001", "date": "2024-05-14", "origin": "JFK"}]}
    name = "update_reservation_flights"

    assert same_wish(Step(use=name, args=wordy), name, plain)
    assert not same_wish(Step(use=name, args=wordy | {"cabin": "business"}), name, plain)
    assert not same_wish(Step(use="send_certificate", args={"amount": 50}), "send_certificate", {"amount": 100})


def test_a_thought_is_no_move() -> None:
    assert wanted(Step(use="think", args={"thought": "Hm."}), [], []) is None
