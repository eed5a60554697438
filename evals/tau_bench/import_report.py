"""What an import of recorded runs has shown: rewards with and without guards, and each run that differs."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from evals.tau_bench.rewards import pass_hats

Came = dict[str, Any]
"""A run as `Imported.as_json` has it."""
CUT_OFF = "the database is right, and the run was cut off before its end, for which the benchmark gives nothing"


@dataclass(frozen=True)
class ImportReport:
    """Sums over runs, and every run that is worth something else than on record."""

    runs: int
    replies: int
    replies_same: int
    key_conflicts: int
    calls: int
    calls_differing: dict[str, int]
    """By tool: calls whose reply by our tools is not the one on record."""
    pass_hat: dict[str, list[float]]
    """pass^1, pass^2 … on record, without our guards, with them."""
    disagreeing: dict[str, str]
    """Runs that are worth something else without guards than on record, with why."""
    cut_off: list[str]
    """Runs whose database is right, and which were cut off."""
    stopped: dict[str, int]
    """Changes that were made on record and not here, by what stopped them."""
    repaired: dict[str, list[str]]
    """Runs that are right with guards and were wrong, with what stopped what."""
    broken: dict[str, list[str]]
    """Runs that were right and are wrong with guards."""
    stopped_in_right_runs: dict[str, list[str]]
    """Runs that are right with and without guards, and of which a change was stopped all the same."""
    approvals: int
    approvals_by_task: dict[str, int]
    asked_by: dict[str, int]
    outcomes: dict[str, int]
    put_in_or_left_out: dict[str, int]
    early: dict[str, str]
    """Runs that our workflow ended before the model on record did, with why."""
    problems: dict[str, list[str]]
    seconds: float

    @property
    def passed(self) -> bool:
        """Whether every reply was given again, every reward is as on record, and no right run was broken."""
        given_again = self.replies == self.replies_same and not self.key_conflicts
        return given_again and not (self.disagreeing or self.broken or self.problems)

    def as_json(self) -> dict[str, Any]:
        return asdict(self) | {"passed": self.passed, "approvals_a_run": self.approvals_a_run}

    @property
    def approvals_a_run(self) -> float:
        return round(self.approvals / self.runs, 2) if self.runs else 0.0

    def page(self) -> str:
        return "\n".join(self._lines())

    def _lines(self) -> Iterator[str]:
        yield f"{self.runs} runs in {self.seconds:.0f} s"
        yield f"replies given again word by word: {self.replies_same} of {self.replies}, {self.key_conflicts} conflicts"
        differing = sum(self.calls_differing.values())
        yield f"calls with the reply on record: {self.calls - differing} of {self.calls}{_listed(self.calls_differing)}"
        for name, likely in self.pass_hat.items():
            yield f"pass^1..{len(likely)} {name}: {', '.join(f'{one:.3f}' for one in likely)}"
        yield f"runs worth something else without guards than on record: {len(self.disagreeing)}"
        yield from (f"  {run}: {why}" for run, why in self.disagreeing.items())
        yield from (f"  ({run}: {CUT_OFF})" for run in self.cut_off)
        yield f"changes on record as made that were stopped: {sum(self.stopped.values())}"
        yield from (f"  {times:4} by {what}" for what, times in self.stopped.items())
        yield f"right with guards and wrong before: {len(self.repaired)}"
        yield from (f"  {run}: {'; '.join(why)}" for run, why in self.repaired.items())
        yield f"right before and wrong with guards: {len(self.broken)}"
        yield from (f"  {run}: {'; '.join(why)}" for run, why in self.broken.items())
        yield f"right before and with guards, though a change was stopped: {len(self.stopped_in_right_runs)}"
        yield from (f"  {run}: {'; '.join(why)}" for run, why in self.stopped_in_right_runs.items())
        yield f"approvals: {self.approvals}, {self.approvals_a_run} a run"
        yield from (f"  {times:4} by {rule}" for rule, times in self.asked_by.items())
        yield f"  by task: {', '.join(f'{task} {times}' for task, times in self.approvals_by_task.items() if times)}"
        yield f"outcomes: {', '.join(f'{name} {times}' for name, times in self.outcomes.items())}"
        yield "put in, or left out, on the way:"
        yield from (f"  {times:4} {what}" for what, times in self.put_in_or_left_out.items())
        yield f"ended before the model on record did: {len(self.early)}"
        yield from (f"  {run}: {why}" for run, why in self.early.items())
        yield from (f"{run}: {'; '.join(said)}" for run, said in self.problems.items())


def import_report(came: Sequence[Came], *, seconds: float) -> ImportReport:
    """The report over runs as they came."""
    came = sorted(came, key=lambda one: (one["task"], one["trial"]))
    stopped = [change for one in came for change in one["changes"] if change["stopped"]]
    repairs = Counter[str]()
    for one in came:
        repairs.update(one["repairs"])
    return ImportReport(
        runs=len(came),
        replies=sum(one["replies"]["replies"] for one in came),
        replies_same=sum(one["replies"]["same"] for one in came),
        key_conflicts=sum(one["replies"]["conflicts"] for one in came),
        calls=sum(one["calls"] for one in came),
        calls_differing=_counted(name for one in came for name in one["differing"]),
        pass_hat=_pass_hats(came),
        disagreeing={o["name"]: _why_other(o) for o in came if o["recorded"] != o["unguarded_reward"]},
        cut_off=[o["name"] for o in came if o["unguarded"]["same_database"] and not o["unguarded"]["ended"]],
        stopped=_counted(change["became"] for change in stopped),
        repaired=_changed(came, before=0.0, after=1.0),
        broken=_changed(came, before=1.0, after=0.0),
        stopped_in_right_runs={o["name"]: _stops(o) for o in came if _is_right_twice(o) and _stops(o)},
        approvals=sum(len(one["gates"]) for one in came),
        approvals_by_task=_approvals(came),
        asked_by=_counted(rule for one in came for gate in one["gates"] for rule in gate.split(", ")),
        outcomes=_counted(one["outcome"] for one in came),
        put_in_or_left_out=dict(repairs.most_common()),
        early={one["name"]: one["early"] for one in came if one["early"]},
        problems={one["name"]: list(one["problems"]) for one in came if one["problems"]},
        seconds=round(seconds, 1),
    )


def _pass_hats(came: Sequence[Came]) -> dict[str, list[float]]:
    kinds = {"on record": "recorded", "without guards": "unguarded_reward", "with guards": "guarded_reward"}
    return {name: pass_hats({(o["task"], o["trial"]): o[kind] for o in came}) for name, kind in kinds.items()}


def _why_other(one: Came) -> str:
    worth, problems = one["unguarded"], []
    problems += [] if worth["same_database"] else ["the database is another"]
    problems += [] if worth["told"] else ["the customer was not told everything"]
    problems += [] if worth["ended"] else ["the run was cut off"]
    said = ", ".join(problems) or "all is right"
    return f"worth {one['recorded']:g} on record, {one['unguarded_reward']:g} here: {said}"


def _changed(came: Sequence[Came], *, before: float, after: float) -> dict[str, list[str]]:
    found = [one for one in came if one["unguarded_reward"] == before and one["guarded_reward"] == after]
    return {one["name"]: _differences(one) for one in found}


def _differences(one: Came) -> list[str]:
    """Each change that went otherwise than on record."""
    said = [
        f"{change['asked']}: {change['became']}"
        for change in one["changes"]
        if change["done_on_record"] != (change["became"] == "done")
    ]
    return said or ["sums that our code has worked out"]


def _is_right_twice(one: Came) -> bool:
    return bool(one["unguarded_reward"] == one["guarded_reward"] == 1.0)


def _stops(one: Came) -> list[str]:
    return [f"{change['asked']}: {change['became']}" for change in one["changes"] if change["stopped"]]


def _approvals(came: Sequence[Came]) -> dict[str, int]:
    asked = Counter({str(one["task"]): 0 for one in came})
    for one in came:
        asked[str(one["task"])] += len(one["gates"])
    return dict(asked)


def _counted(names: Iterator[str]) -> dict[str, int]:
    return dict(Counter(names).most_common())


def _listed(counts: dict[str, int]) -> str:
    return f" ({', '.join(f'{name} {times}' for name, times in counts.items())})" if counts else ""
