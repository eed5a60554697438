"""What a run is worth by the benchmark's own rule, recomputed over our world with nothing of ours in between."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from pydantic import ValidationError

from evals.significance import pass_hat
from evals.tau_bench.airline import AirlineTask, Hands
from evals.tau_bench.airline_forms import is_as_recorded
from evals.tau_bench.recorded_runs import RecordedRun, Step
from evals.worlds.airline_data import airline_records
from evals.worlds.connected import systems_of
from evals.worlds.sandbox import open_worlds
from evals.worlds.whole_records import RecordData, digest_of


@dataclass(frozen=True)
class Worth:
    """A run as it is judged: by the whole database at its end, and by what the customer had to be told."""

    same_database: bool
    told: bool
    ended: bool
    """The benchmark gives nothing for a run that was cut off."""

    @property
    def reward(self) -> float:
        return float(self.same_database and self.told and self.ended)


@dataclass(frozen=True)
class Unguarded:
    """A run made again by our tools alone, with no policy, graph or people in between."""

    worth: Worth
    differing: tuple[str, ...]
    """Calls whose reply is not the one on record."""
    calls: int


async def without_guards(airline: RecordData, task: AirlineTask, run: RecordedRun) -> Unguarded:
    """Make every recorded call in a world of its own, and hold replies and database against what is on record."""
    worlds = open_worlds(airline=airline)
    systems = systems_of(worlds)
    hands, differing = Hands(systems), []
    calls = [step for step in run.steps if step.use]
    try:
        for step in calls:
            if not await _is_same(hands, step):
                differing.append(step.use)
        digest = digest_of(airline_records(worlds.store))
    finally:
        await systems.close()
        worlds.close()
    return Unguarded(worth_of(task, digest, run.spoken, ended=run.ended), tuple(differing), len(calls))


async def _is_same(hands: Hands, step: Step) -> bool:
    try:
        said = await hands.do(step.use, step.args)
    except ValidationError as error:  # our tools take no such request: the system is not asked
        said = str(error)
    return step.observed is None or is_as_recorded(said, step.observed)


def worth_of(task: AirlineTask, digest: str, spoken: Iterable[str], *, ended: bool) -> Worth:
    """As the benchmark does it: thousands separators are left out of what was said, and nothing else."""
    words = [text.lower().replace(",", "") for text in spoken]
    told = all(any(wanted.lower() in text for text in words) for wanted in task.outputs)
    return Worth(digest == task.final_digest, told, ended)


def pass_hats(rewards: Mapping[tuple[int, int], float]) -> list[float]:
    """pass^1, pass^2 … over tasks and their trials."""
    turns: dict[str, list[bool]] = defaultdict(list)
    for (task, _), reward in sorted(rewards.items()):
        turns[str(task)].append(reward == 1.0)
    most = max(map(len, turns.values()), default=0)
    found = [pass_hat(turns, k) for k in range(1, most + 1)]
    return [round(likely, 3) for likely in found if likely is not None]
