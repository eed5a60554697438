"""Counts, reserves, settles and records the model calls of one run."""

from dataclasses import dataclass, field, replace

from contracts.approval import JsonObject
from contracts.context import ModelSource
from contracts.errors import BudgetExceeded
from contracts.event import Event
from engine.audit import audit
from engine.catalog.prompt import Prompt
from engine.catalog.workflow import Workflow
from engine.limits.admission import admit
from engine.limits.turns import in_turn
from engine.measures.spent import note_spent
from engine.models.deadline import Deadline
from engine.models.sources import ModelSources
from engine.models.spending import Place, Spending, Wanted
from engine.runs.model import Run
from engine.runs.runs import count_model_call
from engine.store.database import Database
from engine.store.journal import Journal

_REPLY_KEPT = 8_000


@dataclass(frozen=True)
class Attempt:
    """One attempt as the record tells of it."""

    prompt: Prompt
    model: str
    source: ModelSource
    reply: str = ""
    problem: str = ""
    call: Spending | None = None
    more: JsonObject = field(default_factory=dict)

    def data(self) -> JsonObject:
        said: JsonObject = {
            "prompt": self.prompt.name,
            "prompt_sha256": self.prompt.sha256,
            "alias": self.prompt.alias,
            "model": self.model,
            "source": self.source,
            "reply": self.reply[:_REPLY_KEPT],
            "problem": self.problem,
        }
        return said | (self.call.said() if self.call else {}) | self.more


@dataclass(frozen=True)
class Accounts:
    """What every model call of a run is counted and recorded by."""

    database: Database
    journal: Journal
    sources: ModelSources
    workflow: Workflow
    run: Run

    async def begin(self, wanted: Wanted, deadline: Deadline) -> Spending:
        """Count and reserve a call before it is made.

        Raises `BudgetExceeded`, `RateLimited`, `CircuitOpen`, `SwitchedOff`, `LoopDetected`.
        """
        budget, place = self.workflow.policy.budget, Place.here()
        rates = self.sources.limits.rates_of(self.run.tenant, self.run.workflow, budget.per_minute)

        async def begin() -> Spending:
            call = Spending.of(self.run, budget, wanted, place)
            async with self.journal.transaction() as conn:
                if await count_model_call(conn, self.run) > budget.model_calls:
                    raise BudgetExceeded(f"The case has made {budget.model_calls} model calls, its budget.")
                standing = await admit(conn, replace(call.ask, rates=rates), self.sources.controls)
            return call.standing(standing)

        return await in_turn(begin, ends_at=deadline.ends_at)

    async def release(self, call: Spending) -> None:
        """A call that nobody was there to take."""
        if call.ask.shares:
            async with self.database.transaction() as conn:
                await call.settle(conn, self.sources.limits.model_breaker)

    async def record(self, attempt: Attempt) -> None:
        """Keep what was tried in the case's trail, and settle what the call held."""
        async with self.database.transaction() as conn:
            await audit.append(conn, self.run.subject(), Event.MODEL_CALLED, attempt.data())
            if attempt.call and (spent := attempt.call.spent()):
                await note_spent(conn, spent)
            if attempt.call:
                await attempt.call.settle(conn, self.sources.limits.model_breaker)
