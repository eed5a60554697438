"""`gatehouse demo`: the main job on a server of its own, over real HTTP, in the sandbox."""

import asyncio
import secrets
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape
from typer.core import TyperGroup

from commands.approvals import print_card
from commands.backpressure import backpressure
from commands.client import call
from commands.looping import loop
from commands.own_servers import wait_until_up
from commands.serving import free_port
from commands.steps import print_step
from commands.terminal import explained, note, say
from contracts.context import by_whom
from contracts.errors import InvalidRequest
from engine.access.keys import LOCAL, KeyLimits, create_key
from engine.opening import open_database
from engine.settings import Settings, read_settings
from engine.store.scope import of_tenant
from evals.worlds.newcomer import open_account
from evals.worlds.store import Store

_SMALL = ("AC-1001", "I was charged twice for a restaurant, can you take the second charge off?")
_LARGE = ("AC-1013", "I made a payment and it is showing up twice")
_START_S = 60
_DISPUTE = "dispute"
_IN_PLACE_OF_A_MODEL = {"written": "replies written by hand", "stand-in": "stand-in (rules, no model)"}


@dataclass(frozen=True)
class Sandbox:
    """A running demo server and two people who use it."""

    url: str
    caller: str
    reviewer: str
    worlds: Path


class _DisputeUnlessNamed(TyperGroup):
    """Without the name of another demo it is the dispute: alone, with its options, or with a complaint."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        named = bool(args) and (args[0] in self.commands or args[0] in ctx.help_option_names)
        return super().parse_args(ctx, args if named else [_DISPUTE, *args])


app = typer.Typer(cls=_DisputeUnlessNamed, help="See it work, on a server started for it. Alone: two disputes.")


@app.command(_DISPUTE)
@explained
def demo(
    complaint: Annotated[str | None, typer.Argument(help="Your own complaint about a charge, in your words.")] = None,
    amount: Annotated[float, typer.Option(help="The sum in dispute, in euros, for your own complaint.")] = 42.00,
    yes: Annotated[bool, typer.Option("--yes", help="Approve without asking; also without a terminal.")] = False,
) -> None:
    """Run disputes through a real server: one is paid at once, one waits for an approval. No key, no account."""
    if not 0.01 <= amount <= 50_000:
        raise InvalidRequest(f"--amount is a sum between 0.01 and 50,000 euros; got {amount}.")
    unattended = yes or not sys.stdin.isatty()
    with _server() as sandbox:
        if complaint:
            thread = _own(sandbox, complaint, round(amount * 100), unattended)
        else:
            say("\n[bold]1. A small dispute with clear evidence: policy pays it[/bold]")
            _dispute(sandbox, *_SMALL, unattended)
            say("\n[bold]2. A large one: it waits for finance[/bold]")
            thread = _dispute(sandbox, *_LARGE, unattended)
        _trail(sandbox, thread)
        if not unattended:
            say(f"\nThe server listens on [bold]{sandbox.url}[/bold] (try {sandbox.url}/docs).")
            typer.prompt("Press Enter to stop it", default="", show_default=False)
    say("\nStart it again, to stay: [bold]gatehouse serve --sandbox[/bold]")


def _own(sandbox: Sandbox, complaint: str, amount_cents: int, unattended: bool) -> str:
    account_id = f"AC-{9_000_000 + secrets.randbelow(1_000_000)}"
    store = Store(sandbox.worlds)
    open_account(store, account_id, amount_cents=amount_cents)
    store.close()
    say(f"\n[bold]Your dispute[/bold] [dim]on {account_id}, where every usual mistake was made once[/dim]")
    return _dispute(sandbox, account_id, complaint, unattended)


def _dispute(sandbox: Sandbox, account_id: str, complaint: str, unattended: bool) -> str:
    """One case from complaint to outcome, with whatever it waits for on the way; its thread."""
    say(f"   “{escape(complaint)}” [dim]({account_id})[/dim]")
    thread = call("POST", "/threads", url=sandbox.url, key=sandbox.caller, body={})["thread_id"]
    claim = {"complaint": complaint, "account_id": account_id}
    result = _run(sandbox, thread, {"input": claim})
    while waiting := result.get("__interrupt__"):
        result = _answer(sandbox, thread, waiting[0], unattended)
    say(f"   → [bold green]{result['outcome']}[/bold green]: {escape(result['summary'])}")
    _who_answered(sandbox, thread)
    return str(thread)


def _answer(sandbox: Sandbox, thread: str, interrupt: dict[str, Any], unattended: bool) -> dict[str, Any]:
    """Answer a question as the customer, or decide as finance; returns what came of it."""
    shown = interrupt["value"]
    if shown["kind"] == "clarification":
        say(f"   The workflow asks: [bold]{escape(shown['question'])}[/bold]")
        text = "The first one." if unattended else typer.prompt("   Your answer")
        return _run(sandbox, thread, {"command": {"resume": {interrupt["id"]: {"text": text}}}})
    request = call("GET", f"/approvals/{shown['request_id']}", url=sandbox.url, key=sandbox.reviewer)
    say("   It waits at the gate. What the reviewer sees:\n")
    print_card(request)
    _how_to_approve(sandbox, request)
    approved = unattended or typer.confirm("Approve it now, as finance?", default=True)
    decision = {"type": "approve" if approved else "reject", "action_digest": request["action_digest"]}
    path = f"/approvals/{request['request_id']}/decision"
    decided = call("POST", path, url=sandbox.url, key=sandbox.reviewer, body=decision)
    say(f"   {'Approved' if approved else 'Rejected'} by {decided['decision']['by']}.")
    joined = call("GET", f"/threads/{thread}/runs/{decided['run_id']}/join", url=sandbox.url, key=sandbox.caller)
    return dict(joined)


def _how_to_approve(sandbox: Sandbox, request: dict[str, Any]) -> None:
    body = f'{{"type": "approve", "action_digest": "{request["action_digest"]}"}}'
    say(
        "\n   [dim]Approve it yourself, by command or by HTTP:\n"
        f"   gatehouse approvals approve {request['request_id']} --url {sandbox.url} --key {sandbox.reviewer}\n"
        f"   curl -H 'x-api-key: {sandbox.reviewer}' -H 'content-type: application/json' "
        f"-d '{escape(body)}' {sandbox.url}/approvals/{request['request_id']}/decision[/dim]\n"
    )


def _who_answered(sandbox: Sandbox, thread: str) -> None:
    records = _records(sandbox, thread)
    called = [r["data"] for r in records if r["event"] == "model.called"]
    sources = sorted({_IN_PLACE_OF_A_MODEL.get(d["source"], by_whom(d["model"], d["source"])) for d in called})
    say(f"   [dim]model stages were answered by: {escape(', '.join(sources))}[/dim]")


def _trail(sandbox: Sandbox, thread: str) -> None:
    """The timeline of a case, and whether the record of it is whole."""
    say("\n[bold]What happened, as the audit trail has it[/bold]")
    for record in _records(sandbox, thread):
        print_step(record)
    run = call("GET", f"/threads/{thread}/runs", url=sandbox.url, key=sandbox.caller)[0]["run_id"]
    audited = call("GET", f"/audit/runs/{run}", url=sandbox.url, key=sandbox.reviewer)
    verdict = "[green]intact[/green]" if audited["intact"] else f"[red]broken: {audited['first_fault']}[/red]"
    say(f"   audit verify: {verdict}, {len(audited['records'])} records in one hash chain")


def _records(sandbox: Sandbox, thread: str) -> list[dict[str, Any]]:
    run = call("GET", f"/threads/{thread}/runs", url=sandbox.url, key=sandbox.caller)[0]["run_id"]
    records: list[dict[str, Any]] = call("GET", f"/audit/runs/{run}", url=sandbox.url, key=sandbox.reviewer)["records"]
    return records


def _run(sandbox: Sandbox, thread: str, body: dict[str, Any]) -> dict[str, Any]:
    body = {"assistant_id": "billing_dispute"} | body
    return dict(call("POST", f"/threads/{thread}/runs/wait", url=sandbox.url, key=sandbox.caller, body=body))


@contextmanager
def _server() -> Iterator[Sandbox]:
    """A server in a process of its own on a free port, with fresh worlds and two keys that end after a day."""
    settings = read_settings()
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="gatehouse-demo-") as folder:
        worlds = Path(folder) / "worlds.sqlite"
        caller, reviewer = _keys(settings)
        port = free_port()
        url = f"http://127.0.0.1:{port}"
        command = [sys.executable, "-m", "cli", "serve", "--sandbox", "--port", str(port), "--worlds", str(worlds)]
        log = Path(folder) / "server.log"
        with log.open("w") as file:
            process = subprocess.Popen(command, stdout=file, stderr=file)
        try:
            wait_until_up(url, process, log, seconds=_START_S)
            note(f"Postgres and server are up on {url} after {time.monotonic() - began:.1f} s.")
            yield Sandbox(url, caller, reviewer, worlds)
        finally:
            process.terminate()
            process.wait(timeout=30)


def _keys(settings: Settings) -> tuple[str, str]:
    async def make() -> tuple[str, str]:
        tomorrow, mark = datetime.now(UTC) + timedelta(days=1), secrets.token_hex(2)
        with of_tenant(LOCAL.tenant):
            async with open_database(settings, note) as database, database.transaction() as conn:
                caller = await create_key(conn, f"demo-caller-{mark}", ["caller"], limits=KeyLimits(tomorrow))
                roles = ["finance", "support"]
                finance = await create_key(conn, f"demo-finance-{mark}", ["reviewer"], roles, KeyLimits(tomorrow))
                return caller, finance

    return asyncio.run(make())


app.command()(backpressure)
app.command()(loop)
