"""`gatehouse audit`: what happened with an effect, and whether the record of all is whole."""

from pathlib import Path
from typing import Annotated, Any
from uuid import UUID

import typer
from rich.markup import escape

from commands.evidence import report
from commands.exporting import export, verify_bundle
from commands.proof import evidence_of, this_signer
from commands.scanning import secrets_scan
from commands.terminal import explained, minute, say, shorten, show_json, show_table
from commands.where import Key, Url, Where, on_database, own_tenant
from contracts.errors import InvalidRequest
from engine.audit.audit import stream_of
from engine.audit.evidence import CHECKPOINTS, Finding
from engine.audit.explain import explain_effect
from engine.audit.objects import cases_about
from engine.audit.signing import rotate_key
from engine.audit.verify import verify as verify_chains
from engine.runs.runs import get_run
from engine.settings import read_settings
from engine.store.database import Connection
from engine.store.scope import across_tenants

app = typer.Typer(no_args_is_help=True, help="The audit trail: verify, explain, search, export, erase, keys.")
app.command()(export)
app.command()(report)
app.command("verify-bundle")(verify_bundle)
app.command("secrets-scan")(secrets_scan)

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

    with across_tenants("the chains of all tenants are verified"):
        found = on_database(work, snapshot=True)
    if as_json:
        said = {"intact": found.intact, "cases": found.streams, "records": found.records}
        counted = {"checkpoints": found.checkpoints, "anchored": found.anchored, "receipts": len(evidence.receipts)}
        counted["pruned"] = found.pruned
        show_json(said | counted | {"findings": found.findings})
    else:
        against = f"{found.checkpoints} checkpoint(s), {found.anchored} anchored, {len(evidence.receipts)} receipt(s)"
        against += f"; {found.pruned} records are pruned behind seals" if found.pruned else ""
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
def search(
    query: Annotated[str, typer.Argument(help="object=KIND:VALUE, as in object=order:1042, or object=SYSTEM:VALUE.")],
    limit: Annotated[int, typer.Option(min=1, max=500, help="How many cases at most.")] = 100,
    url: Url = "",
    key: Key = "",
    as_json: AsJson = False,
) -> None:
    """Find the cases whose calls named a business object."""
    name, _, wanted = query.partition("=")
    if name != "object":
        raise InvalidRequest(f"{query!r} is no search.", hint="Write object=KIND:VALUE, as in object=order:1042.")
    found = Where(url, key).ask(
        "/audit/search",
        lambda conn: cases_about(conn, wanted, tenant=own_tenant(), limit=limit),
        {"object": wanted, "limit": limit},
    )
    if as_json:
        show_json(found)
        return
    show_table(
        ["run", "workflow", "opened (UTC)", "requester", "outcome", "named first at"],
        [
            (
                case["run_id"],
                case["workflow"],
                minute(str(case["opened_at"])),
                case["requester"],
                case["outcome"] or "",
                ", ".join(f"{o['system']}:{o['kind']} record {o['first_seq']}" for o in case["objects"]),
            )
            for case in found
        ],
        spare=("requester", "opened (UTC)"),
    )


@app.command()
@explained
def erase(
    subject: Annotated[str, typer.Option(help="case:ID, requester:NAME, or a business object as in customer:AC-1.")],
    reason: Annotated[str, typer.Option(help="Why; kept on record, so name nobody.")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show what would be erased.")] = False,
    url: Url = "",
    key: Key = "",
    as_json: AsJson = False,
) -> None:
    """Make what the trail says of a subject's ended cases unreadable for good; the chains stay whole."""
    body = {"subject": subject, "reason": reason, "dry_run": dry_run}
    erased = Where(url, key).send("POST", "/audit/erase", body)
    if as_json:
        show_json(erased)
        return
    say(f"{erased['cases']} case(s) {'would be' if dry_run else 'are'} unreadable.")
    for thread_id in erased["under_way"]:
        say(f"  left alone, its case has not ended: {thread_id}")
    if erased["more"]:
        say("There are more: call this again.")


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
