"""`gatehouse conform`: whether a server keeps what was approved, attack by attack, on a server of ours or any other."""

import asyncio
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from commands.own_servers import OwnServers, own_servers
from commands.terminal import ERR, OUT, explained, note, say, show_json
from contracts.errors import InvalidRequest
from evals.conformance.check import ROWS, Results, check, chosen
from evals.conformance.finding import Finding, Row
from evals.conformance.payments import PORT, Payments, counting
from evals.conformance.rig import Keys, Rig
from evals.conformance.writing import write_governed, write_plain

app = typer.Typer(invoke_without_command=True, help="Attack a server's gates, row by row; exit code 1 when one leaks.")

_COLOURS = {"held": "green", "leaks": "bold red", "not run": "yellow"}
_MOVE = "the policy was changed by gatehouse conform"

Urls = Annotated[
    list[str] | None,
    typer.Option("--url", help="The server; given twice, two of them over one database. Without, one is started."),
]
KeyOf = Annotated[str, typer.Option(envvar="GATEHOUSE_API_KEY", help="Key of the caller.", show_default=False)]
ReviewerKey = Annotated[
    str, typer.Option(envvar="GATEHOUSE_REVIEWER_KEY", help="Key of the reviewer [the caller's].", show_default=False)
]
OperatorKey = Annotated[
    str, typer.Option(envvar="GATEHOUSE_OPERATOR_KEY", help="Key of an operator [the caller's].", show_default=False)
]


@app.callback()
@explained
def conform(
    ctx: typer.Context,
    url: Urls = None,
    key: KeyOf = "",
    reviewer_key: ReviewerKey = "",
    operator_key: OperatorKey = "",
    row: Annotated[list[str] | None, typer.Option(help="Only this row; may be repeated.")] = None,
    races: Annotated[int, typer.Option(min=1, help="How often two callers race.")] = 60,
    servers: Annotated[int, typer.Option(min=1, max=4, help="Servers to start, without --url.")] = 1,
    workers: Annotated[int, typer.Option(min=0, max=4, help="Workers to start; 0: the servers carry runs.")] = 0,
    payments_port: Annotated[int, typer.Option(help="Where refunds are counted, with --url.")] = PORT,
    as_json: Annotated[bool, typer.Option("--json", help="Output for programs.")] = False,
) -> None:
    """Run every row of the table of attacks on a gate, against --url or a server started for it."""
    if ctx.invoked_subcommand:
        return
    names = chosen(row or [])
    keys = Keys(key, reviewer_key or key, operator_key or key)
    if url:
        with counting(payments_port) as payments:
            found = asyncio.run(_attack(Rig(url, keys, payments, races=races), names))
    else:
        if servers > 1 and workers == 0:
            raise InvalidRequest("Several servers need workers.", hint="Add for example: --workers 2")
        with counting() as payments, _ours(payments, servers, workers) as (own, folder):
            found = asyncio.run(_attack_ours(own, folder, payments, names, races))
    _show(found, as_json)
    if any(finding.standing == "leaks" for finding in found.values()):
        raise typer.Exit(1)


@app.command()
@explained
def graph(
    folder: Annotated[Path, typer.Argument(help="A folder that does not exist yet.")],
    governed: Annotated[bool, typer.Option("--governed", help="As a workflow for a Gatehouse server.")] = False,
) -> None:
    """Write the graph that a server must serve to be attacked: plain LangGraph, or a governed workflow."""
    registry = write_governed(folder) if governed else write_plain(folder)
    say(f"Wrote {registry}. How to serve it: {folder / 'README.md'}")


@contextmanager
def _ours(payments: Payments, servers: int, workers: int) -> Iterator[tuple[OwnServers, Path]]:
    """Servers of ours that serve the governed workflow, and a folder for versions of it."""
    system = {"payments": payments.url}
    with own_servers(system, servers=servers, workers=workers) as own, tempfile.TemporaryDirectory() as folder:
        own.start(write_governed(Path(folder) / "first"))
        note(f"Started {servers} server(s) and {workers} worker(s): {', '.join(own.urls)}.")
        yield own, Path(folder)


async def _attack_ours(own: OwnServers, folder: Path, payments: Payments, names: list[str], races: int) -> Results:
    keys = Keys(
        await own.make_key("ada", ["caller"]),
        await own.make_key("fin", ["reviewer"], ["finance"]),
        await own.make_key("olu", ["operator"]),
    )
    rig = Rig(own.urls, keys, payments, races=races)

    async def change_policy(limit: int) -> None:
        before = await _versions(rig)
        await asyncio.to_thread(own.stop)
        own.start(write_governed(folder / f"limit-{limit}", limit=limit))
        await _move(rig, before)

    rig.change_policy = change_policy
    return await _attack(rig, names)


async def _versions(rig: Rig) -> list[dict[str, Any]]:
    found: Any = await rig.client("operator").http.get("/versions")
    return [version for version in found if version["loaded"]]


async def _move(rig: Rig, before: list[dict[str, Any]]) -> None:
    """As an operator does after a deployment: cases that wait go on under the version that is loaded now."""
    (loaded,) = await _versions(rig)
    for version in before:
        body = {"from": version["digest"], "to": loaded["digest"], "reason": _MOVE, "all": True}
        await rig.client("operator").http.post("/versions/migrations", json=body)


async def _attack(rig: Rig, names: list[str]) -> Results:
    columns = SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn()
    try:
        with Progress(*columns, console=ERR, transient=True, disable=not ERR.is_terminal) as progress:
            task = progress.add_task(f"{len(names)} rows")
            done: list[str] = []

            def told(row: Row, finding: Finding) -> None:
                done.append(row.id)
                progress.update(task, description=f"{len(done)} of {len(names)} rows; row {row.id} {finding.standing}")

            found = await check(rig, names, told)
        if stay := await rig.tidy():
            note(f"{stay} threads that were made here could not be deleted.")
        return found
    finally:
        await rig.close()


def _show(found: Results, as_json: bool) -> None:
    if as_json:
        show_json([_as_json(ROWS[name], finding) for name, finding in found.items()])
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("row", "attack", "stands", "what was seen"):
        table.add_column(name, overflow="fold", no_wrap=name == "stands")
    for name, finding in found.items():
        stands = f"[{_COLOURS[finding.standing]}]{finding.standing}[/]"
        table.add_row(name, escape(ROWS[name].attack), stands, escape(finding.seen))
    OUT.print(table)
    counts = [f"{sum(f.standing == stands for f in found.values())} {stands}" for stands in _COLOURS]
    say(f"\n{', '.join(counts)}.")


def _as_json(row: Row, finding: Finding) -> dict[str, Any]:
    said = {"row": row.id, "attack": row.attack, "wanted": row.wanted}
    return said | {"stands": finding.standing, "seen": finding.seen, "seconds": finding.seconds}
