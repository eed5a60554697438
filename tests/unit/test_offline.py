"""Whoever opens a connection during an eval gets none, and the try is known."""

import asyncio
import socket
from collections.abc import Iterator

import httpx
import pytest

from evals.offline import offline

pytestmark = pytest.mark.controls


@pytest.fixture
def listening() -> Iterator[int]:
    """A port on which something would answer."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def test_no_client_gets_through(listening: int) -> None:
    with offline("") as watch, pytest.raises(httpx.ConnectError):
        httpx.get(f"http://127.0.0.1:{listening}/", trust_env=False)

    assert watch.tried == [f"127.0.0.1:{listening}"]


async def test_nothing_that_waits_gets_through(listening: int) -> None:
    with offline("") as watch, pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection("127.0.0.1", listening)

    assert f"127.0.0.1:{listening}" in watch.tried


def test_no_name_is_looked_up() -> None:
    with offline("") as watch, pytest.raises(ConnectionRefusedError):
        socket.getaddrinfo("models.invalid", 443)

    assert watch.tried == ["models.invalid"]


def test_a_datagram_does_not_leave() -> None:
    with offline("") as watch, socket.socket(type=socket.SOCK_DGRAM) as sender, pytest.raises(ConnectionRefusedError):
        sender.sendto(b"x", ("127.0.0.1", 9))

    assert watch.tried == ["127.0.0.1:9"]


def test_the_database_is_let_through_and_its_neighbour_is_not(listening: int) -> None:
    dsn = f"postgresql://gatehouse@127.0.0.1:{listening}/gatehouse"

    with offline(dsn) as watch:
        socket.create_connection(("127.0.0.1", listening)).close()
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", listening + 1))

    assert watch.tried == [f"127.0.0.1:{listening + 1}"]


def test_without_the_guard_the_same_connection_is_made(listening: int) -> None:
    with offline(""):
        pass

    socket.create_connection(("127.0.0.1", listening)).close()


def test_the_given_place_is_let_through_by_its_name_and_its_neighbour_is_not(listening: int) -> None:
    with offline("", [("localhost", listening)]) as watch:
        socket.create_connection(("localhost", listening)).close()
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("localhost", listening + 1))
        with pytest.raises(ConnectionRefusedError):
            socket.getaddrinfo("models.invalid", listening)

    assert "models.invalid" in watch.tried
