"""HTTP to a running server, for commands that act as somebody."""

from typing import Annotated, Any

import httpx
import typer

from contracts.errors import RefusedByServer, StoreUnavailable

Url = Annotated[str, typer.Option(envvar="GATEHOUSE_URL", help="Address of the server.")]
Key = Annotated[str, typer.Option(envvar="GATEHOUSE_API_KEY", help="Whose key to act with.", show_default=False)]
DEFAULT_URL = "http://127.0.0.1:2024"


def call(method: str, path: str, *, url: str, key: str, body: Any = None, query: Any = None) -> Any:
    """One request; returns the decoded reply. Raises `RefusedByServer` with the problem's own words."""
    headers = {"x-api-key": key} if key else {}
    try:
        reply = httpx.request(method, url + path, json=body, params=query, headers=headers, timeout=60)
    except httpx.TransportError as error:
        raise StoreUnavailable(
            f"No server answers at {url}: {type(error).__name__}.", hint="Start one with: gatehouse serve"
        ) from error
    return read_reply(reply)


def read_reply(reply: httpx.Response) -> Any:
    """The decoded reply. Raises `RefusedByServer` with the problem's own words."""
    if reply.is_success:
        return reply.json() if reply.content else None
    if reply.headers.get("content-type", "").startswith("application/problem+json"):
        said = reply.json()
        raise RefusedByServer(f"{said['title']} ({said['code']}): {said['detail']}", hint=said["hint"], facts=said)
    raise RefusedByServer(f"{reply.request.method} {reply.request.url.path} was answered {reply.status_code}.")
