"""The airline's timetable: airports, and flights of a day with seats and prices."""

from typing import Annotated, Literal

from pydantic import Field

from contracts.tool import Call, ToolModel, tool
from tools.fields import Airport, FlightNumber, IsoDate, Money

Cabin = Literal["basic_economy", "economy", "business"]
FlightStatus = Literal["available", "delayed", "on time", "flying", "landed", "cancelled"]
_Clock = Annotated[str, Field(pattern=r"^[0-9]{2}:[0-9]{2}:[0-9]{2}(\+1)?$", description="+1: on the next day")]
_Seats = Annotated[int, Field(ge=0)]


class AirportsRequest(ToolModel):
    pass


class AirportName(ToolModel):
    airport: Airport
    city: str


class Airports(ToolModel):
    airports: tuple[AirportName, ...]
    """In alphabetical order of their codes."""


class Offer(ToolModel):
    """What a cabin of a flight has left, and what a seat in it costs."""

    cabin: Cabin
    seats: _Seats
    price: Money


class Flight(ToolModel):
    flight_number: FlightNumber
    date: IsoDate
    origin: Airport
    destination: Airport
    departs: _Clock
    arrives: _Clock
    status: FlightStatus
    offers: tuple[Offer, ...]
    """Empty unless its status is `available`."""


class Connection(ToolModel):
    flights: Annotated[tuple[Flight, ...], Field(min_length=1, max_length=2)]


class Connections(ToolModel):
    connections: tuple[Connection, ...]


class SearchRequest(ToolModel):
    origin: Airport
    destination: Airport
    date: IsoDate
    stops: Annotated[int, Field(ge=0, le=1, description="0: direct flights; 1: with one stop")]


class FlightRequest(ToolModel):
    flight_number: FlightNumber
    date: IsoDate


@tool(effect="read", scopes=("airline_flights:read",), trusted=("airports",))
async def list_airports(request: AirportsRequest, call: Call) -> Airports:
    """List every airport that the airline flies to, with its city."""
    return Airports.model_validate(await call.send("GET", "/airports"))


@tool(effect="read", scopes=("airline_flights:read",), trusted=("connections",))
async def search_flights(request: SearchRequest, call: Call) -> Connections:
    """Search flights of a day that can be booked, direct or with one stop, with seats and prices by cabin."""
    query = {name: str(value) for name, value in request.model_dump().items()}
    return Connections.model_validate(await call.send("GET", "/connections", query=query))


@tool(
    effect="read",
    scopes=("airline_flights:read",),
    trusted=("flight_number", "date", "origin", "destination", "departs", "arrives", "status", "offers"),
)
async def read_flight(request: FlightRequest, call: Call) -> Flight:
    """Read one flight of one day. Raises `ToolRefused` for a flight that the airline does not have on that day."""
    return Flight.model_validate(await call.send("GET", "/flights", query=request.model_dump()))
