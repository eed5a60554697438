"""One run of cases: which of them, off the network, and going on where the last one was interrupted."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from engine.credentials.references import reveal
from engine.wiring import Engine
from evals.baseline import Flip
from evals.gate import Selection, accept, flips_against_baseline, narrowed
from evals.keeping import kept
from evals.offline import offline
from evals.opening import open_for_evals
from evals.progress import CaseProgress
from evals.run import Result, Turns, run_cases
from evals.sources import Sources, file_beside, prompt_diff, read_sources, sources_of


@dataclass(frozen=True)
class Asked:
    """What was asked of a run."""

    repeat: int = 1
    changed: bool = False
    fresh: bool = False
    keep_going: bool = True
    accepting: bool = False


@dataclass(frozen=True)
class Ran:
    """What a run came to."""

    results: tuple[Result, ...]
    flips: tuple[Flip, ...]
    connections: tuple[str, ...]
    """Where something tried to connect to; none was let through."""
    diffs: dict[tuple[str, str], list[str]]
    """How prompts have changed since the baseline was accepted, by workflow and prompt."""


async def run_selected(evals: Path, selections: Sequence[Selection], asked: Asked, aside: Console) -> Ran:
    """Run them on an engine of their own; `aside` hears how far it is. Raises what opening the engine raises."""
    async with open_for_evals() as engine:
        sources = {s.workflow: sources_of(engine.catalog[s.workflow], s.cases) for s in selections}
        chosen = [narrowed(s, sources[s.workflow]) for s in selections] if asked.changed else list(selections)
        turns = Turns([folder for s in chosen for folder in s.cases], asked.repeat, asked.keep_going)
        with offline(dsn_of(engine)) as watch:
            results = await _play(engine, evals, turns, asked, aside)
        if asked.accepting:
            _accept(chosen, results, sources, aside)
        diffs = _diffs(engine, selections)
    return Ran(tuple(results), tuple(_flips(chosen, results, aside)), tuple(watch.tried), diffs)


def dsn_of(engine: Engine) -> str:
    """The one address that is connected to."""
    address = engine.settings.database_url
    return reveal(address) if address else ""


async def _play(engine: Engine, evals: Path, turns: Turns, asked: Asked, aside: Console) -> list[Result]:
    with (
        kept(evals, lambda workflow: engine.catalog[workflow].version, fresh=asked.fresh) as memory,
        CaseProgress(aside, len(turns)) as progress,
    ):
        results = await run_cases(engine, turns, memory, on_done=progress.advance)
        if memory.found:
            said = f"{memory.found} had been done before the last run was interrupted; --fresh runs them again."
            aside.print(said, highlight=False)
        return results


def _accept(
    selections: Sequence[Selection], results: Sequence[Result], sources: dict[str, Sources], aside: Console
) -> None:
    if not all(result.status == "passed" for result in results):
        aside.print("Nothing was accepted: a baseline holds only what passes.", style="red")
        return
    for selection in selections:
        accept(selection, results, sources[selection.workflow])


def _flips(selections: Sequence[Selection], results: Sequence[Result], aside: Console) -> list[Flip]:
    flips: list[Flip] = []
    for selection in selections:
        found = flips_against_baseline(selection, results)
        if found is None:
            aside.print(f"{selection.workflow} has no baseline yet; --accept makes one.", style="yellow")
        flips += found or []
    return flips


def _diffs(engine: Engine, selections: Sequence[Selection]) -> dict[tuple[str, str], list[str]]:
    found = {}
    for selection in selections:
        accepted = read_sources(file_beside(selection.baseline))
        for name, prompt in engine.catalog[selection.workflow].prompts.items():
            if lines := prompt_diff(accepted, prompt):
                found[selection.workflow, name] = lines
    return found
