"""One run of cases: which of them, off the network, and going on where the last one was interrupted."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from engine.settings import read_settings
from engine.wiring import Engine
from evals.baseline import Flip
from evals.fitting import require_fitting
from evals.gate import Selection, accept, flips_against_baseline, narrowed
from evals.keeping import kept
from evals.live_gate import judge_live
from evals.offline import offline
from evals.opening import dsn_of, open_for_evals
from evals.progress import CaseProgress
from evals.results import RanCases
from evals.run import Result, Turns, run_cases
from evals.significance import Comparison
from evals.sources import Sources, file_beside, prompt_diff, read_sources, sources_of
from evals.voices import live_models


@dataclass(frozen=True)
class Asked:
    """What was asked of a run."""

    repeat: int = 1
    changed: bool = False
    fresh: bool = False
    keep_going: bool = True
    accepting: bool = False
    live: tuple[str, ...] = ()
    """Aliases whose models are asked in earnest."""
    records: bool = False
    against: RanCases | None = None
    """What a live run is held against; None: what was accepted."""


@dataclass(frozen=True)
class Ran:
    """What a run came to."""

    results: tuple[Result, ...]
    flips: tuple[Flip, ...]
    connections: tuple[str, ...]
    """Where something tried to connect to; none was let through."""
    diffs: dict[tuple[str, str], list[str]]
    """How prompts have changed since the baseline was accepted, by workflow and prompt."""
    rates: Comparison | None = None
    """Of a live run: whether its cases pass less often."""


async def run_selected(evals: Path, selections: Sequence[Selection], asked: Asked, aside: Console) -> Ran:
    """Run them on an engine of their own; `aside` hears how far it is. Raises what opening the engine raises."""
    async with open_for_evals() as engine:
        for selection in selections:
            require_fitting(engine.catalog[selection.workflow], selection.cases)
        sources = {s.workflow: sources_of(engine.catalog[s.workflow], s.cases) for s in selections}
        chosen = [narrowed(s, sources[s.workflow]) for s in selections] if asked.changed else list(selections)
        live = live_models(read_settings(), asked.live, [engine.catalog[s.workflow] for s in chosen])
        folders = [folder for s in chosen for folder in s.cases]
        turns = Turns(folders, asked.repeat, asked.keep_going, live, asked.records)
        with offline(dsn_of(engine), live.places) as watch:
            results = await _play(engine, evals, turns, asked, aside)
        if asked.accepting:
            _accept(chosen, results, sources, aside)
        diffs = _diffs(engine, selections)
    if asked.live:
        rates = judge_live(results, asked.against)
        return Ran(tuple(results), (), tuple(watch.tried), diffs, rates)
    return Ran(tuple(results), tuple(_flips(chosen, results, aside)), tuple(watch.tried), diffs)


async def _play(engine: Engine, evals: Path, turns: Turns, asked: Asked, aside: Console) -> list[Result]:
    with (
        kept(
            evals, lambda workflow: f"{engine.catalog[workflow].version}{turns.live.said}", fresh=asked.fresh
        ) as memory,
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
