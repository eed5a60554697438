"""`gatehouse audit`: what happened with an effect, and whether the record of all is whole."""

from typing import Annotated, Any
from uuid import UUID

import typer
from rich.markup import escape

from commands.terminal import explained, say, shorten, show_json
from commands.where import on_database, own_tenant
from engine.audit.audit import stream_of
from engine.audit.explain import explain_effect
from engine.audit.verify import verify as verify_chains
from engine.runs.runs import get_run
from engine.store.database import Connection

app = typer.Typer(no_args_is_help=True, help="The audit trail: verify, explain.")

AsJson = Annotated[bool, typer.Option("--json", help="Output for programs.")]


@app.command()
@explained
def verify(
    run: Annotated[UUID | None, typer.Argument(help="Only the case of this run.")] = None, as_json: AsJson = False
) -> None:
    """Recompute the hash chains; exit code 1 names the first bad record of each broken one."""

    async def work(conn: Connection) -> Any:
        only = stream_of((await get_run(conn, str(run), tenant=own_tenant())).thread_id) if run else ""
        return await verify_chains(conn, only)

    found = on_database(work)
    if as_json:
        show_json(
            {"intact": found.intact, "cases": found.streams, "records": found.records, "findings": found.findings}
        )
    elif found.intact:
        say(f"[green]Intact[/green]: {found.records} records of {found.streams} chain(s).")
    for finding in found.findings:
        say(f"[red]{finding.stream}, record {finding.seq}[/red]: {finding.problem}")
    if not found.intact:
        raise typer.Exit(1)


@app.command()
@explained
def explain(
    effect: Annotated[str, typer.Argument(help="Key of a call in the ledger, or id of the approval it consumed.")],
    as_json: AsJson = False,
) -> None:
    """Who asked, what the agent saw, which tool, what changed, how it was reviewed and is reversed."""
    answers = on_database(lambda conn: explain_effect(conn, effect, tenant=own_tenant()))
    if as_json:
        show_json(answers)
        return
    for question, answer in answers.items():
        say(f"[bold]{question.replace('_', ' ')}[/bold]")
        for line in answer if isinstance(answer, list) else [answer]:
            say(f"  {escape(shorten(str(line)))}")
