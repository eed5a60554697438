"""The changes this workflow proposes, as drafts, and how they are shown to the customer before anything is done."""

from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any, cast

from contracts.approval import Change, Draft, JsonObject
from contracts.tool import AnyTool
from graphs.booking.state import Proposed, Records, Weighed
from tools import airline_customers, airline_desk, airline_prices, airline_reservations
from tools.airline_customers import Profile
from tools.airline_flights import Cabin, Flight
from tools.airline_reservations import Reservation, Segment

CANCELLED_GESTURE, DELAYED_GESTURE = Decimal(100), Decimal(50)
"""What a certificate is worth for each passenger, in dollars."""
_Complete = Callable[[JsonObject, Records], JsonObject]


def _drafts(tool: AnyTool, complete: _Complete) -> Callable[[Weighed], Draft]:
    """A draft of what the assistant named, with the versions and sums that were read or follow from what was."""

    def draft(state: Weighed) -> Draft:
        records, wish = cast(Records, state["records"]), state["move"]["args"]
        args = complete(wish, records)
        return {
            "args": args,
            "facts": {},
            "summary": summary_of(tool.name, args)[:200],
            "reason": "The customer asks for it.",
            "evidence": [{"source": _source(records), "says": _says(records)}],
            "diff": _diff(args, records),
            "opinion": f"Proposed by {state['answered_by']}.",
        }

    return draft


def summary_of(  # noqa: PLR0911  # one line a tool
    tool: str, args: JsonObject
) -> str:
    """One sentence: what will be done. Made of arguments alone, which are what an approval covers."""
    reservation, method = args.get("reservation_id"), args.get("payment_method_id")
    match tool.partition(".")[2]:
        case "book_flights":
            people, paid = len(cast(list[Any], args["passengers"])), _paid(args)
            return (
                f"Book {_flown(args)} in {args['cabin']} for {people} for USD {args['price']} ({paid}); {_extras(args)}"
            )
        case "cancel_reservation":
            return f"Cancel reservation {reservation} ({args['reason']}) and give back USD {args['refund']}"
        case "change_flights":
            return f"Change reservation {reservation} to {_flown(args)} in {args['cabin']}; {_difference(args)}"
        case "change_bags":
            bags = f"{args['bags']} bags, {args['paid_bags']} of them paid"
            return f"Have {bags}, in reservation {reservation}; {method} pays USD {args['price']}"
        case "change_passengers":
            return f"Have reservation {reservation} flown by {_people(args)}"
        case "send_certificate":
            return f"Give a certificate of USD {args['amount']} for reservation {reservation} ({args['because']})"
        case _:
            return f"Leave a task with our people about reservation {reservation}: {args['subject']}"


def what_to_confirm(state: Proposed) -> str:
    """The question to the customer about a frozen change."""
    frozen = state["proposal"]
    what = summary_of(frozen["tool"], frozen["args"])
    people = f"\nPassengers: {_people(frozen['args'])}." if "passengers" in frozen["args"] else ""
    return f"{what}.{people}\nShall this be done? Answer yes, or say what you want instead."


def _flown(args: JsonObject) -> str:
    return ", ".join(f"{one['flight_number']} on {one['date']}" for one in cast(list[Any], args["segments"]))


def _people(args: JsonObject) -> str:
    people = cast(list[Any], args["passengers"])
    return ", ".join(" ".join(f"{p['first_name']} {p['last_name']}".split())[:60] + f", {p['born_on']}" for p in people)


def _paid(args: JsonObject) -> str:
    payments = cast(list[Any], args["payments"])
    return ", ".join(f"{one['payment_method_id']} pays {one['amount']}" for one in payments)


def _extras(args: JsonObject) -> str:
    return f"{args['bags']} bags, {args['paid_bags']} paid, {'with' if args['insured'] else 'no'} insurance"


def _difference(args: JsonObject) -> str:
    difference, method = Decimal(str(args["price_difference"])), args["payment_method_id"]
    return f"{method} {'pays' if difference > 0 else 'gets back'} USD {abs(difference):.2f}"


def _profile(records: Records) -> Profile:
    return Profile.model_validate(records["profile"])


def _reservation(records: Records) -> Reservation:
    return Reservation.model_validate(records["reservation"])


def _upon(args: JsonObject, records: Records) -> JsonObject:
    return args | {"reservation_version": _reservation(records).version}


def _cancelled(args: JsonObject, records: Records) -> JsonObject:
    refund = sum((Decimal(payment.amount) for payment in _reservation(records).payments), Decimal(0))
    return _upon(args, records) | {"refund": f"{max(refund, Decimal(0)):.2f}"}


