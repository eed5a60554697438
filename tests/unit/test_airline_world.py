"""The airline's tools against its world: what is found, changed once, refused; and a database that stays exact."""

import pytest

from contracts.errors import ToolRefused
from contracts.tool import AnyTool, ToolModel
from engine.catalog.lint import lint
from evals.worlds.airline_data import airline_records, own_airline
from evals.worlds.sandbox import Worlds, effects_of, open_worlds
from evals.worlds.whole_records import digest_of
from tests.unit.test_worlds import use
from tools import airline_customers, airline_desk, airline_flights, airline_prices, airline_reservations
from tools.airline_customers import Passenger
from tools.airline_reservations import (
    BagsRequest,
    BookRequest,
    CancelRequest,
    FlightsRequest,
    PassengersRequest,
    Payment,
    Segment,
)

ADA = "ada_moss_2101"
CARD, GIFT, CERTIFICATE = "credit_card_2101001", "gift_card_2101002", "certificate_2101003"
CANCEL = CancelRequest(reservation_id="ADA001", reservation_version=1, reason="other", refund="210.00")
LATER = FlightsRequest(
    reservation_id="ADA001",
    reservation_version=1,
    cabin="economy",
    segments=(Segment(flight_number="GHA101", date="2024-05-21"),),
    payment_method_id=GIFT,
    price_difference="-30.00",
)
BAGS = BagsRequest(
    reservation_id="ADA001", reservation_version=1, bags=3, paid_bags=2, payment_method_id=GIFT, price="100.00"
)
TIM = Passenger(first_name="Tim", last_name="Moss", born_on="1981-01-15")
SOMEBODY_ELSE = PassengersRequest(reservation_id="ADA001", reservation_version=1, passengers=(TIM,))
BOOK = BookRequest(
    customer_id=ADA,
    profile_version=1,
    origin="JFK",
    destination="SEA",
    trip="one_way",
    cabin="economy",
    segments=(Segment(flight_number="GHA101", date="2024-05-20"),),
    passengers=(TIM,),
    payments=(
        Payment(payment_method_id=CERTIFICATE, amount="150.00"),
        Payment(payment_method_id=GIFT, amount="80.00"),
    ),
    bags=1,
    paid_bags=0,
    insured=True,
    price="230.00",
)
_TOOLS: dict[type[ToolModel], AnyTool] = {
    CancelRequest: airline_reservations.cancel_reservation,
    FlightsRequest: airline_reservations.change_flights,
    BagsRequest: airline_reservations.change_bags,
    PassengersRequest: airline_reservations.change_passengers,
    BookRequest: airline_reservations.book_flights,
}


@pytest.fixture
def worlds() -> Worlds:
    return open_worlds()


def test_every_tool_of_the_airline_is_narrow_typed_and_bounded() -> None:
    modules = (airline_customers, airline_desk, airline_flights, airline_reservations)
    tools = [found for module in modules for found in vars(module).values() if hasattr(found, "idempotent_by")]

    assert len(tools) == 13
    assert [finding for one in tools for finding in lint(one)] == []


async def test_flights_are_found_direct_and_with_a_stop(worlds: Worlds) -> None:
    def wish(stops: int) -> airline_flights.SearchRequest:
        return airline_flights.SearchRequest(origin="JFK", destination="SEA", date="2024-05-20", stops=stops)

    direct = await use(worlds, airline_flights.search_flights, wish(0))
    one_stop = await use(worlds, airline_flights.search_flights, wish(1))

    numbers = [[leg.flight_number for leg in found.flights] for found in (*direct.connections, *one_stop.connections)]
    assert numbers == [["GHA101"], ["GHA103", "GHA104"]]


async def test_a_flight_that_was_cancelled_has_nothing_to_offer(worlds: Worlds) -> None:
    request = airline_flights.FlightRequest(flight_number="GHA101", date="2024-05-16")

    flight = await use(worlds, airline_flights.read_flight, request)

    assert (flight.status, flight.offers) == ("cancelled", ())
    assert airline_prices.seats_price(flight, "economy") is None


async def test_a_booking_is_made_once_and_paid_with_what_there_is(worlds: Worlds) -> None:
    first = await use(worlds, airline_reservations.book_flights, BOOK)
    again = await use(worlds, airline_reservations.book_flights, BOOK)
    profile = await use(
        worlds, airline_customers.read_profile, airline_customers.CustomerRequest(customer_id=ADA), key=""
    )

    assert first == again
    assert first.reservation_id in profile.reservations
    assert [m.balance for m in profile.payment_methods] == ["100.00", None, "220.00"]
    assert len(effects_of(worlds).bookings) == 1


@pytest.mark.parametrize("request_", [CANCEL, LATER, BAGS, SOMEBODY_ELSE], ids=lambda one: type(one).__name__)
async def test_a_change_is_made_once_and_raises_the_version(worlds: Worlds, request_: ToolModel) -> None:
    tool = _TOOLS[type(request_)]

    first = await use(worlds, tool, request_)
    again = await use(worlds, tool, request_)

    assert first == again
    assert first.version == 2
    with pytest.raises(ToolRefused, match="has version 2"):
        await use(worlds, tool, request_, key="key-2")


REFUSED: dict[str, tuple[ToolModel, str]] = {
    "another refund": (CANCEL.model_copy(update={"refund": "211.00"}), "the sum is 210.00"),
    "another difference": (LATER.model_copy(update={"price_difference": "0.00"}), "the sum is -30.00"),
    "a certificate": (LATER.model_copy(update={"payment_method_id": CERTIFICATE}), "certificate cannot"),
    "no such method": (LATER.model_copy(update={"payment_method_id": "gift_card_0000000"}), "not found"),
    "not to be booked": (
        LATER.model_copy(update={"segments": (Segment(flight_number="GHA101", date="2024-05-16"),)}),
        "not available",
    ),
    "too small a card": (BAGS.model_copy(update={"paid_bags": 9, "price": "450.00"}), "not enough"),
    "fewer passengers": (SOMEBODY_ELSE.model_copy(update={"reservation_id": "ADA003"}), "does not match"),
    "payments that miss": (BOOK.model_copy(update={"payments": BOOK.payments[:1]}), "does not add up"),
    "no seats": (
        BOOK.model_copy(
            update={
                "segments": (Segment(flight_number="GHA101", date="2024-05-22"),),
                "passengers": (TIM, TIM),
            }
        ),
        "not enough seats",
    ),
}


@pytest.mark.parametrize("why", REFUSED)
async def test_the_airline_refuses_what_its_books_do_not_allow(worlds: Worlds, why: str) -> None:
    request, said = REFUSED[why]
    before = digest_of(airline_records(worlds.store))

    with pytest.raises(ToolRefused, match=said):
        await use(worlds, _TOOLS[type(request)], request)

    assert digest_of(airline_records(worlds.store)) == before == digest_of(own_airline().records)


async def test_a_certificate_is_given_once_and_a_task_left(worlds: Worlds) -> None:
    certificate = airline_customers.CertificateRequest(
        customer_id=ADA, profile_version=1, reservation_id="ADA004", because="cancelled flight", amount="200.00"
    )
    task = airline_desk.TaskRequest(
        customer_id=ADA, reservation_id="ADA004", kind="follow_up", subject="Call back", text="She asks for a call."
    )

    first = await use(worlds, airline_customers.send_certificate, certificate)
    again = await use(worlds, airline_customers.send_certificate, certificate)
    await use(worlds, airline_desk.leave_task, task)

    assert first == again
    done = effects_of(worlds)
    assert (len(done.certificates), len(done.desk_tasks)) == (1, 1)
