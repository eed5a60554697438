"""Each step that a model took elsewhere, as the move of our booking workflow that says the same."""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from pydantic import BaseModel, ValidationError

from evals.tau_bench.airline_forms import passengers_of, segments_of
from evals.tau_bench.on_record import Said
from evals.tau_bench.recorded_runs import Step
from graphs.booking.wishes import IN_GENERAL, ONCE_DISRUPTED, TO_IDENTIFY, WITH_A_RESERVATION
from tools import airline_customers, airline_flights, airline_reservations, workpad
from tools.airline_reservations import BookedSegment

CALCULATE, AIRPORTS = workpad.calculate.name, airline_flights.list_airports.name
FIND, PROFILE = airline_customers.find_customer.name, airline_customers.read_profile.name
RESERVATION = airline_reservations.read_reservation.name
CERTIFICATE, PERSON = airline_customers.send_certificate.name, workpad.pass_to_person.name
BOOK = airline_reservations.book_flights.name
_LONGEST_SUMMARY = 1000
_REASONS = (
    ("health or weather", r"\b(?:sick|ill|illness|unwell|health|medical|hospital|injur\w+|surgery|weather|storm)\b"),
    ("airline cancelled flight", r"airline (?:has |had )?cancel|flight (?:was|got|has been|is|being) cancel"),
    ("change of plan", r"change (?:of|in) (?:my |the )?plan|plans? (?:have |has |had )?chang|no longer (?:need|want)"),
)
"""Words for why somebody cancels. On record no reason is given to the tool; ours wants the customer's."""
_USER_ID = re.compile(r"\b[a-z]+(?:_[a-z]+)*_[0-9]{3,6}\b")
_FLIGHT = re.compile(r"\b[A-Z]{3}[0-9]{3}\b")
_TAKES: Mapping[str, type[BaseModel]] = {
    offer.tool.name: offer.takes for offer in (*TO_IDENTIFY, *IN_GENERAL, *WITH_A_RESERVATION, *ONCE_DISRUPTED)
}

Heard = Sequence[Said]
"""A conversation of ours, entry by entry."""


def wanted(step: Step, spoken: Sequence[str], heard: Heard) -> Said | None:
    """The move that a step asks for; None for a thought, which reaches nobody and changes nothing.

    `spoken` is what the customer has said, `heard` each of our calls with its result. Raises `ValueError` for a step
    that none of our tools takes.
    """
    if step.use == "think":
        return None
    if step.use not in _MOVES:
        raise ValueError(f"no tool of ours does what {step.use!r} does")
    use, args = _MOVES[step.use](step.args, spoken, heard)
    try:
        fitting = _TAKES[use].model_validate(args)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        raise ValueError(f"{use}: {'.'.join(map(str, first['loc']))}: {first['msg']}") from error
    return {"use": use, "args": fitting.model_dump(mode="json")}


def same_wish(step: Step, name: str, args: Said) -> bool:
    """Whether a step asks for the same as this action, as our customer is shown it: sums and paid bags are code's."""
    if step.use != name:
        return False
    if name == "send_certificate":
        return step.args == args
    try:
        asked, meant = wanted(step, (), ()), wanted(Step(use=name, args=args), (), ())
    except ValueError:
        return False
    return asked is not None and meant is not None and _shown(asked) == _shown(meant)


def _shown(move: Said) -> Said:
    return {name: value for name, value in move["args"].items() if name != "reason"}


def said_id(spoken: Sequence[str]) -> str:
    """The user id that the customer said last; empty where they said none."""
    return next((found[-1] for words in reversed(spoken) if (found := _USER_ID.findall(words))), "")


def reason_in(spoken: Sequence[str]) -> str:
    """Why somebody cancels, by what they said last of it."""
    for words in reversed(spoken):
        for reason, pattern in _REASONS:
            if re.search(pattern, words, re.IGNORECASE):
                return reason
    return "other"


def _profile(args: Said, spoken: Sequence[str], heard: Heard) -> tuple[str, Said]:
    return PROFILE, {"customer_id": args["user_id"]}


def _reservation(args: Said, spoken: Sequence[str], heard: Heard) -> tuple[str, Said]:
    return RESERVATION, dict(args)


