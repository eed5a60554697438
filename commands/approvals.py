"""`gatehouse approvals`: what waits for a decision, and deciding it, as the owner of a key."""

import json
from typing import Annotated, Any

import typer
from rich.markup import escape

from commands.client import DEFAULT_URL, Key, Url, call
from commands.escalating import escalate
from commands.reviews import stats
from commands.terminal import explained, minute, say, show_json, show_table
from contracts.errors import InvalidDecision

app = typer.Typer(no_args_is_help=True, help="Requests for approval: list, read, decide, measure.")

app.command("stats")(stats)
app.command()(escalate)

RequestId = Annotated[str, typer.Argument(help="Id of the request.")]
Digest = Annotated[str, typer.Option(help="The action digest you were shown; by default it is shown and asked.")]
Reason = Annotated[str, typer.Option(help="Why; kept with the decision.")]
AsJson = Annotated[bool, typer.Option("--json", help="Output for programs.")]


@app.command("list")
@explained
def list_(
    status: Annotated[str, typer.Option(help="pending, approved, rejected, … or all.")] = "pending",
    url: Url = DEFAULT_URL,
    key: Key = "",
    as_json: AsJson = False,
) -> None:
    """List requests, the one due first at the top."""
    found = call("GET", "/approvals", url=url, key=key, query={"status": status})
    if as_json:
        show_json(found)
        return
    show_table(
        ["request", "status", "role", "due (UTC)", "summary"],
        [(r["request_id"], r["status"], r["role"], minute(r["due_at"]), r["summary"]) for r in found],
        spare=("role", "status"),
    )


@app.command()
@explained
def show(request_id: RequestId, url: Url = DEFAULT_URL, key: Key = "", as_json: AsJson = False) -> None:
    """Show one request: what will happen, why, on what evidence, how it is undone."""
    request = call("GET", f"/approvals/{request_id}", url=url, key=key)
    if as_json:
        show_json(request)
    else:
        print_card(request)


@app.command()
@explained
def approve(
    request_id: RequestId, digest: Digest = "", reason: Reason = "", url: Url = DEFAULT_URL, key: Key = ""
) -> None:
    """Approve exactly what is shown."""
    _decide(request_id, {"type": "approve", "reason": reason}, digest, url, key)


@app.command()
@explained
def reject(
    request_id: RequestId, digest: Digest = "", reason: Reason = "", url: Url = DEFAULT_URL, key: Key = ""
) -> None:
    """Reject; the action will never be done."""
    _decide(request_id, {"type": "reject", "reason": reason}, digest, url, key)


@app.command()
@explained
def respond(
    request_id: RequestId,
    message: Annotated[str, typer.Argument(help="What the workflow should consider.")],
    digest: Digest = "",
    url: Url = DEFAULT_URL,
    key: Key = "",
) -> None:
    """Send it back with a message; the workflow proposes anew."""
    _decide(request_id, {"type": "respond", "message": message}, digest, url, key)


@app.command()
@explained
def edit(
    request_id: RequestId,
    args: Annotated[str, typer.Argument(help='Arguments to change, as JSON: {"amount_cents": 1000}.')],
    digest: Digest = "",
    reason: Reason = "",
    url: Url = DEFAULT_URL,
    key: Key = "",
) -> None:
    """Approve with other arguments; policy judges them again."""
    try:
        changes = json.loads(args)
    except ValueError as error:
        raise InvalidDecision(f"The arguments are not JSON: {error}.") from error
    request = call("GET", f"/approvals/{request_id}", url=url, key=key)
    action = {"name": request["action"]["tool"], "args": request["action"]["args"] | changes}
    _decide(request_id, {"type": "edit", "edited_action": action, "reason": reason}, digest, url, key)


def print_card(request: dict[str, Any]) -> None:
    """A request as a reviewer reads it."""
    risk = request["risk"]
    say(f"[bold]{escape(request['summary'])}[/bold]")
    say(f"  why here   {escape(request['why'])} [dim](rule {escape(request['rule'])})[/dim]")
    say(f"  reason     {escape(request['reason'])}")
    for item in request["evidence"]:
        say(f"  evidence   {escape(item['says'])} [dim]({escape(item['source'])})[/dim]")
    for change in request["diff"]:
        say(f"  change     {escape(change['field'])}: {escape(str(change['before']))} → {escape(str(change['after']))}")
    say(f"  risk       {risk['reversibility']}, touches one {risk['blast_radius']}, {risk['effect']}")
    say(f"  undo       {escape(request['undo'])}")
    if request["opinion"]:
        say(f"  [dim]a model said: {escape(request['opinion'])}[/dim]")
    say(f"  action     {request['action']['tool']} {escape(json.dumps(request['action']['args']))}")
    say(f"  digest     {request['action_digest']}")
    until = f"until {minute(request['expires_at'])} UTC"
    say(f"  request    {request['request_id']}  for [bold]{request['role']}[/bold], {until}")


def _decide(request_id: str, decision: dict[str, Any], digest: str, url: str, key: str) -> None:
    if not digest:
        request = call("GET", f"/approvals/{request_id}", url=url, key=key)
        print_card(request)
        if request["status"] == "pending":  # else the server says who decided
            typer.confirm(f"{decision['type'].capitalize()} this?", abort=True)
        digest = request["action_digest"]
    answer = call(
        "POST", f"/approvals/{request_id}/decision", url=url, key=key, body=decision | {"action_digest": digest}
    )
    say(f"Decided: {answer['decision']['type']} by {answer['decision']['by']}. Run {answer['run_id']} goes on.")
