"""`gatehouse retention`: what is forgotten after a time, looked at and done by hand."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Annotated, Any

import typer

from commands.terminal import explained, note, say, show_json
from engine.audit.sealing import Sealing
from engine.catalog.catalog import load_catalog
from engine.opening import find_registry, open_database
from engine.settings import read_settings
from engine.upkeep import janitor_of, notary_of, periods_of
from engine.worker.dispatchers import ProcrastinateDispatcher
from engine.worker.janitor import Janitor, Swept

app = typer.Typer(no_args_is_help=True, help="Retention: what would be forgotten, and forgetting it now.")

AsJson = Annotated[bool, typer.Option("--json", help="Output for programs.")]
_NAMES = {
    "threads_deleted": "threads whose time is over",
    "threads_pruned": "threads with more history than is kept",
    "checkpoints": "checkpoints of those",
    "events": "stream events of runs that ended long ago",
    "webhooks": "webhooks that were delivered long ago",
    "traces": "threads of routine cases whose reasoning trace is not in the share that is kept: traces",
    "limits": "counts and reservations of limits that nobody compares with",
    "jobs": "wake-ups of workers that died",
    "chains_sealed": "chains of the audit trail whose period has ended, to be sealed,",
    "records": "audit records behind seals",
}


@app.command()
@explained
def plan(as_json: AsJson = False) -> None:
    """Show what would be forgotten now; nothing is changed."""
    _show(_janitor(Janitor.plan), "would be forgotten", as_json)


@app.command()
@explained
def apply(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show it, like plan.")] = False,
    as_json: AsJson = False,
) -> None:
    """Forget now what workers would forget in their time."""
    if dry_run:
        plan(as_json=as_json)
        return
    _show(_janitor(Janitor.clean), "forgotten", as_json)


def _janitor(work: Callable[[Janitor], Coroutine[Any, Any, Swept]]) -> Swept:
    async def run() -> Swept:
        settings = read_settings()
        catalog = load_catalog(find_registry(settings), routes={})
        kept = periods_of(settings, catalog)
        async with open_database(settings, note, migrates=False) as database:
            dispatcher = ProcrastinateDispatcher(database)
            await dispatcher.open()
            try:
                notary = await asyncio.to_thread(notary_of, settings, database)
                sealing = Sealing(database, notary.signer, kept, notary)
                return await work(janitor_of(settings, database, dispatcher, sealing))
            finally:
                await dispatcher.close()

    return asyncio.run(run())


def _show(swept: Swept, what: str, as_json: bool) -> None:
    if as_json:
        show_json(vars(swept))
        return
    for name, number in vars(swept).items():
        say(f"{number:>10,}  {_NAMES[name]} {what}")
