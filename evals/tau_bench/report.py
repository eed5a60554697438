"""What a replay of many tasks comes to."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class Report:
    """Sums over tasks; lists of what was denied or went wrong, by task."""

    tasks: int
    same_observations: int
    """Tasks in which every gold action gave what is on record."""
    same_database: int
    governed: int | None
    """Tasks whose database is as on record where our workflow decides; None where it decided everywhere."""
    against: dict[int, list[str]]
    """Tasks whose gold actions break the rules that they are to follow, with how."""
    actions: int
    denied: dict[int, list[str]]
    """Gold actions on record as done that policy denied, with its reasons."""
    refused: dict[int, list[str]]
    """Gold actions on record as errors, with the reasons for which policy denied them."""
    approvals: int
    asked_by: dict[str, int]
    """Rules that asked a person, and how often."""
    problems: dict[int, list[str]]
    seconds: float
    ms_median: int

    @property
    def passed(self) -> bool:
        as_on_record = self.tasks == self.same_observations == self.same_database
        governed = self.governed is None or self.governed + len(self.against) == self.tasks
        return as_on_record and governed and not self.denied

    @property
    def approvals_per_task(self) -> float:
        return round(self.approvals / self.tasks, 3) if self.tasks else 0.0

    def as_json(self) -> dict[str, Any]:
        return asdict(self) | {"passed": self.passed, "approvals_per_task": self.approvals_per_task}

    def page(self) -> str:
        lines = [
            f"{self.tasks} tasks with {self.actions} gold actions in {self.seconds:.0f} s, {self.ms_median} ms each",
            f"observations as on record: {self.same_observations} of {self.tasks} tasks",
            f"final database as on record: {self.same_database} of {self.tasks} tasks",
            *self._governed(),
            f"gold actions on record as done that policy denied: {sum(map(len, self.denied.values()))}",
            f"gold actions on record as errors that policy denied: {sum(map(len, self.refused.values()))}",
            f"approvals: {self.approvals}, {self.approvals_per_task} a task",
            *(f"  {times:4} by {rule}" for rule, times in self.asked_by.items()),
            *(f"task {task}: denied: {'; '.join(said)}" for task, said in self.denied.items()),
            *(f"task {task}: {'; '.join(said)}" for task, said in self.problems.items()),
        ]
        return "\n".join(lines)

    def _governed(self) -> list[str]:
        if self.governed is None:
            return []
        return [
            f"final database as on record through the workflow: {self.governed} of {self.tasks} tasks",
            *(f"  task {task}: {'; '.join(said)}" for task, said in self.against.items()),
        ]


def report_of(results: Sequence[dict[str, Any]], *, seconds: float) -> Report:
    """The report over results as `Replayed.as_json` gives them."""
    rules = Counter(rule for one in results for rule in one["rules"])
    times = sorted(one["ms"] for one in results)
    return Report(
        tasks=len(results),
        same_observations=sum(one["observations"] == one["actions"] for one in results),
        same_database=sum(one["same_database"] for one in results),
        governed=_governed(results),
        against=_listed(results, "against"),
        actions=sum(one["actions"] for one in results),
        denied=_listed(results, "denied"),
        refused=_listed(results, "refused"),
        approvals=sum(one["approvals"] for one in results),
        asked_by=dict(rules.most_common()),
        problems=_listed(results, "problems"),
        seconds=round(seconds, 1),
        ms_median=times[len(times) // 2] if times else 0,
    )


def _governed(results: Sequence[dict[str, Any]]) -> int | None:
    decided = [one["governed"] for one in results if one["governed"] is not None]
    return sum(decided) if decided else None


def _listed(results: Sequence[dict[str, Any]], name: str) -> dict[int, list[str]]:
    return {one["task"]: list(one[name]) for one in results if one[name]}
