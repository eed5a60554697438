"""What is left when all is over: lost runs, effects that happened twice, doubts that nobody is told of."""

import asyncio
import statistics
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from tests.chaos.rig import Rig

CLOSED = ("completed", "rejected", "handed_off", "failed_safe", "cancelled", "expired")
_RUNS = "SELECT id::text, thread_id::text, input ->> 'case', (input ->> 'effects')::int, status, outcome FROM run"
_EFFECTS = "SELECT run_id::text, args ->> 'case', (args ->> 'number')::int, state FROM effect"
_TAKEOVERS = "SELECT owner, extract(epoch FROM at)::float FROM takeover"
_OUTAGE_S = 5.0
_UNKNOWN = "tool_outcome_unknown"
_HAPPENED = ("done", "unknown", "resolved_done")
_DID_NOT = ("refused", "unknown", "resolved_not_done")


@dataclass(frozen=True)
class RunRow:
    """A run as it is stored."""

    id: str
    thread: str
    case: str
    effects: int
    status: str
    outcome: str | None


@dataclass(frozen=True)
class EffectRow:
    """A row of the ledger."""

    run_id: str
    case: str
    number: int
    state: str


@dataclass(frozen=True)
class Evidence:
    """What the tables, the outside system and the callers say."""

    runs: Sequence[RunRow]
    effects: Sequence[EffectRow]
    counted: Mapping[tuple[str, int], int]
    """How often each number of each case was counted outside."""
    accepted: frozenset[str]
    """Runs that the server told a caller it accepted."""
    told: frozenset[str]
    """Runs whose result tells a person that an outcome is unknown."""
    audit_findings: int = 0


@dataclass(frozen=True)
class Verdict:
    """Cases by what is wrong with them; all empty when everything held."""

    lost: list[str]
    """Runs that were accepted and are not stored, or have not ended in a closed outcome."""
    twice: list[tuple[str, int]]
    """Effects that happened more than once."""
    missing: list[tuple[str, int]]
    """Effects of completed cases that did not happen."""
    false: list[tuple[str, int]]
    """Effects of which the ledger says something else than the outside system."""
    hidden: list[str]
    """Runs with an effect of unknown outcome whose result says nothing of it."""
    tampered: int
    """Breaks in the audit trail."""

    @property
    def holds(self) -> bool:
        return not any(vars(self).values())


def read_evidence(rig: Rig, accepted: Iterable[str]) -> Evidence:
    """What is left on the rig. A run that ended `failed_safe` is a person's in itself."""
    with rig.connect() as conn:
        runs = [RunRow(*row) for row in conn.execute(_RUNS).fetchall()]  # type: ignore[arg-type]
        effects = [EffectRow(*row) for row in conn.execute(_EFFECTS).fetchall()]  # type: ignore[arg-type]
    unknown = {effect.run_id for effect in effects if effect.state == "unknown"}
    told = frozenset(run.id for run in runs if run.id in unknown and _UNKNOWN in rig.result_of(run.thread))
    return Evidence(runs, effects, rig.outside.counted(), frozenset(accepted), told, asyncio.run(rig.audit_findings()))


def judge(evidence: Evidence) -> Verdict:
    """Compare what each side says."""
    runs = {run.id: run for run in evidence.runs}
    counted = Counter(evidence.counted)
    unknown = {effect.run_id for effect in evidence.effects if effect.state == "unknown"}
    wanted = [(run.case, n) for run in evidence.runs if run.outcome == "completed" for n in range(1, run.effects + 1)]
    return Verdict(
        lost=[*evidence.accepted - set(runs), *(run.id for run in evidence.runs if run.outcome not in CLOSED)],
        twice=[which for which, times in counted.items() if times > 1],
        missing=[which for which in wanted if counted[which] == 0],
        false=[
            (effect.case, effect.number)
            for effect in evidence.effects
            if effect.state not in (_HAPPENED if counted[effect.case, effect.number] else _DID_NOT)
        ],
        hidden=[id_ for id_ in unknown - evidence.told if runs[id_].outcome != "failed_safe"],
        tampered=evidence.audit_findings,
    )


@dataclass(frozen=True)
class Takeover:
    """Seconds from the moment a worker was killed or stopped until another had claimed a run that it held."""

    seconds: float
    outage: bool
    """Whether Postgres was killed meanwhile or shortly before: then nobody could take anything over."""


def takeovers(rig: Rig, silenced: Mapping[str, list[float]], outages: Sequence[float]) -> list[Takeover]:
    """Every takeover from a worker that is known to have been killed or stopped."""
    with rig.connect() as conn:
        rows = [(str(owner), float(str(at))) for owner, at in conn.execute(_TAKEOVERS).fetchall()]
    found = []
    for owner, at in rows:
        if before := [moment for moment in silenced.get(owner, ()) if moment < at]:
            outage = any(max(before) - _OUTAGE_S < moment < at for moment in outages)
            found.append(Takeover(at - max(before), outage))
    return found


def quantile(values: Sequence[float], share: float) -> float:
    """0 where there are no values."""
    if len(values) < 2:
        return values[0] if values else 0.0
    return statistics.quantiles(values, n=100, method="inclusive")[round(share * 100) - 1]
