"""What one call of a model takes of the limits: reserved at its most before it is made, replaced by what it took."""

import time
import uuid
from dataclasses import dataclass, field, replace

from langchain_core.messages import AIMessage
from langgraph.config import get_config

from contracts.approval import JsonObject
from contracts.errors import ModelError
from contracts.policy import Budget
from engine.catalog.prompt import Prompt
from engine.limits.admission import settle
from engine.limits.breakers import FAILURES, Terms, heard
from engine.limits.model import Ask, Share, Standing
from engine.limits.shares import COST, shares_of
from engine.measures.spent import Spent
from engine.models.failures import finish_of
from engine.models.reading import LETTERS_PER_TOKEN
from engine.models.route import Route
from engine.runs.model import Run
from engine.store.database import Connection

_TIMEOUT_S = 60.0


@dataclass(frozen=True)
class Place:
    """The stage that asks, and the step of the run at which it does."""

    stage: str
    step: str

    @classmethod
    def here(cls) -> "Place":
        """Raises RuntimeError outside a graph."""
        config = get_config()
        parents = str(config["configurable"].get("checkpoint_ns", "")).split("|")[:-1]
        step = f"{'|'.join(parents)}:{config['metadata']['langgraph_step']}"
        return cls(str(config["metadata"]["langgraph_node"]), step)


@dataclass(frozen=True)
class Wanted:
    """What is asked of which model; `size` is that of the messages in letters."""

    prompt: Prompt
    route: Route | None
    size: int


@dataclass(frozen=True)
class Spending:
    """One call with what it holds, and what it came to once that is known."""

    ask: Ask
    route: Route | None
    began_at: float = field(default_factory=time.monotonic)
    shaky: bool = False
    """Whether the model has failed lately."""
    read: int = 0
    written: int = 0
    failed_by: str = ""
    given_up: bool = False
    """Whether it is not tried again."""
    finish: str = ""
    """Why the model stopped, as it says."""
    took_ms: int = 0

    @classmethod
    def of(cls, run: Run, budget: Budget, wanted: Wanted, place: Place) -> "Spending":
        read, written, route = wanted.size // LETTERS_PER_TOKEN, wanted.prompt.max_tokens, wanted.route
        takes = {"model_calls": 1, "tokens": read + written, "ms": round((route.timeout_s if route else 0) * 1000)}
        if route and route.price:
            takes[f"{COST}{route.price.currency}"] = route.price.cost(read=read, written=written)
        shares = shares_of(budget, run.workflow, "", run.case_id, takes)
        ask = replace(_ask(run, wanted, place), iterations=budget.iterations, timezone=budget.timezone, shares=shares)
        return cls(ask, route)

    @classmethod
    def beside(cls, run: Run, wanted: Wanted, place: Place, share: Share) -> "Spending":
        """A call that takes nothing of the case's budget, but this share of another."""
        return cls(replace(_ask(run, wanted, place), shares=(share,)), wanted.route)

    def standing(self, found: Standing) -> "Spending":
        """With what the limits said of its model."""
        return replace(self, shaky=found.broken is not None)

    def ended(self, reply: AIMessage) -> "Spending":
        """With what the model says that it read and wrote; one that says nothing has taken all that was reserved."""
        usage, ended = reply.usage_metadata, replace(self, finish=finish_of(reply), took_ms=self._so_far_ms())
        if usage is None:
            return ended
        return replace(ended, read=usage["input_tokens"], written=usage["output_tokens"])

    def failed(self, error: ModelError, *, last: bool) -> "Spending":
        return replace(self, failed_by=error.code, given_up=last, took_ms=self._so_far_ms())

    def said(self) -> JsonObject:
        """What the record keeps of a call of a route; of a recording there is nothing to tell."""
        if self.route is None:
            return {}
        price = self.route.price
        cost: JsonObject = {}
        if price:
            cost = {
                "currency": price.currency,
                "cost": price.cost(read=self.read, written=self.written),
                "unit_prices": {"read": price.read, "written": price.written},
            }
        return {
            "route": self.route.label,
            "region": self.route.region,
            "latency_ms": self.took_ms,
            "tokens_read": self.read,
            "tokens_written": self.written,
            "finish_reason": self.finish,
            "error_code": self.failed_by,
            **cost,
        }

    def spent(self) -> Spent | None:
        """What is measured of it; nothing for a recording."""
        if self.route is None:
            return None
        ask, price = self.ask, self.route.price
        cost = price.cost(read=self.read, written=self.written) if price else 0
        priced = price.currency if price else ""
        where = (ask.tenant, ask.case_id, ask.stage, self.route.label)
        return Spent(*where, bool(self.failed_by), self.read, self.written, self.took_ms, priced, cost)

    def _so_far_ms(self) -> int:
        return round((time.monotonic() - self.began_at) * 1000)

    async def settle(self, conn: Connection, terms: Terms) -> None:
        """Comes last in the transaction that records the call."""
        if self.ask.shares:
            await settle(conn, self.ask.call_key, self._actual())
        broken = self.given_up and self.failed_by in FAILURES
        if broken or (self.shaky and not self.failed_by):
            await heard(conn, self.ask.breaker, tenant=self.ask.tenant, failed=broken, terms=terms)

    def _actual(self) -> dict[str, int]:
        actual = {"ms": self._so_far_ms()}
        if self.read or self.written or self.failed_by:
            actual["tokens"] = self.read + self.written
            if self.route and self.route.price:
                cost = self.route.price.cost(read=self.read, written=self.written)
                actual[f"{COST}{self.route.price.currency}"] = cost
        return actual


def _ask(run: Run, wanted: Wanted, place: Place) -> Ask:
    return Ask(
        call_key=f"model:{uuid.uuid4()}",
        kind="model",
        name=wanted.prompt.alias,
        tenant=run.tenant,
        workflow=run.workflow,
        run_id=run.id,
        case_id=run.case_id,
        route=wanted.route.label if wanted.route else "",
        stage=place.stage,
        step=place.step,
    )
