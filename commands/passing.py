"""`gatehouse approvals claim`, `release`, `assign`, `delegate` and `undo`: who has a request, and taking it back."""

from typing import Annotated, Any

import typer
from rich.markup import escape

from commands.client import DEFAULT_URL, Key, Url, call
from commands.terminal import explained, minute, say, show_json
from contracts.errors import InvalidRequest

RequestId = Annotated[str, typer.Argument(metavar="REQUEST", help="Id of the request.")]
To = Annotated[str, typer.Argument(metavar="NAME", help="Name of the key of whoever gets it.")]
AsJson = Annotated[bool, typer.Option("--json", help="Output for programs.")]


@explained
def claim(
    request_id: Annotated[str, typer.Argument(metavar="[REQUEST]", help="Id of the request.")] = "",
    next_: Annotated[bool, typer.Option("--next", help="The most urgent one that you may decide.")] = False,
    queue: Annotated[str, typer.Option(help="With --next: of this queue.")] = "",
    minutes: Annotated[float, typer.Option(help="For how long nobody else decides.")] = 15,
    url: Url = DEFAULT_URL,
    key: Key = "",
    as_json: AsJson = False,
) -> None:
    """Have nobody else decide while you look at a request; claim it again to keep it longer."""
    if bool(request_id) == next_:
        raise InvalidRequest("Name a request, or say --next.", hint="List them with: gatehouse approvals list")
    body: dict[str, Any] = {"seconds": minutes * 60}
    path = f"/approvals/{request_id}/claim"
    if next_:
        path, body = "/approvals/claim", body | {"queue": queue}
    request = call("POST", path, url=url, key=key, body=body)
    if as_json:
        show_json(request)
    elif request is None:
        say("Nothing waits that you may decide and nobody has.")
    else:
        until = minute(request["claimed_until"])
        say(f"[bold]{escape(request['summary'])}[/bold]\nRequest {request['request_id']} is yours until {until} UTC.")
        say(f"Look at it: gatehouse approvals show {request['request_id']}")


@explained
def release(request_id: RequestId, url: Url = DEFAULT_URL, key: Key = "", as_json: AsJson = False) -> None:
    """Give a request back, so that anybody who may decides it."""
    _told(call("POST", f"/approvals/{request_id}/release", url=url, key=key), as_json, "Nobody has it now.")


@explained
def assign(request_id: RequestId, to: To, url: Url = DEFAULT_URL, key: Key = "", as_json: AsJson = False) -> None:
    """As an operator, have one person decide and nobody else."""
    given = call("POST", f"/approvals/{request_id}/assign", url=url, key=key, body={"to": to})
    _told(given, as_json, f"{to} has it now.")


@explained
def delegate(request_id: RequestId, to: To, url: Url = DEFAULT_URL, key: Key = "", as_json: AsJson = False) -> None:
    """Pass a request on to somebody who may decide it, too."""
    given = call("POST", f"/approvals/{request_id}/delegate", url=url, key=key, body={"to": to})
    _told(given, as_json, f"{to} has it now.")


@explained
def undo(
    request_id: RequestId,
    reason: Annotated[str, typer.Option(prompt="Why", help="Why it is taken back; kept with it.")],
    url: Url = DEFAULT_URL,
    key: Key = "",
    as_json: AsJson = False,
) -> None:
    """Take back what an approved request did, within the grace time of its queue."""
    done = call("POST", f"/approvals/{request_id}/undo", url=url, key=key, body={"reason": reason})
    if as_json:
        show_json(done)
    else:
        say(f"It is being taken back. Follow it: gatehouse effects show {done['effect']}")


def _told(request: dict[str, Any], as_json: bool, said: str) -> None:
    if as_json:
        show_json(request)
    else:
        say(f"{escape(request['summary'])}: {escape(said)}")
