"""`gatehouse audit` and `gatehouse runs`: what happened, and whether the record of it is whole."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Annotated, Any, TypeVar
from uuid import UUID

import typer
from rich.markup import escape

from commands.terminal import explained, note, say, shorten, show_json, show_table
from contracts.context import by_whom
from engine.audit.audit import Link, chain, stream_of
from engine.audit.explain import explain_effect
from engine.audit.verify import verify as verify_chains
from engine.opening import open_database
from engine.runs.runs import get_run, recent_runs
from engine.settings import read_settings
from engine.store.database import Connection

T = TypeVar("T")
TENANT = "default"

audit = typer.Typer(no_args_is_help=True, help="The audit trail: verify, explain.")
runs = typer.Typer(no_args_is_help=True, help="Runs: list, show, timeline.")

RunId = Annotated[UUID, typer.Argument(help="Id of a run.")]
AsJson = Annotated[bool, typer.Option("--json", help="Output for programs.")]


def with_connection(work: Callable[[Connection], Awaitable[T]]) -> T:
    """Run `work` in a transaction on the configured database."""

    async def run() -> T:
        async with open_database(read_settings(), note) as database, database.transaction() as conn:
            return await work(conn)

    return asyncio.run(run())


@audit.command()
@explained
def verify(
    run: Annotated[UUID | None, typer.Argument(help="Only the case of this run.")] = None, as_json: AsJson = False
) -> None:
    """Recompute the hash chains; exit code 1 names the first bad record of each broken one."""

    async def work(conn: Connection) -> Any:
        only = stream_of((await get_run(conn, str(run), tenant=TENANT)).thread_id) if run else ""
        return await verify_chains(conn, only)

    found = with_connection(work)
    if as_json:
        show_json(
            {"intact": found.intact, "cases": found.streams, "records": found.records, "findings": found.findings}
        )
    elif found.intact:
        say(f"[green]Intact[/green]: {found.records} records of {found.streams} case(s).")
    for finding in found.findings:
        say(f"[red]{finding.stream}, record {finding.seq}[/red]: {finding.problem}")
    if not found.intact:
        raise typer.Exit(1)


@audit.command()
@explained
def explain(
    effect: Annotated[str, typer.Argument(help="Key of a call in the ledger, or id of the approval it consumed.")],
    as_json: AsJson = False,
) -> None:
    """Who asked, what the agent saw, which tool, what changed, how it was reviewed and is reversed."""
    answers = with_connection(lambda conn: explain_effect(conn, effect, tenant=TENANT))
    if as_json:
        show_json(answers)
        return
    for question, answer in answers.items():
        say(f"[bold]{question.replace('_', ' ')}[/bold]")
        for line in answer if isinstance(answer, list) else [answer]:
            say(f"  {escape(shorten(str(line)))}")


@runs.command("list")
@explained
def list_(
    status: Annotated[str | None, typer.Option(help="pending, running, interrupted, success, error.")] = None,
    limit: Annotated[int, typer.Option(help="At most this many.", min=1, max=1000)] = 20,
    as_json: AsJson = False,
) -> None:
    """List runs, newest first."""
    found = with_connection(lambda conn: recent_runs(conn, tenant=TENANT, status=status, limit=limit))
    if as_json:
        show_json([run.__dict__ for run in found])
        return
    rows = [(r.id, r.workflow, r.status, r.outcome or "", r.requester, f"{r.created_at:%Y-%m-%d %H:%M}") for r in found]
    show_table(["run", "workflow", "status", "outcome", "requester", "created"], rows)


@runs.command()
@explained
def show(run: RunId, as_json: AsJson = False) -> None:
    """Show one run: status, outcome, version, actor, requester."""
    found = with_connection(lambda conn: get_run(conn, str(run), tenant=TENANT))
    if as_json:
        show_json(found.__dict__)
        return
    for name, value in found.__dict__.items():
        if value not in (None, {}, ()):
            say(f"[bold]{name:14}[/bold] {escape(str(value))}")


@runs.command()
@explained
def timeline(run: RunId, as_json: AsJson = False) -> None:
    """Show what happened in the run's case, step by step, over all its runs."""

    async def work(conn: Connection) -> list[Link]:
        return await chain(conn, stream_of((await get_run(conn, str(run), tenant=TENANT)).thread_id))

    links = with_connection(work)
    if as_json:
        show_json([{"seq": link.seq, **link.record} for link in links])
        return
    for link in links:
        print_step(link.record)


def print_step(record: Any) -> None:
    """One line of a timeline."""
    say(f"  [dim]{record['at'][11:19]}[/dim]  {record['event']:20} {escape(_what(record['event'], record['data']))}")


_WHAT: dict[str, Callable[[dict[str, Any]], str]] = {
    "stage.finished": lambda data: f"{data['stage']} ({data['kind']})",
    "model.called": lambda data: f"{data['prompt']}: {by_whom(data['model'], data['source'])} {data['problem']}",
    "call.started": lambda data: f"{data['tool']} (attempt {data['attempt']})",
    "call.finished": lambda data: f"{data['tool']}: {data['state']}",
    "call.refused": lambda data: f"{data['tool']}: {data['code']}",
    "action.frozen": lambda data: f"{data['summary']} → {data['verdict']} ({data['rule']})",
    "approval.requested": lambda data: f"{data['request_id']} in {data['queue']}",
    "approval.decided": lambda data: f"{data['type']} by {data['by']}",
    "question.asked": lambda data: str(data["question"]),
    "question.answered": lambda data: str(data["answer"]),
    "run.created": lambda data: f"{data['kind']} for {data['requester']}",
}


def _what(event: str, data: dict[str, Any]) -> str:
    if event in _WHAT:
        return _WHAT[event](data)
    return " ".join(str(data[name]) for name in ("status", "outcome") if data.get(name))