def _flights(args: JsonObject, records: Records) -> JsonObject:
    reservation, cabin = _reservation(records), cast(Any, args["cabin"])
    difference = airline_prices.difference_of(reservation, cabin, _segments(args), _timetable(records))
    return _upon(args, records) | {"price_difference": f"{difference or 0:.2f}"}


def _bags(args: JsonObject, records: Records) -> JsonObject:
    """Paid bags stay paid. What is free follows from the cabin that is flown."""
    reservation, membership = _reservation(records), _profile(records).membership
    cabin = cast(Cabin, records["flown_in"] or reservation.cabin)
    free = airline_prices.free_bags(membership, cabin, len(reservation.passengers))
    paid = max(0, int(str(args["bags"])) - free)
    price = airline_prices.BAG * max(0, paid - reservation.paid_bags)
    return _upon(args, records) | {"paid_bags": paid, "price": f"{price:.2f}"}


def _booked(args: JsonObject, records: Records) -> JsonObject:
    profile, cabin, insured = _profile(records), cast(Any, args["cabin"]), bool(args["insured"])
    people = len(cast(list[Any], args["passengers"]))
    paid_bags = max(0, int(str(args["bags"])) - airline_prices.free_bags(profile.membership, cabin, people))
    price = airline_prices.booking_price(
        cabin, _segments(args), _timetable(records), passengers=people, paid_bags=paid_bags, insured=insured
    ) or Decimal(0)
    kept = {name: value for name, value in args.items() if name != "payment_method_ids"}
    return kept | {
        "customer_id": profile.customer_id,
        "profile_version": profile.version,
        "paid_bags": paid_bags,
        "price": f"{price:.2f}",
        "payments": _spread(price, cast(list[str], args["payment_method_ids"]), profile),
    }


def _spread(price: Decimal, method_ids: Sequence[str], profile: Profile) -> Any:
    """The price over the methods in their order, each up to what it has; what is left falls on the last."""
    balances = {m.payment_method_id: Decimal(m.balance) for m in profile.payment_methods if m.balance is not None}
    left, payments = price, []
    for number, method_id in enumerate(method_ids, start=1):
        part = left if number == len(method_ids) else min(left, balances.get(method_id, left))
        left -= part
        if part or number == 1:
            payments.append({"payment_method_id": method_id, "amount": f"{part:.2f}"})
    return payments


def _gesture(args: JsonObject, records: Records) -> JsonObject:
    profile, people = _profile(records), len(_reservation(records).passengers)
    each = CANCELLED_GESTURE if args["because"] == "cancelled flight" else DELAYED_GESTURE
    return args | {
        "customer_id": profile.customer_id,
        "profile_version": profile.version,
        "amount": f"{each * people:.2f}",
    }


def _task(args: JsonObject, records: Records) -> JsonObject:
    return args | {"customer_id": _profile(records).customer_id}


def _segments(args: JsonObject) -> list[Segment]:
    return [Segment.model_validate(one) for one in cast(list[Any], args["segments"])]


def _timetable(records: Records) -> airline_prices.Timetable:
    return airline_prices.timetable_of(Flight.model_validate(flight) for flight in records["flights"])


def _source(records: Records) -> str:
    read = airline_reservations.read_reservation if records["reservation"] else airline_customers.read_profile
    return read.name


def _says(records: Records) -> str:
    if not records["reservation"]:
        profile = _profile(records)
        return f"{profile.customer_id} is a {profile.membership} member."
    found = _reservation(records)
    insured = "insured" if found.insured else "not insured"
    return f"{found.reservation_id} of {found.customer_id}: {found.cabin}, booked at {found.booked_at}, {insured}."


def _diff(args: JsonObject, records: Records) -> list[Change]:
    if not records["reservation"]:
        return []
    before = _reservation(records).model_dump(mode="json")
    shown = [name for name in ("bags", "paid_bags", "passengers", "segments", "cabin") if name in args]
    return [{"field": name, "before": before[name], "after": args[name]} for name in shown]


_COMPLETED: tuple[tuple[AnyTool, _Complete], ...] = (
    (airline_reservations.book_flights, _booked),
    (airline_reservations.cancel_reservation, _cancelled),
    (airline_reservations.change_flights, _flights),
    (airline_reservations.change_bags, _bags),
    (airline_reservations.change_passengers, _upon),
    (airline_customers.send_certificate, _gesture),
    (airline_desk.leave_task, _task),
)

DRAFTS: dict[AnyTool, Callable[[Weighed], Draft]] = {tool: _drafts(tool, complete) for tool, complete in _COMPLETED}
"""How each change is drafted."""
