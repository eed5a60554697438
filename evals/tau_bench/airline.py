"""The airline's tasks: each gold action made by a tool of ours over the world, and held against what is on record."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path

from contracts.errors import ToolRefused
from contracts.tool import AnyTool, Call, ToolModel
from engine.gateway.systems import Systems
from engine.gateway.transport import HttpTransport
from evals.tau_bench.airline_forms import is_as_recorded, passengers_of, segments_of
from evals.tau_bench.on_record import Said, tasks_in
from evals.tau_bench.replay import Replayed
from evals.worlds.airline_data import airline_records
from evals.worlds.connected import systems_of
from evals.worlds.sandbox import open_worlds
from evals.worlds.whole_records import RecordData, digest_of
from tools import airline_customers, airline_flights, airline_prices, airline_reservations, workpad
from tools.airline_customers import CertificateRequest, CustomerRequest, Profile
from tools.airline_flights import Flight, FlightRequest, SearchRequest
from tools.airline_reservations import (
    BagsRequest,
    BookRequest,
    CancelRequest,
    FlightsRequest,
    PassengersRequest,
    Payment,
    Reservation,
    ReservationRequest,
    Segment,
)

_NO_RESERVATION = "NONE00"
_READS: dict[str, tuple[AnyTool, Callable[[Said], ToolModel]]] = {
    "get_user_details": (airline_customers.read_profile, lambda args: CustomerRequest(customer_id=args["user_id"])),
    "get_reservation_details": (airline_reservations.read_reservation, lambda args: ReservationRequest(**args)),
    "list_all_airports": (airline_flights.list_airports, lambda args: airline_flights.AirportsRequest()),
    "search_direct_flight": (airline_flights.search_flights, lambda args: SearchRequest(**args, stops=0)),
    "search_onestop_flight": (airline_flights.search_flights, lambda args: SearchRequest(**args, stops=1)),
    "calculate": (workpad.calculate, lambda args: workpad.Sum(**args)),
    "think": (workpad.note_thought, lambda args: workpad.Thought(text=args["thought"])),
    "transfer_to_human_agents": (workpad.pass_to_person, lambda args: workpad.Handover(**args)),
}
"""What reads, by the name on record."""


@dataclass(frozen=True)
class AirlineTask:
    """One task: what is to be done for the customer, what each action gave, and what the database is then."""

    number: int
    customer_id: str
    words: str
    """What the customer wants, as somebody is told who plays them."""
    actions: tuple[tuple[str, Said], ...]
    observations: tuple[str, ...]
    outputs: tuple[str, ...]
    """What the customer has to be told."""
    final_digest: str


def read_airline_tasks(folder: Path) -> list[AirlineTask]:
    """Every task. Raises `ConfigurationError` for a folder that is not one of these."""
    return tasks_in(folder, _task, beside=("flights.json", "reservations.json", "users.json"))


def _task(said: Said) -> AirlineTask:
    actions = tuple((action["name"], action["kwargs"]) for action in said["actions"])
    return AirlineTask(
        number=said["task"],
        customer_id=said["user_id"],
        words=said["instruction"],
        actions=actions,
        observations=tuple(said["observations"]),
        outputs=tuple(said["outputs"]),
        final_digest=said["final_data_sha256"],
    )


async def replay_airline(airline: RecordData, task: AirlineTask) -> Replayed:
    """Make one task's actions in a world of its own, by our tools. No model and no policy stands between."""
    began = time.perf_counter()
    worlds = open_worlds(airline=airline)
    systems = systems_of(worlds)
    hands = Hands(systems)
    try:
        same, problems = [], []
        for (name, args), on_record in zip(task.actions, task.observations, strict=True):
            said = await hands.do(name, args)
            same.append(is_as_recorded(said, on_record))
            problems += [] if same[-1] else [f"{name}: {said!r:.300}"]
        digest = digest_of(airline_records(worlds.store))
    finally:
        await systems.close()
        worlds.close()
    return Replayed(
        task=task.number,
        outcome="completed",
        actions=len(task.actions),
        observations=sum(same),
        same_database=digest == task.final_digest,
        denied=(),
        refused=(),
        approvals=0,
        rules=(),
        problems=tuple(problems),
        ms=round((time.perf_counter() - began) * 1000),
    )


