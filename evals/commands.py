"""The command line of evals, mounted as `gatehouse eval`."""

import asyncio
import json
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Annotated

import typer

from evals import report
from evals.attacks.commands import attacks_command
from evals.baseline import Baseline, read_baseline
from evals.case_files import CaseFolder
from evals.comparing import compare_runs
from evals.counterfactual_commands import counterfactual_command
from evals.decision_commands import decisions_command
from evals.drift_commands import canary_command
from evals.exporting.commands import export_command
from evals.fault_commands import faults_command, ugly_command
from evals.fault_matrix import FoundFaults, read_faults
from evals.gate import FAILED, PASSED, exit_code, exit_code_of, select
from evals.live_gate import exit_code_of_live, require_live
from evals.opening import open_for_evals
from evals.page import page_of
from evals.recording.commands import record_command
from evals.rekey import Rekeyed, rekey
from evals.results import as_results, read_results
from evals.running import Asked, Ran, run_selected
from evals.speaking import AsJson, CaseNames, Workflows, aside, errors_shown, evals_folder, page
from evals.tau_bench.commands import tau_bench
from evals.tau_bench.import_commands import importing
from evals.voices import LEAST_TURNS

app = typer.Typer(help="Run recorded cases through the real engine, offline.", no_args_is_help=True)

app.command("attacks")(attacks_command)
app.command("canary")(canary_command)
app.command("counterfactual")(counterfactual_command)
app.command("decisions")(decisions_command)
app.command("export")(export_command)
app.command("faults")(faults_command)
app.command("record")(record_command)
app.command("tau-bench")(tau_bench)
app.command("ugly")(ugly_command)
app.add_typer(importing, name="import")

Results = Annotated[Path, typer.Argument(help="What `eval run --json` has written.")]


@app.command("run")
def run_command(
    workflows: Workflows = None,
    case: CaseNames = None,
    changed: Annotated[bool, typer.Option("--changed", help="Only what changed since its baseline.")] = False,
    repeat: Annotated[int | None, typer.Option(min=1, max=100, help="How often each case is played.")] = None,
    fresh: Annotated[bool, typer.Option("--fresh", help="Also what an interrupted run had done.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Results as JSON on standard output.")] = False,
    accepting: Annotated[bool, typer.Option("--accept", help="Make what the cases do now the baseline.")] = False,
    baseline: Annotated[Path | None, typer.Option(help="Another baseline file, for one workflow.")] = None,
    keep_going: Annotated[bool, typer.Option("--keep-going/--fail-fast", help="Go on after a failed case.")] = True,
    live: Annotated[list[str] | None, typer.Option(help="Ask this alias's models in earnest; may be repeated.")] = None,
    against: Annotated[Path | None, typer.Option(help="An earlier live run; by default what was accepted.")] = None,
    record: Annotated[bool, typer.Option("--record", help="Keep what live models say as recordings.")] = False,
    cases: Annotated[Path | None, typer.Option(help="A folder with cases/, instead of the project's evals.")] = None,
) -> None:
    """Run cases. Exit codes: 0 passed, 1 failed or unlike the baseline, 2 usage, 4 stale recordings.

    A run that was interrupted goes on where it was. Nothing is connected to but the database and, with --live, the
    configured addresses of those models: then each case is played five times unless --repeat says otherwise, 1 means
    that cases pass less often and 3 that nothing can be said.
    """
    began = time.perf_counter()
    with errors_shown():
        require_live(live or (), accepting=accepting, record=record, against=against)
        before = read_results(against) if against else None
        turns = repeat or (LEAST_TURNS if live else 1)
        asked = Asked(turns, changed, fresh or record, keep_going, accepting, tuple(live or ()), record, before)
        folder = cases or evals_folder()
        ran = asyncio.run(run_selected(folder, select(folder, workflows or (), case or (), baseline), asked, aside()))
    if as_json:
        typer.echo(json.dumps(report.as_json(ran), indent=1, ensure_ascii=False))
    else:
        _show(ran, time.perf_counter() - began)
    raise typer.Exit(FAILED if ran.connections else _worth(ran))


def _worth(ran: Ran) -> int:
    return exit_code_of_live(ran.results, ran.rates) if ran.rates else exit_code(ran.results, ran.flips)


@app.command("rekey")
def rekey_command(workflows: Workflows = None, case: CaseNames = None) -> None:
    """Give written replies the keys that today's prompts and schemas ask for, in the order in which they stand.

    Do this when a prompt has changed and you have read the replies, and they still hold.
    """
    with errors_shown():
        selections = select(evals_folder(), workflows or (), case or (), None)
        folders = [folder for selection in selections for folder in selection.cases]
        done = asyncio.run(_rekey_all(folders))
    shown = page()
    for one in done:
        for problem in one.problems:
            shown.print(f"{one.case}: {problem}", style="red", markup=False, highlight=False)
    changed, failed = sum(bool(one.changed) for one in done), sum(bool(one.problems) for one in done)
    shown.print(f"{len(done)} cases: new keys in {changed}, {failed} left as they were because of problems")
    raise typer.Exit(FAILED if failed else PASSED)


@app.command("compare")
def compare_command(before: Results, after: Results, as_json: AsJson = False) -> None:
    """Hold two runs against each other, each as `eval run --json` has written it.

    Exit codes: 0 no worse, 1 worse or different, 2 usage, 3 nothing can be said, 4 the second one has stale recordings.
    """
    with errors_shown():
        compared = compare_runs(read_results(before), read_results(after))
    if as_json:
        typer.echo(json.dumps(compared.as_json(), indent=1, ensure_ascii=False))
    else:
        report.show_compared(page(), compared)
    raise typer.Exit(exit_code_of(compared))


@app.command("report")
def report_command(
    results: Results,
    against: Annotated[Path | None, typer.Option(help="Another run; by default the accepted baselines.")] = None,
    faults: Annotated[Path | None, typer.Option(help="What `eval faults --json` has written.")] = None,
    output: Annotated[Path, typer.Option("-o", "--output", help="Where the page goes.")] = Path("evals.html"),
    as_json: AsJson = False,
) -> None:
    """Write a run that `eval run --json` has kept as a page that needs nothing else."""
    with errors_shown():
        ran = read_results(results)
        before = read_results(against) if against else as_results(_accepted(t.workflow for t in ran.cases)).only(ran)
        compared = compare_runs(before, ran)
        beside, broken = against.name if against else "the baseline", read_faults(faults) if faults else FoundFaults()
        output.write_text(page_of(ran, compared, beside, broken), encoding="utf-8")
    typer.echo(json.dumps(compared.as_json(), indent=1, ensure_ascii=False) if as_json else f"{output} is written.")


def _accepted(workflows: Iterable[str]) -> dict[str, Baseline]:
    files = {workflow: evals_folder() / "baselines" / f"{workflow}.json" for workflow in set(workflows)}
    return {workflow: read_baseline(file) or {} for workflow, file in files.items()}


async def _rekey_all(folders: Sequence[CaseFolder]) -> list[Rekeyed]:
    async with open_for_evals() as engine:
        return [await rekey(engine, folder) for folder in folders]


def _show(ran: Ran, seconds: float) -> None:
    shown = page()
    report.show_table(shown, ran.results)
    report.show_failures(shown, ran.results)
    report.show_stale(shown, ran.results, ran.diffs)
    report.show_flips(shown, ran.flips)
    report.show_live(shown, ran)
    report.show_summary(shown, ran, seconds)
