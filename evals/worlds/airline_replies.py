"""What the airline says of its books: profiles, flights and reservations as replies."""

from datetime import datetime, timedelta

from evals.worlds.airline_changes import as_said, money
from evals.worlds.airline_data import FLIGHTS, NOW
from evals.worlds.retail_changes import as_said as address_said
from evals.worlds.store import Rows
from evals.worlds.whole_records import Record, record_of


def profile_said(key: str, customer: Record, version: int) -> Record:
    return {
        "customer_id": key,
        "name": customer["name"],
        "email": customer["email"],
        "born_on": customer["dob"],
        "address": address_said(customer["address"]),
        "membership": customer["membership"],
        "payment_methods": [
            {
                "payment_method_id": method["id"],
                "kind": method["source"],
                "balance": money(method["amount"]) if "amount" in method else None,
                "brand": method.get("brand"),
                "last_four": method.get("last_four"),
            }
            for method in customer["payment_methods"].values()
        ],
        "saved_passengers": as_said(customer["saved_passengers"]),
        "reservations": customer["reservations"],
        "version": version,
    }


def flight_said(flight: Record, date: str) -> Record:
    on_day = flight["dates"][date]
    prices, seats = on_day.get("prices", {}), on_day.get("available_seats", {})
    return {
        "flight_number": flight["flight_number"],
        "date": date,
        "origin": flight["origin"],
        "destination": flight["destination"],
        "departs": flight["scheduled_departure_time_est"],
        "arrives": flight["scheduled_arrival_time_est"],
        "status": on_day["status"],
        "offers": [
            {"cabin": cabin, "seats": seats[cabin], "price": money(price)} for cabin, price in sorted(prices.items())
        ],
    }


def reservation_said(rows: Rows, reservation: Record, version: int) -> Record:
    return {
        "reservation_id": reservation["reservation_id"],
        "customer_id": reservation["user_id"],
        "origin": reservation["origin"],
        "destination": reservation["destination"],
        "trip": reservation["flight_type"],
        "cabin": reservation["cabin"],
        "segments": [
            {name: segment[name] for name in ("flight_number", "date", "origin", "destination")}
            | {"price": money(segment["price"])}
            | _how_it_goes(rows, segment)
            for segment in reservation["flights"]
        ],
        "passengers": as_said(reservation["passengers"]),
        "payments": [
            {"payment_method_id": entry["payment_id"], "amount": money(entry["amount"])}
            for entry in reservation["payment_history"]
        ],
        "booked_at": reservation["created_at"],
        "bags": reservation["total_baggages"],
        "paid_bags": reservation["nonfree_baggages"],
        "insured": reservation["insurance"] == "yes",
        "status": reservation.get("status", "booked"),
        "as_of": NOW,
        "version": version,
    }


def _how_it_goes(rows: Rows, segment: Record) -> Record:
    flight, _ = record_of(rows, FLIGHTS, segment["flight_number"])
    on_day = flight["dates"].get(segment["date"], {"status": "landed"})
    landed_at = on_day.get("actual_arrival_time_est") if on_day["status"] == "landed" else None
    late = datetime.fromisoformat(landed_at) - _planned(flight, segment["date"]) if landed_at else timedelta(0)
    return {"status": on_day["status"], "minutes_late": max(0, late // timedelta(minutes=1))}


def _planned(flight: Record, date: str) -> datetime:
    clock, _, next_day = flight["scheduled_arrival_time_est"].partition("+")
    return datetime.fromisoformat(f"{date}T{clock}") + timedelta(days=int(next_day or 0))
