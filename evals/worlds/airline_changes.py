"""What the airline's back office does to a reservation: checked against its own books first, in whole records.

It checks seats and money. It checks none of the airline's rules, never takes seats off the timetable, keeps the cabin
under which a reservation was booked when the cabin changes, and gives a cancelled reservation's money back on paper
alone. That is how the airline is, not how we would build one.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from evals.worlds.airline_data import NOW
from evals.worlds.whole_records import Objection, Record, require

BAG, INSURANCE = 50, 30
_NEW_RESERVATIONS = ("HATHAT", "HATHAU", "HATHAV")
_NEW_CERTIFICATES = ("certificate_3221322", "certificate_3221323", "certificate_3221324")


@dataclass(frozen=True)
class Books:
    """The records that one change may touch; `flight` reads more."""

    reservation: Record
    customer: Record
    flight: Callable[[str], Record]

    def method(self, method_id: str) -> Record:
        methods: Mapping[str, Record] = self.customer["payment_methods"]
        require(method_id in methods, 404, "payment method not found")
        return methods[method_id]


def money(value: float) -> str:
    """A sum of the books as the airline says it."""
    return f"{Decimal(repr(value)):.2f}"


def number(said: str) -> int | float:
    """A sum as the books keep it: whole dollars without a fraction."""
    value = Decimal(said)
    return int(value) if value == value.to_integral_value() else float(value)


def _require_sum(said: str, computed: float) -> None:
    require(Decimal(said) == Decimal(money(computed)), 422, f"the sum is {money(computed)}")


def _require_booked(reservation: Record) -> None:
    require("status" not in reservation, 409, "the reservation is cancelled")


def cancel(books: Books, wish: Record) -> None:
    reservation = books.reservation
    _require_booked(reservation)
    paid = list(reservation["payment_history"])
    _require_sum(wish["refund"], sum(entry["amount"] for entry in paid))
    reservation["payment_history"] += [
        {"payment_id": entry["payment_id"], "amount": -entry["amount"]} for entry in paid
    ]
    reservation["status"] = "cancelled"


def change_flights(books: Books, wish: Record) -> None:
    reservation = books.reservation
    _require_booked(reservation)
    people = len(reservation["passengers"])
    segments = [_segment(books, wish, segment, people) for segment in wish["segments"]]
    before = sum(segment["price"] for segment in reservation["flights"])
    difference = (sum(segment["price"] for segment in segments) - before) * people
    _require_sum(wish["price_difference"], difference)
    _pay(books, wish["payment_method_id"], difference)
    reservation["flights"] = segments


def _segment(books: Books, wish: Record, segment: Record, people: int) -> Record:
    """One flight of a changed reservation: kept at its price in the same cabin, else at today's."""
    named = {"flight_number": segment["flight_number"], "date": segment["date"]}
    if wish["cabin"] == books.reservation["cabin"]:
        for kept in books.reservation["flights"]:
            if named.items() <= kept.items():
                return dict(kept)
    return named | _seat(books.flight(segment["flight_number"]), segment["date"], wish["cabin"], people)


def _seat(flight: Record, date: str, cabin: str, people: int) -> Record:
    """Price, origin and destination of a flight that has so many seats left."""
    on_day = flight["dates"].get(date)
    require(on_day is not None, 404, f"flight {flight['flight_number']} not found on date {date}")
    available = on_day["status"] == "available"
    require(available, 409, f"flight {flight['flight_number']} not available on date {date}")
    enough = on_day["available_seats"][cabin] >= people
    require(enough, 409, f"not enough seats on flight {flight['flight_number']}")
    return {"price": on_day["prices"][cabin], "origin": flight["origin"], "destination": flight["destination"]}


def _pay(books: Books, method_id: str, amount: float) -> None:
    method = books.method(method_id)
    require(method["source"] != "certificate", 409, "certificate cannot be used to update reservation")
    if method["source"] == "gift_card":
        require(method["amount"] >= amount, 409, "gift card balance is not enough")
        method["amount"] -= amount
    if amount:
        books.reservation["payment_history"].append({"payment_id": method_id, "amount": amount})


