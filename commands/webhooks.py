"""`gatehouse webhooks`: those that were given up, sending one again, trying a route, the secret of receivers."""

import asyncio
from typing import Annotated

import typer
from rich.markup import escape

from commands.client import DEFAULT_URL, Key, Url, call
from commands.terminal import explained, say, show_json, show_table
from contracts.errors import NotDelivered, NotFound
from engine.credentials.references import reveal
from engine.notifications.trying import send_test
from engine.opening import sender_of
from engine.settings import read_settings
from engine.webhooks.signing import webhook_secret, written

app = typer.Typer(no_args_is_help=True, help="Webhooks: list, retry, test, secret.")

AsJson = Annotated[bool, typer.Option("--json", help="Output for programs.")]


@app.command("list")
@explained
def list_(
    status: Annotated[str, typer.Option(help="dead, pending, delivered or all.")] = "dead",
    url: Url = DEFAULT_URL,
    key: Key = "",
    as_json: AsJson = False,
) -> None:
    """List webhooks, newest first."""
    found = call("GET", "/webhooks", url=url, key=key, query={"status": status})
    if as_json:
        show_json(found)
        return
    show_table(
        ["id", "status", "attempts", "said", "target", "run"],
        [(w["webhook_id"], w["status"], w["attempts"], w["last_error"], w["target"], w["run_id"]) for w in found],
        spare=("run", "attempts", "status"),
    )


@app.command()
@explained
def retry(
    webhook: Annotated[str, typer.Argument(help="Id of a dead webhook.")], url: Url = DEFAULT_URL, key: Key = ""
) -> None:
    """Send a dead webhook again."""
    again = call("POST", f"/webhooks/{webhook}/retry", url=url, key=key)
    say(f"Webhook {again['webhook_id']} is sent again to {escape(again['target'])}.")


@app.command()
@explained
def test(
    route: Annotated[str, typer.Argument(help="Name of a route of GATEHOUSE_NOTIFY, as it is set here.")],
) -> None:
    """Send a test message by a route, from this machine, and say what its receiver answered."""
    settings = read_settings()
    found = next((each for each in settings.notify or () if each.name == route), None)
    if found is None:
        names = ", ".join(each.name for each in settings.notify or ()) or "none"
        raise NotFound(f"GATEHOUSE_NOTIFY has no route {route!r}.", hint=f"It has: {names}.")
    said = asyncio.run(send_test(sender_of(settings), found, settings.public_url))
    if said:
        raise NotDelivered(
            f"The receiver of route {route!r} did not take it: {said}.", hint="Look at its address and at its own log."
        )
    say(f"Route {route} works: its receiver took the message.")


@app.command()
@explained
def secret() -> None:
    """Show the secret with which this installation signs; give it to receivers by a way you trust."""
    settings = read_settings()
    say(written(webhook_secret(reveal(settings.webhook_secret), settings.home)))
