"""Records a run as an eval case: read where it ran, played once to see that it is the same, then written."""

import shutil
from dataclasses import dataclass
from pathlib import Path

from contracts.errors import CaseNotRecordable, ConfigurationError
from engine.wiring import Engine
from evals.offline import offline
from evals.opening import dsn_of, open_for_evals
from evals.recording.ended_case import read_ended_case
from evals.recording.making import Made, make_case
from evals.run import Result, run_case


@dataclass(frozen=True)
class Wanted:
    """Which run, and where its case goes: `<cases>/<workflow>/<name>`."""

    run_id: str
    tenant: str
    cases: Path
    name: str = ""
    """Empty: the beginning of the run's id."""


@dataclass(frozen=True)
class Recorded:
    """A case that was written."""

    folder: Path
    made: Made
    played: Result | None
    """What it did when it was played; None where nobody asked for that."""


async def make(engine: Engine, wanted: Wanted) -> Made:
    """The case, on the engine of the installation in which the run was. Raises as `read_ended_case` and `make_case`."""
    case = await read_ended_case(engine, wanted.run_id, tenant=wanted.tenant)
    made = make_case(case, wanted.name or f"run-{case.run.id[:8]}")
    require_free(folder_of(made, wanted))
    return made


async def play_made(made: Made, wanted: Wanted) -> Result:
    """What the case does, off the network and on an engine of evals."""
    async with open_for_evals() as engine:
        with offline(dsn_of(engine)):
            return await run_case(engine, made.folder(folder_of(made, wanted).parent))


def write(made: Made, wanted: Wanted, played: Result | None) -> Recorded:
    """Raises `CaseNotRecordable` where the case did something else when it was played than in production."""
    if played and played.status != "passed":
        said = [str(failure) for failure in played.failures] or [miss.detail for miss in played.missed]
        raise CaseNotRecordable(
            "\n".join([f"Played again, the run {wanted.run_id} does not do what it did:", *said]),
            hint="Something decided it that is not recorded, or that masking took out. Nothing was written.",
        )
    folder = folder_of(made, wanted)
    require_free(folder)
    try:
        made.write(folder)
    except OSError as error:
        shutil.rmtree(folder, ignore_errors=True)
        raise ConfigurationError(f"{folder.name} cannot be written: {error.strerror}.") from error
    return Recorded(folder, made, played)


def folder_of(made: Made, wanted: Wanted) -> Path:
    return wanted.cases / made.workflow / made.name


def require_free(folder: Path) -> None:
    """Raises `ConfigurationError` for a folder that is there: nothing is written over."""
    if folder.exists():
        raise ConfigurationError(
            f"There is a case {folder.parent.name}/{folder.name} already, and nothing is written over it.",
            hint="Give this one another name: --name NAME.",
        )