@dataclass
class Hands:
    """Somebody who makes calls: reads what a request needs, as a workflow would, and works out its sums."""

    systems: Systems
    _calls: int = 0
    _last: dict[str, str] = field(default_factory=dict)
    """By customer, the reservation that was last looked at."""

    async def do(self, name: str, args: Said) -> ToolModel | str:
        """What the tool of ours replies, or the text of its refusal. Raises `ValueError` for an unknown action."""
        try:
            tool, request = await self._request(name, args)
            reply = await self._use(tool, request)
        except ToolRefused as refused:
            return refused.detail
        if isinstance(reply, Reservation):
            self._last[reply.customer_id] = reply.reservation_id
        return reply

    async def _use(self, tool: AnyTool, request: ToolModel) -> ToolModel:
        self._calls += 1
        reply: ToolModel = await tool.run(
            request, Call(f"call-{self._calls}", HttpTransport(self.systems, tool, f"call-{self._calls}", tool.writes))
        )
        return reply

    async def _request(self, name: str, args: Said) -> tuple[AnyTool, ToolModel]:
        if name in _READS:
            tool, request = _READS[name]
            return tool, request(args)
        match name:
            case "book_reservation":
                return airline_reservations.book_flights, await self._booking(args)
            case "send_certificate":
                return airline_customers.send_certificate, await self._certificate(args)
        return await self._change(name, args)

    async def _change(self, name: str, args: Said) -> tuple[AnyTool, ToolModel]:
        found = await self._reservation(args["reservation_id"])
        upon: Said = {"reservation_id": found.reservation_id, "reservation_version": found.version}
        match name:
            case "cancel_reservation":
                refund = sum((Decimal(payment.amount) for payment in found.payments), Decimal(0))
                return airline_reservations.cancel_reservation, CancelRequest(
                    **upon, reason="other", refund=f"{refund:.2f}"
                )
            case "update_reservation_flights":
                return airline_reservations.change_flights, await self._flights(found, upon, args)
            case "update_reservation_baggages":
                more = max(0, args["nonfree_baggages"] - found.paid_bags)
                pays = {"payment_method_id": args["payment_id"], "price": f"{airline_prices.BAG * more:.2f}"}
                bags = {"bags": args["total_baggages"], "paid_bags": args["nonfree_baggages"]}
                return airline_reservations.change_bags, BagsRequest(**upon, **bags, **pays)
            case "update_reservation_passengers":
                passengers = passengers_of(args["passengers"])
                return airline_reservations.change_passengers, PassengersRequest(**upon, passengers=passengers)
        raise ValueError(f"no action is called {name!r}")

    async def _flights(self, found: Reservation, upon: Said, args: Said) -> FlightsRequest:
        segments, cabin = segments_of(args["flights"]), args["cabin"]
        anew = airline_prices.new_segments(found, cabin, segments)
        timetable = airline_prices.timetable_of([await self._flight(one) for one in anew])
        difference = airline_prices.difference_of(found, cabin, segments, timetable)
        return FlightsRequest(
            **upon,
            cabin=cabin,
            segments=segments,
            payment_method_id=args["payment_id"],
            price_difference=f"{difference or 0:.2f}",
        )

    async def _booking(self, args: Said) -> BookRequest:
        segments, people = segments_of(args["flights"]), passengers_of(args["passengers"])
        timetable = airline_prices.timetable_of([await self._flight(one) for one in segments])
        insured, paid_bags = args["insurance"] == "yes", args["nonfree_baggages"]
        price = airline_prices.booking_price(
            args["cabin"], segments, timetable, passengers=len(people), paid_bags=paid_bags, insured=insured
        )
        return BookRequest(
            customer_id=args["user_id"],
            profile_version=(await self._profile(args["user_id"])).version,
            origin=args["origin"],
            destination=args["destination"],
            trip=args["flight_type"],
            cabin=args["cabin"],
            segments=segments,
            passengers=people,
            payments=tuple(
                Payment(payment_method_id=one["payment_id"], amount=f"{Decimal(str(one['amount'])):.2f}")
                for one in args["payment_methods"]
            ),
            bags=args["total_baggages"],
            paid_bags=paid_bags,
            insured=insured,
            price=f"{price or 0:.2f}",
        )

    async def _certificate(self, args: Said) -> CertificateRequest:
        """On record it is for no reservation; ours is for the one that was looked at."""
        profile = await self._profile(args["user_id"])
        return CertificateRequest(
            customer_id=profile.customer_id,
            profile_version=profile.version,
            reservation_id=self._last.get(profile.customer_id, _NO_RESERVATION),
            because="delayed flight",
            amount=f"{Decimal(str(args['amount'])):.2f}",
        )

    async def _reservation(self, reservation_id: str) -> Reservation:
        request = ReservationRequest(reservation_id=reservation_id)
        return Reservation.model_validate(await self._use(airline_reservations.read_reservation, request))

    async def _profile(self, customer_id: str) -> Profile:
        request = CustomerRequest(customer_id=customer_id)
        return Profile.model_validate(await self._use(airline_customers.read_profile, request))

    async def _flight(self, segment: Segment) -> Flight:
        request = FlightRequest(flight_number=segment.flight_number, date=segment.date)
        return Flight.model_validate(await self._use(airline_flights.read_flight, request))
