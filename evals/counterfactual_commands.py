"""The command line of counterfactuals, mounted as `gatehouse eval counterfactual`."""

import asyncio
import json
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from contracts.errors import ConfigurationError
from engine.settings import read_settings
from evals.case_files import CaseFolder, read_cases
from evals.counterfactual import Change, Counterfactual, imagine
from evals.gate import FAILED, PASSED, STALE
from evals.observation import Observation
from evals.offline import offline
from evals.opening import dsn_of, open_for_evals
from evals.report import effects_in_words
from evals.speaking import AsJson, aside, errors_shown, evals_folder, page
from evals.voices import live_models

_SHOWN = 200
"""Letters of a miss that stand on a page; --json has all."""
_LONGEST = 255
"""Letters of a file's name."""


def counterfactual_command(
    case: Annotated[str, typer.Argument(metavar="CASE", help="A case, as WORKFLOW/NAME.")],
    stage: Annotated[str, typer.Option(help="The stage whose model is to say something else.")],
    nth: Annotated[int, typer.Option(min=1, help="Which time that it is asked.")] = 1,
    reply: Annotated[str | None, typer.Option(help="The other reply, or a file with it.")] = None,
    prompt: Annotated[Path | None, typer.Option(help="A file with other words for its prompt.")] = None,
    live: Annotated[list[str] | None, typer.Option(help="Ask this alias where nothing is recorded.")] = None,
    as_json: AsJson = False,
) -> None:
    """Play a case with one reply or prompt replaced, beside the case as it was.

    Exit codes: 0 the same came of it, 1 something else, 2 usage, 4 from some call on nothing is recorded.
    """
    with errors_shown():
        change = _change(stage, nth, reply, prompt)
        found, tried = asyncio.run(_imagine(_case(case), change, live or []))
    if as_json:
        typer.echo(json.dumps(found.as_json() | {"connections": [*tried]}, indent=1, ensure_ascii=False))
    else:
        _show(page(), found)
    for where in dict.fromkeys(tried):
        aside().print(f"something asked for {where}, and did not get it", style="red", markup=False)
    if tried or found.after.breaches:
        raise typer.Exit(FAILED)
    raise typer.Exit(STALE if found.unrecorded else FAILED if found.parts else PASSED)


async def _imagine(folder: CaseFolder, change: Change, aliases: list[str]) -> tuple[Counterfactual, list[str]]:
    async with open_for_evals() as engine:
        live = live_models(read_settings(), aliases, [engine.catalog[folder.workflow]])
        with offline(dsn_of(engine), live.places) as watch:
            return await imagine(engine, folder, change, live), watch.tried


def _case(named: str) -> CaseFolder:
    workflow, _, name = named.partition("/")
    if not name:
        raise ConfigurationError(f"{named!r} names no case.", hint="As WORKFLOW/NAME: billing_dispute/fraud.")
    return read_cases(evals_folder() / "cases", workflow, [name])[0]


def _change(stage: str, nth: int, reply: str | None, prompt: Path | None) -> Change:
    if (reply is None) == (prompt is None):
        raise ConfigurationError("Replace either a reply or a prompt.", hint="--reply TEXT, or --prompt FILE.")
    if reply is not None:
        file = Path(reply)
        return Change(stage, nth, reply=_text(file) if len(reply) <= _LONGEST and file.is_file() else reply)
    text = _text(prompt or Path())
    parts = text.split("---\n", 2)  # as the prompts of workflows begin; model and limits stay those of the workflow
    return Change(stage, nth, system=(parts[2] if text.startswith("---\n") and len(parts) > 2 else text).strip())


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{file.name} cannot be read: {type(error).__name__}.") from error


def _show(shown: Console, found: Counterfactual) -> None:
    def say(text: str) -> None:
        shown.print(text, markup=False, highlight=False, soft_wrap=True)

    what = "another prompt" if found.change.system else "another reply"
    say(f"{found.case} with {what} at {found.change.stage}, call {found.change.nth}")
    say(f"  as it was  {' > '.join((*found.before.path, found.before.outcome))}")
    say(f"  otherwise  {' > '.join((*found.path, found.outcome))}")
    say(f"  parts      {found.parts or 'nowhere: nothing came of it'}")
    for name in ("gates", "effects"):
        one, other = (_said(seen, name) for seen in (found.before, found.after))
        say(f"  {name:<9}  {one}" if one == other else f"  {name:<9}  {one}  ->  {other}")
    for event in found.after.off_script:
        say(f"  people     {event}")
    for breach in found.after.breaches:
        say(f"  BREACH     {breach}")
    if found.unrecorded:
        first = found.unrecorded[0]
        say(f"From {first.prompt} on nothing is recorded: nobody knows what would have come. --live asks a model.")
        say(f"  {' '.join(first.detail.split())[:_SHOWN]}")


def _said(seen: Observation, name: str) -> str:
    return ", ".join(seen.gates) or "nobody was asked" if name == "gates" else effects_in_words(seen)
