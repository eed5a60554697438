"""What a call asks of the limits, as the gateways of tools and of models hand it over."""

from dataclasses import dataclass, field
from typing import Any, Literal

from engine.limits.rates import Rate

Kind = Literal["tool", "model"]


@dataclass(frozen=True)
class Share:
    """What a call takes of one limit: `n` of `limit` in a scope and period, reserved before the call is made."""

    scope: str
    """`workflow:<name>`, `workflow:<name>/<tool>` or `tool:<name>`."""
    period: str
    """`day`, `case:<id>` or, for what is under way, `now`."""
    unit: str
    """`tool_calls`, `model_calls`, `tokens`, `ms`, `money:<currency>`, `cost:<currency>` or `under_way`."""
    n: int
    limit: int


@dataclass(frozen=True)
class Ask:
    """One call that is about to be made."""

    call_key: str
    kind: Kind
    name: str
    """Of the tool, or the alias of the model."""
    tenant: str
    workflow: str
    run_id: str
    case_id: str
    stage: str
    step: str = ""
    """Where in the run: a model stage that is executed again is at another step."""
    iterations: int = 0
    """How often a run may come back to this model stage; 0: any number."""
    route: str = ""
    """Which of a model's routes it takes."""
    timezone: str = "UTC"
    shares: tuple[Share, ...] = ()
    rates: tuple[Rate, ...] = ()

    @property
    def breaker(self) -> str:
        return f"{self.kind}:{self.name}/{self.route}" if self.route else f"{self.kind}:{self.name}"

    def switches(self) -> list[tuple[str, str]]:
        """Every switch that may stop it, as scope and name."""
        found = [("tenant", self.tenant), ("workflow", self.workflow), ("run", self.run_id), ("run", self.case_id)]
        return [*found, ("tool", self.name)] if self.kind == "tool" else found

    def row(self) -> dict[str, Any]:
        """As the statement takes it."""
        switches = self.switches()
        return {
            "call_key": self.call_key,
            "kind": self.kind,
            "name": self.name,
            "workflow": self.workflow,
            "tenant": self.tenant,
            "run_id": self.run_id,
            "stage": self.stage,
            "step": self.step,
            "timezone": self.timezone,
            "breaker": self.breaker,
            "scopes": [share.scope for share in self.shares],
            "periods": [share.period for share in self.shares],
            "units": [share.unit for share in self.shares],
            "numbers": [share.n for share in self.shares],
            "rate_tenants": [rate.tenant for rate in self.rates],
            "rates": [rate.name for rate in self.rates],
            "every_s": [rate.every_s for rate in self.rates],
            "switch_scopes": [scope for scope, _ in switches],
            "switch_names": [name for _, name in switches],
        }


@dataclass(frozen=True)
class Standing:
    """How the limits of a call stand, with the call included."""

    off: dict[str, Any] | None = None
    broken: dict[str, Any] | None = None
    paced: dict[str, float] = field(default_factory=dict)
    """By rate: how many seconds of it are taken."""
    used: tuple[dict[str, Any], ...] = ()
    iterations: int = 0
    """Earlier steps of the run at which the same stage has asked a model."""
    novel: bool = False
    """Whether the stage has never called this tool, in a workflow that has worked for a day."""
