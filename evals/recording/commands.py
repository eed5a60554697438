"""The command line of recording, mounted as `gatehouse eval record`."""

import asyncio
import json
import re
from pathlib import Path
from typing import Annotated
from uuid import UUID

import typer

from contracts.approval import JsonObject
from contracts.errors import ConfigurationError
from engine.settings import read_settings
from engine.wiring import open_engine
from evals.recording.making import Made
from evals.recording.recorder import Recorded, Wanted, make, play_made, write
from evals.run import Result
from evals.speaking import AsJson, aside, errors_shown, evals_folder, page

_NAME = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")


def record_command(
    run: Annotated[UUID, typer.Argument(metavar="RUN", help="A run of the case; all legs of the case are recorded.")],
    name: Annotated[str, typer.Option(help="The case's name; by default the beginning of the run's id.")] = "",
    into: Annotated[Path | None, typer.Option(help="Folder of cases; by default evals/cases.")] = None,
    tenant: Annotated[str, typer.Option(help="Whose run it is.")] = "default",
    play: Annotated[bool, typer.Option("--play/--no-play", help="Play the case before it is written.")] = True,
    as_json: AsJson = False,
) -> None:
    """Make an eval case of a run that has ended: input, replies, answers of systems, what people decided, what came.

    Secrets are masked, card numbers and IBANs become others of the same form; names stay, so read the files before you
    commit them. Exit codes: 0 written, 2 it cannot be recorded, and why.
    """
    with errors_shown():
        wanted = Wanted(str(run), tenant, into or evals_folder() / "cases", _named(name))
        recorded = asyncio.run(_record(wanted, play))
    typer.echo(json.dumps(_as_json(recorded), indent=1)) if as_json else _show(recorded)


async def _record(wanted: Wanted, play: bool) -> Recorded:
    made = await _read(wanted)
    played: Result | None = await play_made(made, wanted) if play else None
    return write(made, wanted, played)


async def _read(wanted: Wanted) -> Made:
    async with open_engine(read_settings(), notify=_said, serves=False) as engine:
        return await make(engine, wanted)


def _said(sentence: str) -> None:
    aside().print(sentence, highlight=False, markup=False)


def _named(name: str) -> str:
    if name and not _NAME.fullmatch(name):
        raise ConfigurationError(f"{name!r} is no name of a case.", hint="Small letters and digits, joined by -.")
    return name


def _as_json(recorded: Recorded) -> JsonObject:
    made = recorded.made
    return {
        "case": f"{made.workflow}/{made.name}",
        "folder": str(recorded.folder),
        "replies": len(made.recordings),
        "answers_of_tools": len(made.answered),
        "answers_of_people": len(made.folder(recorded.folder).case.answers),
        "played": recorded.played.status if recorded.played else "",
    }


def _show(recorded: Recorded) -> None:
    said, shown = _as_json(recorded), page()
    seen = "played once, and it did the same" if recorded.played else "not played"
    counted = f"{said['replies']} replies of models, {said['answers_of_tools']} answers of systems"
    shown.print(f"{said['case']} is written: {recorded.folder}", highlight=False, markup=False, soft_wrap=True)
    shown.print(f"{counted}, {said['answers_of_people']} of people; {seen}", highlight=False)
    shown.print("Names and addresses are as they were: read the files before you commit them.", highlight=False)
