"""Cases played with live models in place of recorded replies; their tools are worlds all the same."""

import time
from collections.abc import Iterator, Mapping

from contracts.errors import ConfigurationError
from engine.configured import routes_of
from engine.models.recording import Recording, Recordings
from engine.models.routing import Alias
from engine.settings import read_settings
from engine.wiring import Engine
from evals.case_files import CaseFolder
from evals.observation import Observation
from evals.playing import play
from evals.replies import Miss
from evals.run import Result
from evals.scorers import Failure, failures


class LiveReplies(Recordings):
    """Nothing is recorded: whatever alias a prompt names, one route answers, and no other hides that it does not."""

    def __init__(self, pinned: Alias) -> None:
        super().__init__()
        self.routes: Mapping[str, Alias] = {"*": pinned}
        self.missed: list[Miss] = []

    def unused(self) -> list[Recording]:
        """There are none."""
        return []


def pinned(alias: str) -> Alias:
    """The first route that is configured for an alias, alone. Raises `ConfigurationError` where there is none."""
    configured = routes_of(read_settings())
    found = configured.get(alias) or configured.get("*")
    if found is None:
        raise ConfigurationError(
            f"No model is configured for the alias {alias!r}, so there is nobody to ask.",
            hint="Configure a route in GATEHOUSE_MODELS, or GATEHOUSE_MODEL for all aliases.",
        )
    return Alias(found.routes[:1])


async def play_live(engine: Engine, folder: CaseFolder, route: Alias, turn: int = 1) -> Result:
    """Play and judge one case with whatever the model says."""
    began = time.perf_counter()
    seen = await play(engine, folder, LiveReplies(route))
    return Result(
        workflow=folder.workflow,
        case=folder.name,
        title=folder.case.title,
        observation=seen,
        failures=tuple(_judge(folder, seen)),
        missed=seen.missed,
        ms=(time.perf_counter() - began) * 1000,
        turn=turn,
    )


def _judge(folder: CaseFolder, seen: Observation) -> Iterator[Failure]:
    """What a case expects, but for the name of the model whose replies were recorded: this is another one."""
    recorded = {recording.model for recording in folder.recordings}
    for failure in failures(folder.case.expect, seen):
        if not (failure.what.startswith("state.") and failure.expected in recorded):
            yield failure
