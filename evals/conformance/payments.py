"""The counting system: graphs under attack send their refunds here, and effects are counted outside of the server."""

import threading
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from contracts.errors import ConfigurationError

HOST = "127.0.0.1"
PORT = 2099
"""Where a graph that was told nothing else looks for it."""
Paid = tuple[str, int]
"""Operation and amount."""


class Payments:
    """What was ordered, in order, by case. Every order counts: nothing here drops a repeated one."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._paid: dict[str, list[Paid]] = defaultdict(list)

    def paid(self, case: str) -> list[Paid]:
        return list(self._paid[case])

    def count(self, case: str, operation: str, amount: int) -> None:
        self._paid[case].append((operation, amount))


@contextmanager
def counting(port: int = 0) -> Iterator[Payments]:
    """Count on this port of the loopback, or on a free one. Raises `ConfigurationError` when the port is taken."""
    config = uvicorn.Config(Starlette(), host=HOST, port=port, log_config=None, access_log=False)
    try:
        socket = config.bind_socket()
    except SystemExit as error:  # uvicorn's way to say that it cannot have the port
        raise ConfigurationError(
            f"Port {port} is taken, and the graph sends its refunds there.",
            hint="End what listens there, or name another one with --payments-port and serve the graph with it.",
        ) from error
    payments = Payments(f"http://{HOST}:{socket.getsockname()[1]}")
    config.app = _app(payments)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [socket]}, daemon=True)
    thread.start()
    try:
        yield payments
    finally:
        server.should_exit = True
        thread.join(timeout=10)


def _app(payments: Payments) -> Starlette:
    async def pay(request: Request) -> Response:
        order = await request.json()
        payments.count(order["case"], request.path_params["operation"], order["amount"])
        return JSONResponse({"case": order["case"], "amount": order["amount"]})

    return Starlette(routes=[Route("/{operation}", pay, methods=["POST"])])
