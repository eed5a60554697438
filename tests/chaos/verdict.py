"""What is left when all is over: lost runs, effects that happened twice, doubts that nobody is told of."""

import asyncio
import statistics
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from tests.chaos.person import Doubts
from tests.chaos.rig import Rig

CLOSED = ("completed", "rejected", "handed_off", "failed_safe", "cancelled", "expired")
_CASES = """
SELECT first.id::text, first.input ->> 'case', (first.input ->> 'effects')::int, last.outcome
FROM run first
JOIN LATERAL (SELECT outcome FROM run WHERE case_id = first.id ORDER BY seq DESC LIMIT 1) last ON true
WHERE first.id = first.case_id
"""
_EFFECTS = "SELECT args ->> 'case', (args ->> 'number')::int, state FROM effect"
_TAKEOVERS = "SELECT owner, extract(epoch FROM at)::float FROM takeover"
_OUTAGE_S = 5.0
_HAPPENED = ("done", "resolved_done")
_DID_NOT = ("refused", "resolved_not_done")


@dataclass(frozen=True)
class CaseRow:
    """A run that brought an input, and the outcome of the last run that went on with it."""

    run_id: str
    case: str
    effects: int
    outcome: str | None


@dataclass(frozen=True)
class EffectRow:
    """A row of the ledger."""

    case: str
    number: int
    state: str


@dataclass(frozen=True)
class Evidence:
    """What the tables, the outside system, the callers and the person to whom doubts go say."""

    cases: Sequence[CaseRow]
    effects: Sequence[EffectRow]
    counted: Mapping[tuple[str, int], int]
    """How often each number of each case was counted outside."""
    accepted: frozenset[str]
    """Runs that the server told a caller it accepted."""
    doubts: Doubts
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
    """Effects of which the ledger says something else than the outside system, after people had found out."""
    hidden: list[str]
    """Effects of unknown outcome that no person was shown."""
    tampered: int
    """Breaks in the audit trail."""

    @property
    def holds(self) -> bool:
        return not any(vars(self).values())


def read_evidence(rig: Rig, accepted: Iterable[str], doubts: Doubts) -> Evidence:
    """What is left on the rig."""
    with rig.connect() as conn:
        cases = [CaseRow(*row) for row in conn.execute(_CASES).fetchall()]  # type: ignore[arg-type]
        effects = [EffectRow(*row) for row in conn.execute(_EFFECTS).fetchall()]  # type: ignore[arg-type]
    findings = asyncio.run(rig.audit_findings())
    return Evidence(cases, effects, rig.outside.counted(), frozenset(accepted), doubts, findings)


def judge(evidence: Evidence) -> Verdict:
    """Compare what each side says."""
    counted, known = Counter(evidence.counted), {case.run_id for case in evidence.cases}
    completed = [case for case in evidence.cases if case.outcome == "completed"]
    wanted = [(case.case, number) for case in completed for number in range(1, case.effects + 1)]
    return Verdict(
        lost=[*evidence.accepted - known, *(case.run_id for case in evidence.cases if case.outcome not in CLOSED)],
        twice=[which for which, times in counted.items() if times > 1],
        missing=[which for which in wanted if counted[which] == 0],
        false=[
            (effect.case, effect.number)
            for effect in evidence.effects
            if effect.state not in (_HAPPENED if counted[effect.case, effect.number] else _DID_NOT)
        ],
        hidden=evidence.doubts.hidden,
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
