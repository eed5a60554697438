"""`gatehouse approvals`: what waits for a decision, and deciding it, as the owner of a key."""

import json
from typing import Annotated, Any, get_args

import typer
from rich.markup import escape

from commands.batching import batch
from commands.client import DEFAULT_URL, Key, Url, call
from commands.escalating import escalate
from commands.passing import assign, claim, delegate, release, undo
from commands.reviews import stats
from commands.terminal import explained, minute, note, say, show_json, show_table
from contracts.approval import ReasonCode
from contracts.errors import InvalidDecision
from engine.settings import read_settings

app = typer.Typer(no_args_is_help=True, help="Requests for approval: list, read, decide, measure.")

for command in (claim, release, assign, delegate, escalate, batch, undo, stats):
    app.command()(command)

RequestId = Annotated[str, typer.Argument(help="Id of the request.")]
Digest = Annotated[str, typer.Option(help="The action digest you were shown; by default it is shown and asked.")]
Reason = Annotated[str, typer.Option(help="Why; kept with the decision.")]
AsJson = Annotated[bool, typer.Option("--json", help="Output for programs.")]


@app.command("list")
@explained
def list_(
    status: Annotated[str, typer.Option(help="pending, approved, rejected, … or all.")] = "pending",
    queue: Annotated[str, typer.Option(help="Only of this queue.")] = "",
    role: Annotated[str, typer.Option(help="Only what asks for this role.")] = "",
    held_by: Annotated[str, typer.Option(help="Only what this person has, as in key:ada.")] = "",
    overdue: Annotated[bool, typer.Option("--overdue", help="Only what should have been decided by now.")] = False,
    limit: Annotated[int, typer.Option(min=1, max=500, help="How many at most.")] = 100,
    url: Url = DEFAULT_URL,
    key: Key = "",
    as_json: AsJson = False,
) -> None:
    """List requests, the one due first at the top."""
    asked = {
        "status": status,
        "limit": limit,
        "queue": queue,
        "role": role,
        "held_by": held_by,
        "overdue": overdue or "",
    }
    query = {name: value for name, value in asked.items() if value}
    found = call("GET", "/approvals", url=url, key=key, query=query)
    if as_json:
        show_json(found)
        return
    show_table(
        ["request", "status", "role", "has it", "due (UTC)", "summary"],
        [(r["request_id"], r["status"], r["role"], _holder(r), minute(r["due_at"]), r["summary"]) for r in found],
        spare=("status", "has it", "role"),
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
    request_id: RequestId,
    digest: Digest = "",
    reason: Reason = "",
    url: Url = DEFAULT_URL,
    key: Key = "",
) -> None:
    """Approve exactly what is shown."""
    _decide(request_id, {"type": "approve", "reason": reason}, digest, url, key)


@app.command()
@explained
def reject(
    request_id: RequestId,
    code: Annotated[str, typer.Option(help=f"One of: {', '.join(get_args(ReasonCode))}.")] = "other",
    digest: Digest = "",
    reason: Reason = "",
    url: Url = DEFAULT_URL,
    key: Key = "",
) -> None:
    """Reject; the action will never be done."""
    _decide(request_id, {"type": "reject", "reason": reason, "reason_code": code}, digest, url, key)


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
    before = request["action"]["args"]
    action = {"name": request["action"]["tool"], "args": before | changes}
    for name in changes:
        say(f"  edit       {escape(name)}: {escape(str(before.get(name)))} → [bold]{escape(str(changes[name]))}[/bold]")
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
    say(f"  request    {request['request_id']}  for [bold]{escape(request['role'])}[/bold], {until}")
    for vote in request.get("votes", ()):
        say(f"  said       {vote['type']} by {escape(vote['by'])}, {minute(vote['at'])} UTC")
    for change in request.get("edited", ()):
        say(f"  edited     {escape(change['field'])}: {escape(str(change['before']))} → {escape(str(change['after']))}")
    if holder := _holder(request):
        say(f"  has it     {escape(holder)}")


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
    if answer["decision"] is None:
        said = ", ".join(vote["by"] for vote in answer["votes"])
        say(f"Kept. Approved so far by {said}; the request waits for others.")
    elif canary := answer.get("canary"):
        said = "You caught it." if canary["caught"] else "You were taken in."
        say(f"[bold]This was a canary: nothing was behind it. {said}[/bold] {escape(canary['wrong'])}")
    else:
        say(f"Decided: {answer['decision']['type']} by {answer['decision']['by']}. Run {answer['run_id']} goes on.")
    if receipt := answer.get("receipt"):
        _keep(receipt, request_id)


def _keep(receipt: dict[str, Any], request_id: str) -> None:
    """The receipt, in the reviewer's own data folder: it is worth something where the server's administrator is not."""
    place = read_settings().home / "receipts" / f"{request_id}.json"
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(json.dumps(receipt, indent=2, ensure_ascii=False) + "\n")
    except OSError as error:
        note(f"The receipt could not be kept in {place}: {error.strerror}.")
    else:
        say(f"[dim]Receipt for record {receipt['seq']} of the case: {escape(str(place))}[/dim]")


def _holder(request: dict[str, Any]) -> str:
    return str(request["claimed_by"] or request["assigned_to"] or "")
