"""`gatehouse runs`: find a run, follow it, ask why it went its way and what is stuck, answer it, cancel it."""

import json
from datetime import datetime
from typing import Annotated, Any
from urllib.parse import urlencode
from uuid import UUID

import typer
from rich.markup import escape

from commands.acting import cancel, fork, resume
from commands.states import state, steps
from commands.steps import print_step
from commands.terminal import explained, minute, say, shorten, show_json, show_table
from commands.watching import exit_code, follow, how_it_ended
from commands.where import Key, Look, Query, Url, Where, own_tenant
from commands.why import print_way
from engine.operations.cases import show_run, tell_case
from engine.operations.stuck import PENDING_S, find_stuck
from engine.runs.model import RunStatus
from engine.runs.report import find_runs

app = typer.Typer(
    no_args_is_help=True,
    help="Runs: find, follow and explain them; resume, cancel or fork them. On this installation's database, or with "
    "--url on a server.",
)

RunId = Annotated[UUID, typer.Argument(metavar="RUN", help="Id of a run.")]
AsJson = Annotated[bool, typer.Option("--json", help="Output for programs.")]


@app.command("list")
@explained
def list_(
    status: Annotated[RunStatus | None, typer.Option(help="Only these.")] = None,
    workflow: Annotated[str | None, typer.Option(help="Only those of this workflow.")] = None,
    limit: Annotated[int, typer.Option(help="At most this many.", min=1, max=1000)] = 20,
    url: Url = "",
    key: Key = "",
    as_json: AsJson = False,
) -> None:
    """List runs, newest first."""
    query: Query = {"status": status, "workflow": workflow, "limit": limit}
    found = Where(url, key).ask("/runs", lambda conn: find_runs(conn, tenant=own_tenant(), **query), query)
    if as_json:
        show_json(found)
    elif found:
        columns = ["run", "workflow", "stands", "requester", "created (UTC)", "took"]
        show_table(columns, [_row(run) for run in found], spare=("took", "requester"))
    else:
        say("There are no such runs.")


@app.command()
@explained
def show(run: RunId, url: Url = "", key: Key = "", as_json: AsJson = False) -> None:
    """Show one run: where it stands, who holds it, what it waits for, the other runs of its case."""
    found = _show(run, Where(url, key))
    if as_json:
        show_json(found)
        return
    for name, value in found.items():
        if name not in ("waits_for", "legs", "waits", "error") and value not in (None, {}, "", []):
            say(f"[bold]{name.replace('_', ' '):20}[/bold] {escape(_text(name, value))}")
    if found["error"]:
        say(f"[bold red]{'error':20}[/bold red] {escape(found['error']['error'])}: {escape(found['error']['message'])}")
    for leg in found["legs"] if len(found["legs"]) > 1 else ():
        mark = "→" if leg["run_id"] == found["run_id"] else " "
        say(f"  {mark} {leg['run_id']}  {leg['kind']:8} {leg['status']} {leg['outcome'] or ''}")
    for item in found["waits_for"]:
        print_waiting(item)


@app.command()
@explained
def watch(run: RunId, url: Url = "", key: Key = "", as_json: AsJson = False) -> None:
    """Follow a run until it ends. Exit code 0: completed, 1: failed or cancelled, 3: it waits for somebody."""
    where = Where(url, key)
    with where.asking() as ask:
        ended = follow(lambda after: ask(*_told(run, after)), as_json=as_json)
    if as_json:
        show_json({"event": "ended", "run": ended})
    else:
        say(how_it_ended(ended))
        for item in _show(run, where)["waits_for"]:
            print_waiting(item)
    raise typer.Exit(exit_code(ended))


@app.command()
@explained
def timeline(run: RunId, url: Url = "", key: Key = "", as_json: AsJson = False) -> None:
    """Show what happened in the run's case, step by step with time and actor, over all its runs."""
    records = Where(url, key).ask(*_told(run))["records"]
    if as_json:
        show_json(records)
        return
    days = {record["at"][:10] for record in records}
    say(f"  [dim]{', '.join(sorted(days))} UTC; done by the workflow's agent unless somebody is named[/dim]")
    for record in records:
        print_step(record, day=len(days) > 1)


@app.command()
@explained
def why(
    run: RunId,
    stage: Annotated[str | None, typer.Option(help="Only this stage, with everything it knew.")] = None,
    url: Url = "",
    key: Key = "",
    as_json: AsJson = False,
) -> None:
    """Show which way the case took at each stage, and the values that decided it."""
    way = Where(url, key).send("GET", f"/runs/{run}/why" + (f"?{urlencode({'stage': stage})}" if stage else ""))
    if as_json:
        show_json(way)
    else:
        print_way(way, whole=stage is not None)


@app.command()
@explained
def stuck(
    older_than: Annotated[
        float, typer.Option(help="Seconds for which a run without a worker may be ready.")
    ] = PENDING_S,
    url: Url = "",
    key: Key = "",
    as_json: AsJson = False,
) -> None:
    """Show what does not move although it should, and what to do. Exit code 1 when there is something."""
    query = {"pending_s": older_than}
    found = Where(url, key).ask("/runs/stuck", lambda conn: find_stuck(conn, tenant=own_tenant(), **query), query)
    if as_json:
        show_json(found)
    elif not found:
        say("[green]Nothing is stuck.[/green]")
    else:
        for item in found:
            say(f"[bold yellow]{item['kind'].replace('_', ' ')}[/bold yellow]  run {item['run_id']}")
            say(f"  {escape(shorten(item['says']))}\n  [bold]What to do:[/bold] {escape(item['do'])}")
    raise typer.Exit(1 if found else 0)


def print_waiting(item: dict[str, Any]) -> None:
    """What a run waits for, and the command that answers it."""
    match item["kind"]:
        case "approval":
            whom, how = f"for {item['role']}", f"gatehouse approvals approve {item['id']}"
        case "effect":
            whom, how = "until somebody finds out", f"gatehouse effects show {item['id']}"
        case _:
            whom, how = "for an answer", f'gatehouse runs resume {item["run_id"]} "YOUR ANSWER"'
    say(f"[cyan]waits {whom}[/cyan] at {item['stage']}: {escape(item['asks'])}\n  {escape(how)}")


def _show(run: UUID, where: Where) -> dict[str, Any]:
    found: dict[str, Any] = where.ask(f"/runs/{run}", lambda conn: show_run(conn, str(run), tenant=own_tenant()))
    return found


def _told(run: UUID, after: int = 0) -> tuple[str, Look, Query]:
    """The question for a run and the records of its case behind one."""
    query: Query = {"after": after}
    return f"/runs/{run}/timeline", lambda conn: tell_case(conn, str(run), tenant=own_tenant(), **query), query


def _row(run: dict[str, Any]) -> tuple[str, ...]:
    stands = run["outcome"] or ("waits" if run["waits"] else run["status"])
    created = minute(run["created_at"])[5:]
    return (run["run_id"], run["workflow"], stands, run["requester"], created, _took(run))


def _took(run: dict[str, Any]) -> str:
    if not run["finished_at"]:
        return ""
    seconds = (datetime.fromisoformat(run["finished_at"]) - datetime.fromisoformat(run["created_at"])).total_seconds()
    return f"{seconds:.1f} s" if seconds < 120 else f"{seconds / 60:.0f} min"


def _text(name: str, value: Any) -> str:
    if name.endswith(("_at", "_until")):
        return f"{value[:19].replace('T', ' ')} UTC"
    return json.dumps(value, ensure_ascii=False) if isinstance(value, dict | list) else str(value)


for _command in (state, steps, resume, cancel, fork):
    app.command()(_command)
