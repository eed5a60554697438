"""HTTP to a running server, for commands that act as somebody."""

from typing import Annotated, Any

import httpx
import typer

from contracts.errors import RefusedByServer, ServerUnreachable

Url = Annotated[str, typer.Option(envvar="GATEHOUSE_URL", help="Address of the server.")]
Key = Annotated[str, typer.Option(envvar="GATEHOUSE_API_KEY", help="Whose key to act with.", show_default=False)]
DEFAULT_URL = "http://127.0.0.1:2024"
_TIME_S = 60


def call(method: str, path: str, *, url: str, key: str, body: Any = None, query: Any = None) -> Any:
    """One request; returns the decoded reply. Raises `RefusedByServer` with the whole problem, `ServerUnreachable`."""
    headers = {"x-api-key": key} if key else {}
    try:
        reply = httpx.request(method, url.rstrip("/") + path, json=body, params=query, headers=headers, timeout=_TIME_S)
    except (httpx.UnsupportedProtocol, httpx.InvalidURL) as error:
        raise ServerUnreachable(
            f"{url!r} is no address of a server.", hint=f"Write it like this: {DEFAULT_URL}"
        ) from error
    except httpx.TimeoutException as error:
        raise ServerUnreachable(
            f"The server at {url} did not answer within {_TIME_S} seconds.", hint=f"Look at: {url}/health/ready"
        ) from error
    except httpx.TransportError as error:
        raise ServerUnreachable(
            f"No server answers at {url}: {error}.",
            hint="Start one with: gatehouse serve. If it is elsewhere, name it with --url or GATEHOUSE_URL.",
        ) from error
    return read_reply(reply)


def read_reply(reply: httpx.Response) -> Any:
    """The decoded reply. Raises `RefusedByServer` with the whole problem."""
    if reply.is_success:
        return reply.json() if reply.content else None
    if reply.headers.get("content-type", "").startswith("application/problem+json"):
        said = reply.json()
        raise RefusedByServer(said["detail"], hint=said["hint"], facts=said)
    raise RefusedByServer(f"{reply.request.method} {reply.request.url.path} was answered {reply.status_code}.")