def _searched(stops: int) -> "_Move":
    return lambda args, spoken, heard: (airline_flights.search_flights.name, {**args, "stops": stops})


def _cancelled(args: Said, spoken: Sequence[str], heard: Heard) -> tuple[str, Said]:
    return airline_reservations.cancel_reservation.name, {**args, "reason": reason_in(spoken)}


def _flights(args: Said, spoken: Sequence[str], heard: Heard) -> tuple[str, Said]:
    return airline_reservations.change_flights.name, {
        "reservation_id": args["reservation_id"],
        "cabin": args["cabin"],
        "segments": segments_of(args["flights"]),
        "payment_method_id": args["payment_id"],
    }


def _bags(args: Said, spoken: Sequence[str], heard: Heard) -> tuple[str, Said]:
    bags = {"bags": args["total_baggages"], "payment_method_id": args["payment_id"]}
    return airline_reservations.change_bags.name, {"reservation_id": args["reservation_id"], **bags}


def _passengers(args: Said, spoken: Sequence[str], heard: Heard) -> tuple[str, Said]:
    people = passengers_of(args["passengers"])
    return airline_reservations.change_passengers.name, {
        "reservation_id": args["reservation_id"],
        "passengers": people,
    }


def _booking(args: Said, spoken: Sequence[str], heard: Heard) -> tuple[str, Said]:
    return BOOK, {
        "origin": args["origin"],
        "destination": args["destination"],
        "trip": args["flight_type"],
        "cabin": args["cabin"],
        "segments": segments_of(args["flights"]),
        "passengers": passengers_of(args["passengers"]),
        "payment_method_ids": [one["payment_id"] for one in args["payment_methods"]],
        "bags": args["total_baggages"],
        "insured": args["insurance"] == "yes",
    }


def _certificate(args: Said, spoken: Sequence[str], heard: Heard) -> tuple[str, Said]:
    """On record it is for no reservation and no reason: ours is for the one that was disrupted, else the last read."""
    read, found = _read(heard), disrupted(heard, spoken)
    reservation, status = found[0] if found else (read[-1] if read else {"reservation_id": ""}, "delayed")
    return CERTIFICATE, {"reservation_id": reservation["reservation_id"], "because": f"{status} flight"}


def disrupted(heard: Heard, spoken: Sequence[str]) -> list[tuple[Said, str]]:
    """Reservations that were read and had a flight cancelled or delayed, with which of it, last read first.

    Where the customer names flights, only reservations with one of these.
    """
    named = {number for words in spoken for number in _FLIGHT.findall(words)}
    meant = [one for one in _read(heard) if not named or named & {leg["flight_number"] for leg in one["segments"]}]
    return [(one, status) for one in reversed(meant) for status in ("cancelled", "delayed") if _has(one, status)]


def _read(heard: Heard) -> list[Said]:
    return [one["result"] for one in heard if "segments" in one["result"]]


def _has(reservation: Said, status: str) -> bool:
    segments = [BookedSegment.model_validate(one) for one in reservation["segments"]]
    return any(one.delayed if status == "delayed" else one.status == status for one in segments)


def _handed_over(args: Said, spoken: Sequence[str], heard: Heard) -> tuple[str, Said]:
    return PERSON, {"summary": str(args["summary"])[:_LONGEST_SUMMARY]}


_Move = Callable[[Said, Sequence[str], Heard], tuple[str, dict[str, Any]]]
_MOVES: dict[str, _Move] = {
    "get_user_details": _profile,
    "get_reservation_details": _reservation,
    "list_all_airports": lambda args, spoken, heard: (AIRPORTS, {}),
    "search_direct_flight": _searched(0),
    "search_onestop_flight": _searched(1),
    "calculate": lambda args, spoken, heard: (CALCULATE, dict(args)),
    "transfer_to_human_agents": _handed_over,
    "book_reservation": _booking,
    "cancel_reservation": _cancelled,
    "update_reservation_flights": _flights,
    "update_reservation_baggages": _bags,
    "update_reservation_passengers": _passengers,
    "send_certificate": _certificate,
}
"""By the name on record."""
