"""The stages of a conversation with a customer of the airline."""

import json
from typing import Any, cast

from langgraph.runtime import Runtime

from contracts.approval import JsonObject
from contracts.context import Context
from contracts.errors import PolicyDenied, ToolRefused
from contracts.tool import ToolModel
from graphs.booking.drafts import summary_of
from graphs.booking.state import Desk, Moved, Proposed, Records, Result, State
from nodes.agent import FINISH, hear, refusal
from nodes.outcomes import notes_outcome, so_far, why_handed_off
from nodes.recovery import or_hand_off
from tools import airline_customers, airline_flights, airline_prices, airline_reservations
from tools.airline_customers import CustomerRequest, Found
from tools.airline_flights import Cabin, FlightRequest
from tools.airline_reservations import Reservation, ReservationRequest, Segment

WEIGHED = (airline_customers.read_profile, airline_reservations.read_reservation, airline_flights.read_flight)


def note_read(state: Any, tool: str, reply: ToolModel) -> dict[str, object]:
    """What a reply says of who is served, and of which tools are on offer next."""
    if isinstance(reply, Found):
        return {"customer_id": reply.customer_id or state["customer_id"]}
    if isinstance(reply, Reservation):
        return {"desk": _desk_of(reply)}
    return {"desk": "general"} if tool == airline_customers.read_profile.name else {}


def _desk_of(reservation: Reservation) -> Desk:
    if any(segment.status == "cancelled" or segment.delayed for segment in reservation.segments):
        return "disrupted"
    return "reservation" if reservation.status == "booked" else "general"


@or_hand_off
async def read_own_profile(state: Moved, runtime: Runtime[Context]) -> dict[str, object]:
    """The account of whoever was found: which reservations are theirs follows from it."""
    request = CustomerRequest(customer_id=state["customer_id"])
    profile = await runtime.context.tools.call(airline_customers.read_profile, request)
    asked = cast(JsonObject, request.model_dump(mode="json"))
    heard = hear(state, airline_customers.read_profile.name, asked, profile.model_dump(mode="json"))
    return heard | {"desk": "general"}


@or_hand_off
async def weigh_change(state: Moved, runtime: Runtime[Context]) -> dict[str, object]:
    """Read what the change is about as it stands now; what may not be read is heard, and nothing is proposed."""
    call, args = runtime.context.tools.call, state["move"]["args"]
    reservation: Reservation | None = None
    try:
        profile = await call(airline_customers.read_profile, CustomerRequest(customer_id=state["customer_id"]))
        if "reservation_id" in args:
            request = ReservationRequest(reservation_id=str(args["reservation_id"]))
            reservation = await call(airline_reservations.read_reservation, request)
        flights = [
            await call(airline_flights.read_flight, FlightRequest(flight_number=one.flight_number, date=one.date))
            for one in _booked_anew(args, reservation)
        ]
    except (PolicyDenied, ToolRefused) as error:
        return hear(state, state["move"]["use"], args, refusal(error)) | {"records": None}
    records: Records = {
        "profile": profile.model_dump(mode="json"),
        "reservation": reservation.model_dump(mode="json") if reservation else None,
        "flights": [flight.model_dump(mode="json") for flight in flights],
        "flown_in": _flown_in(state, args),
    }
    return {"records": records}


def _flown_in(state: Moved, args: JsonObject) -> str:
    """An airline keeps the cabin as booked, so what was changed in this conversation is found there."""
    heard = [json.loads(entry["says"]) for entry in state["conversation"] if entry["who"] == "tool"]
    cabins = [
        str(one["args"]["cabin"])
        for one in heard
        if one["tool"] == airline_reservations.change_flights.name
        and "error" not in one["result"]
        and one["args"]["reservation_id"] == args.get("reservation_id")
    ]
    return cabins[-1] if cabins else ""


def _booked_anew(args: JsonObject, reservation: Reservation | None) -> list[Segment]:
    segments = [Segment.model_validate(one) for one in cast(list[Any], args.get("segments", ()))]
    if not reservation or not segments:
        return segments
    return airline_prices.new_segments(reservation, cast(Cabin, args["cabin"]), segments)


def _after(state: Proposed, receipt: JsonObject) -> dict[str, object]:
    """What was disrupted stays so: a certificate may be due once the flights are others."""
    if state["desk"] == "disrupted":
        return {}
    return {"desk": _desk_of(Reservation.model_validate(receipt)) if "segments" in receipt else "general"}


_note_outcome = notes_outcome(summary_of, _after)


async def note_outcome(state: Proposed) -> dict[str, object]:
    """Tell the assistant what became of its proposal, and forget the proposal."""
    return _note_outcome(state)


async def close(state: State) -> Result:
    """End the conversation with what was done in it, and with the reply that the assistant drafted."""
    decision, move, done = state.get("decision"), state.get("move"), state.get("done") or []
    if decision and decision["type"] == "expired":
        return {"outcome": "expired", "summary": f"Nobody decided in time. {so_far(done)}", "reply_draft": ""}
    said = move["text"] if move and move["use"] == FINISH else ""
    return {"outcome": "completed", "summary": so_far(done), "reply_draft": said}


async def hand_off(state: State) -> Result:
    """Leave the customer to a person, with why and with what was done."""
    summary = f"{why_handed_off(state)} {so_far(state.get('done') or [])}"
    return {"outcome": "handed_off", "summary": summary, "reply_draft": ""}
