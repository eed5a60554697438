"""What an installation limits beside what policies and contracts do."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from engine.limits.alarms import AlarmTerms
from engine.limits.breakers import Terms
from engine.limits.rates import Rate


@dataclass(frozen=True)
class LimitTerms:
    """What an installation limits beside what policies and contracts do."""

    tenant_per_minute: int = 0
    """Calls of a tenant; 0: any number."""
    systems_per_minute: Mapping[str, int] = field(default_factory=dict)
    """By outside system, of one tenant."""
    breaker: Terms = field(default_factory=Terms)
    model_breaker: Terms = field(default_factory=lambda: Terms(failures=3))
    """Of each route of a model."""
    alarms: AlarmTerms = field(default_factory=AlarmTerms)

    def rates_of(self, tenant: str, workflow: str, per_minute: int) -> tuple[Rate, ...]:
        """Those of every call of a workflow, whatever it calls; `per_minute` is the workflow's own."""
        wanted = (Rate(f"agent:{workflow}", per_minute, tenant), Rate("tenant", self.tenant_per_minute, tenant))
        return tuple(rate for rate in wanted if rate.per_minute)
