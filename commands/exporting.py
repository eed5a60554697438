"""`gatehouse audit export` and `verify-bundle`: a case as evidence, and what that evidence is worth, offline."""

import zipfile
from pathlib import Path
from typing import Annotated
from uuid import UUID

import typer
from rich.markup import escape

from commands.proof import this_signer
from commands.terminal import explained, say, show_json
from commands.where import on_database, own_tenant
from contracts.errors import ConfigurationError, NotFound
from engine.audit import checkpoints
from engine.audit.audit import stream_of
from engine.audit.export import bundle_of
from engine.audit.offline import files_of, problems_of, pruned_of
from engine.audit.signing import ring_of
from engine.runs.runs import get_run
from engine.runs.threads import get_thread
from engine.store.database import Connection
from engine.store.scope import across_tenants


@explained
def export(
    case: Annotated[UUID, typer.Argument(help="A run of the case, or its thread.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="The zip file to write.")],
) -> None:
    """Write a case as a signed bundle that anybody can verify offline."""
    signer = this_signer()

    async def note(conn: Connection) -> str:
        stream = await _stream(conn, str(case))
        await checkpoints.take(conn, signer)
        return stream

    with across_tenants("a checkpoint is over the chains of all"):
        stream = on_database(note)
        bundle = on_database(lambda conn: bundle_of(conn, signer, stream), snapshot=True)
    output.write_bytes(bundle)
    say(f"Wrote {escape(str(output))} ({len(bundle):,} bytes). Verify it with: gatehouse audit verify-bundle {output}")


@explained
def verify_bundle(
    bundle: Annotated[Path, typer.Argument(help="The zip file.")],
    public_key: Annotated[
        list[str] | None, typer.Option(help="Trust these keys (hex) instead of the one the bundle names; repeatable.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Output for programs.")] = False,
) -> None:
    """Verify a bundle without any database; exit code 1 names what is wrong."""
    try:
        files = files_of(bundle)
    except (OSError, zipfile.BadZipFile) as error:
        raise ConfigurationError(f"{bundle} cannot be read: {error}.") from error
    problems = problems_of(files, ring_of(public_key) if public_key else None)
    if as_json:
        said = {"whole": not problems, "problems": problems, "trusted": bool(public_key)}
        show_json(said | {"pruned": pruned_of(files) if not problems else ""})
    elif not problems:
        against = "a key that you trust" if public_key else "the key that it names itself: compare it (--public-key)"
        say(f"[green]Whole[/green]: signed by {against}. {pruned_of(files)}".strip())
    for problem in () if as_json else problems:
        say(f"[red]{escape(problem)}[/red]")
    if problems:
        raise typer.Exit(1)


async def _stream(conn: Connection, case: str) -> str:
    try:
        return stream_of((await get_run(conn, case, tenant=own_tenant())).thread_id)
    except NotFound:
        return stream_of((await get_thread(conn, case, tenant=own_tenant()))["id"])
