"""`gatehouse audit`: what happened with an effect, and whether the record of all is whole."""

from pathlib import Path
from typing import Annotated, Any
from uuid import UUID

import typer
from rich.markup import escape

from commands.proof import evidence_of, this_signer
from commands.terminal import explained, say, shorten, show_json
from commands.where import on_database, own_tenant
from engine.audit.audit import stream_of
from engine.audit.evidence import CHECKPOINTS, Finding
from engine.audit.explain import explain_effect
from engine.audit.signing import rotate_key
from engine.audit.verify import verify as verify_chains
from engine.runs.runs import get_run
from engine.settings import read_settings
from engine.store.database import Connection

app = typer.Typer(no_args_is_help=True, help="The audit trail: verify, explain.")

AsJson = Annotated[bool, typer.Option("--json", help="Output for programs.")]


@app.command()
@explained
def verify(
    run: Annotated[UUID | None, typer.Argument(help="Only the case of this run.")] = None,
    anchors: Annotated[
        Path | None, typer.Option(help="File or folder of anchored checkpoints; by default the configured folder.")
    ] = None,
    receipt: Annotated[list[Path] | None, typer.Option(help="A receipt that somebody kept; may be repeated.")] = None,
    public_key: Annotated[
        list[str] | None, typer.Option(help="Trust these keys (hex) instead of this installation's; may be repeated.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Recompute the hash chains and hold them against checkpoints and anchors; exit code 1 names what is wrong."""
    evidence = evidence_of(anchors, receipt or [], public_key or [])

    async def work(conn: Connection) -> Any:
        only = stream_of((await get_run(conn, str(run), tenant=own_tenant())).thread_id) if run else ""
        return await verify_chains(conn, only, evidence)

    found = on_database(work, snapshot=True)
    if as_json:
        said = {"intact": found.intact, "cases": found.streams, "records": found.records}
        counted = {"checkpoints": found.checkpoints, "anchored": found.anchored, "receipts": len(evidence.receipts)}
        show_json(said | counted | {"findings": found.findings})
    else:
        against = f"{found.checkpoints} checkpoint(s), {found.anchored} anchored, {len(evidence.receipts)} receipt(s)"
        if found.intact:
            say(f"[green]Intact[/green]: {found.records} records of {found.streams} chain(s). Against: {against}.")
        for finding in found.findings:
            say(f"[red]{escape(finding.stream)}, {_place(finding)}[/red]: {escape(finding.problem)}")
    if not found.intact:
        raise typer.Exit(1)


def _place(finding: Finding) -> str:
    return f"number {finding.seq}" if finding.stream == CHECKPOINTS else f"record {finding.seq}"


@app.command()
@explained
def keys(as_json: AsJson = False) -> None:
    """Show the public keys whose signatures are trusted, the one that signs now first."""
    signer = this_signer()
    if as_json:
        show_json({"signs": signer.key_id, "trusted": {name: key.hex() for name, key in signer.ring.items()}})
        return
    for name, public in signer.ring.items():
        say(f"{name}  {public.hex()}  {'signs' if name == signer.key_id else 'retired'}")


@app.command("rotate-key")
@explained
def rotate() -> None:
    """Sign with a new key from the next start of servers and workers on; the old one stays trusted."""
    old, new = rotate_key(read_settings().home)
    say(f"{old} is retired and stays trusted. {new} signs once servers and workers are started again.")


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
