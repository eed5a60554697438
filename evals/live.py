"""Cases played with live models in place of recorded replies; their tools are worlds all the same."""

from engine.configured import routes_of
from engine.models.routing import Alias
from engine.settings import read_settings
from engine.wiring import Engine
from evals.case_files import CaseFolder
from evals.offline import offline
from evals.opening import dsn_of
from evals.run import Result, run_case
from evals.voices import Live, asked_for


def pinned(alias: str) -> Alias:
    """The first route that is configured for an alias, alone. Raises `ConfigurationError` where there is none."""
    return Alias(asked_for(alias, routes_of(read_settings())).routes[:1])


async def play_live(engine: Engine, folder: CaseFolder, route: Alias, turn: int = 1) -> Result:
    """Play and judge one case with whatever the model says; nobody else is connected to."""
    live = Live({"*": route})
    with offline(dsn_of(engine), live.places):
        return await run_case(engine, folder, turn, live)