def change_bags(books: Books, wish: Record) -> None:
    reservation = books.reservation
    _require_booked(reservation)
    price = BAG * max(0, wish["paid_bags"] - reservation["nonfree_baggages"])
    _require_sum(wish["price"], price)
    _pay(books, wish["payment_method_id"], price)
    reservation["total_baggages"], reservation["nonfree_baggages"] = wish["bags"], wish["paid_bags"]


def change_passengers(books: Books, wish: Record) -> None:
    _require_booked(books.reservation)
    same = len(wish["passengers"]) == len(books.reservation["passengers"])
    require(same, 409, "number of passengers does not match")
    books.reservation["passengers"] = as_kept(wish["passengers"])


def book(customer: Record, wish: Record, flight: Callable[[str], Record], taken: Callable[[str], bool]) -> Record:
    """The new reservation; the customer's record has it, and has paid for it."""
    people = len(wish["passengers"])
    segments = [
        {"flight_number": one["flight_number"], "date": one["date"]}
        | _seat(flight(one["flight_number"]), one["date"], wish["cabin"], people)
        for one in wish["segments"]
    ]
    total = sum(segment["price"] for segment in segments) * people + BAG * wish["paid_bags"]
    total += INSURANCE * people if wish["insured"] else 0
    _require_sum(wish["price"], total)
    paid = [{"payment_id": one["payment_method_id"], "amount": number(one["amount"])} for one in wish["payments"]]
    _pay_for_booking(customer, paid, total)
    reservation_id = next((new for new in _NEW_RESERVATIONS if not taken(new)), None)
    if reservation_id is None:
        raise Objection(409, "too many reservations")
    customer["reservations"].append(reservation_id)
    return {
        "reservation_id": reservation_id,
        "user_id": wish["customer_id"],
        "origin": wish["origin"],
        "destination": wish["destination"],
        "flight_type": wish["trip"],
        "cabin": wish["cabin"],
        "flights": segments,
        "passengers": as_kept(wish["passengers"]),
        "payment_history": paid,
        "created_at": NOW,
        "total_baggages": wish["bags"],
        "nonfree_baggages": wish["paid_bags"],
        "insurance": "yes" if wish["insured"] else "no",
    }


def _pay_for_booking(customer: Record, paid: Sequence[Record], total: float) -> None:
    methods = customer["payment_methods"]
    for entry in paid:
        method = methods.get(entry["payment_id"])
        require(method is not None, 404, f"payment method {entry['payment_id']} not found")
        short = "amount" in method and method["amount"] < entry["amount"]
        require(not short, 409, f"not enough balance in payment method {entry['payment_id']}")
    said = sum(entry["amount"] for entry in paid)
    require(said == total, 422, f"payment amount does not add up, total price is {total}, but paid {said}")
    for entry in paid:
        if methods[entry["payment_id"]]["source"] == "gift_card":
            methods[entry["payment_id"]]["amount"] -= entry["amount"]
        elif methods[entry["payment_id"]]["source"] == "certificate":
            methods.pop(entry["payment_id"])


def give_certificate(customer: Record, wish: Record) -> str:
    """The new certificate's id; the customer's record has it."""
    methods = customer["payment_methods"]
    certificate_id = next((new for new in _NEW_CERTIFICATES if new not in methods), None)
    if certificate_id is None:
        raise Objection(409, "too many certificates")
    methods[certificate_id] = {"source": "certificate", "amount": number(wish["amount"]), "id": certificate_id}
    return certificate_id


def as_kept(passengers: Sequence[Record]) -> list[Record]:
    """Passengers as the books have them."""
    return [{"first_name": p["first_name"], "last_name": p["last_name"], "dob": p["born_on"]} for p in passengers]


def as_said(passengers: Sequence[Record]) -> list[Record]:
    """Passengers as the airline says them."""
    return [{"first_name": p["first_name"], "last_name": p["last_name"], "born_on": p["dob"]} for p in passengers]
