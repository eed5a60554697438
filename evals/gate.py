"""Which cases are run, what they are held against, and what a run of them is worth as an exit code."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from contracts.errors import ConfigurationError, InvalidEvalFile
from evals.baseline import Baseline, Flip, behaviour, compare, read_baseline, write_baseline
from evals.case_files import CaseFolder, read_cases
from evals.comparing import Compared
from evals.datasets import dataset_names, read_dataset
from evals.run import Result
from evals.sources import Sources, changed, file_beside, read_sources, write_sources

PASSED, FAILED, USAGE, INCONCLUSIVE, STALE = 0, 1, 2, 3, 4


@dataclass(frozen=True)
class Selection:
    """The cases of one workflow that are run, and the file with its baseline."""

    workflow: str
    cases: tuple[CaseFolder, ...]
    baseline: Path
    whole: bool
    """Whether these are all its cases."""
    settled: bool = False
    """Whether nothing has changed for those that were left out."""


def select(evals: Path, workflows: Collection[str], only: Collection[str], baseline: Path | None) -> list[Selection]:
    """Cases of the named workflows, of a dataset, or of all that have cases; `evals` holds them and the baselines.

    Raises `ConfigurationError` for what does not exist and for a case that cannot be read.
    """
    root = evals / "cases"
    known = sorted(path.name for path in root.glob("*") if path.is_dir())
    if not known:
        raise ConfigurationError("There are no cases.", hint="They are folders in evals/cases/<workflow>.")
    if len(workflows) == 1 and (dataset := next(iter(workflows))) in dataset_names(evals) and dataset not in known:
        return _of_dataset(evals, dataset)
    if unknown := sorted(set(workflows) - set(known)):
        raise ConfigurationError(f"The workflow {unknown[0]!r} has no cases.", hint=f"There are: {', '.join(known)}.")
    chosen = sorted(workflows) or known
    if len(chosen) > 1 and (only or baseline):
        raise ConfigurationError("Cases and a baseline belong to one workflow.", hint="Name that workflow.")
    return [
        Selection(
            workflow=name,
            cases=tuple(read_cases(root, name, only)),
            baseline=baseline or evals / "baselines" / f"{name}.json",
            whole=not only,
        )
        for name in chosen
    ]


def _of_dataset(evals: Path, name: str) -> list[Selection]:
    by_workflow: dict[str, list[CaseFolder]] = defaultdict(list)
    for folder in read_dataset(evals, name):
        by_workflow[folder.workflow].append(folder)
    return [
        Selection(workflow, tuple(folders), evals / "baselines" / f"{workflow}.json", whole=False)
        for workflow, folders in by_workflow.items()
    ]


def flips_against_baseline(selection: Selection, results: Sequence[Result]) -> list[Flip] | None:
    """How results differ from what was accepted; None when nothing was accepted yet.

    A case without its replies says nothing, and a case that was left out is not gone. Raises `InvalidEvalFile`.
    """
    accepted = read_baseline(selection.baseline)
    if accepted is None:
        return None
    own = [result for result in results if result.workflow == selection.workflow]
    if accepted and own and not accepted.keys() & {result.case for result in own} and selection.whole:
        raise InvalidEvalFile(
            f"{selection.baseline.name} has none of the cases of {selection.workflow!r}: it is another workflow's.",
            hint="Name its own with --baseline, or leave the option out.",
        )
    judged = {result.case for result in own if not result.missed}
    if selection.whole and {result.case for result in own} == {folder.name for folder in selection.cases}:
        judged |= accepted.keys() - {result.case for result in own}
    flips: list[Flip] = []
    for turn in sorted({result.turn for result in own}) or [1]:
        now = _now(result for result in own if result.turn == turn)
        found = compare(accepted, now, judged=judged - {r.case for r in own} | now.keys() & judged)
        flips += (flip for flip in found if flip not in flips)
    return flips


def accept(selection: Selection, results: Sequence[Result], sources: Sources) -> None:
    """Make what these cases did the baseline, with what it was accepted with: `sources` of all cases.

    Cases that were left out keep their place in it. Unless nothing has changed for them, the sources stay as they were,
    so that these cases still count as changed.
    """
    now = _now(result for result in results if result.workflow == selection.workflow)
    kept = {} if selection.whole else read_baseline(selection.baseline) or {}
    write_baseline(selection.baseline, kept | now)
    if selection.whole or selection.settled:
        write_sources(file_beside(selection.baseline), sources)


def narrowed(selection: Selection, now: Sources) -> Selection:
    """Only the cases for which something has changed since their baseline was accepted; `now` is of all of them."""
    accepted = read_sources(file_beside(selection.baseline))
    known = (read_baseline(selection.baseline) or {}).keys()
    found = {folder.name for folder in changed(accepted, now, selection.cases)}
    chosen = tuple(f for f in selection.cases if f.name in found or f.name not in known)
    whole = selection.whole and len(chosen) == len(selection.cases)
    return replace(selection, cases=chosen, whole=whole, settled=selection.whole)


def exit_code(results: Sequence[Result], flips: Sequence[Flip]) -> int:
    """A failure counts more than a stale recording: it is known, and the other is only unknown."""
    statuses = {result.status for result in results}
    if flips or "failed" in statuses:
        return FAILED
    return STALE if "stale" in statuses else PASSED


def exit_code_of(compared: Compared) -> int:
    """What two runs held against each other are worth. Where a model was asked, what may be chance is no failure."""
    if compared.rates:
        return {"worse": FAILED, "no worse": PASSED, "inconclusive": INCONCLUSIVE}[compared.rates.answer]
    if any(one.change != "mended" for one in compared.divergences):
        return FAILED
    return STALE if compared.stale else PASSED


def _now(results: Iterable[Result]) -> Baseline:
    return {result.case: behaviour(result.observation) for result in results}
