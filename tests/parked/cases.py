"""The cases that a release leaves waiting, and an engine on which they are left and taken up again."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import httpx
from pydantic import JsonValue

from engine.access.keys import Principal
from tests.conftest import ROOT, TRIALS, Site
from tests.engines import FIN, TENANT, Bench, bench_on
from tests.outside import counter_app

RELEASES = Path(__file__).parent


@dataclass(frozen=True)
class Parked:
    """A case that waits, or that has been answered and not gone on."""

    workflow: str
    input: dict[str, JsonValue]
    waits_at: str
    approved_by: tuple[Principal, ...] = ()
    answered: bool = False
    """Whether those who have approved were enough."""
    decided_by: Principal = FIN
    """Whose word is left to be said."""
    says: str = ""
    """What the requester answers."""
    registry: Path = ROOT / "langgraph.json"


DUPLICATE: dict[str, JsonValue] = {
    "account_id": "AC-1013",
    "complaint": "I made a payment and it is showing up twice",
}
VAGUE: dict[str, JsonValue] = {
    "account_id": "AC-1015",
    "complaint": "My account seems a bit off and getting weird charges.",
}
COUNT: dict[str, JsonValue] = {"case": "parked", "number": 40}

ORDER: dict[str, JsonValue] = {"cost_centre": "CC-4200", "request": "2 laptops 14 inch from Kestrel Computing"}
LARGE_ORDER = ORDER | {"request": "10 laptops 14 inch from Kestrel Computing"}
PAPER = "2 boxes of copy paper from Bramley"
WHICH: dict[str, JsonValue] = {"cost_centre": "CC-4100", "request": "we need some paper"}
MIA = Principal("key:mia", frozenset({"reviewer"}), frozenset({"manager"}), TENANT)

CASES = {
    "dispute_at_gate": Parked("billing_dispute", DUPLICATE, "approve_refund"),
    "dispute_approved": Parked("billing_dispute", DUPLICATE, "approve_refund", (FIN,), answered=True),
    "dispute_at_question": Parked("billing_dispute", VAGUE, "ask_which_charge", says="service fee october"),
    "order_at_gate": Parked("procurement", ORDER, "approve_order", decided_by=MIA),
    "order_approved": Parked("procurement", ORDER, "approve_order", (MIA,), answered=True),
    "order_half_decided": Parked("procurement", LARGE_ORDER, "approve_order", (MIA,)),
    "order_at_question": Parked("procurement", WHICH, "ask_what_exactly", says=PAPER),
    "trial_at_gate": Parked("gate", COUNT, "approve_count", registry=TRIALS),
    "trial_approved": Parked("gate", COUNT, "approve_count", (FIN,), answered=True, registry=TRIALS),
    "trial_at_question": Parked("question", {"topic": "tea"}, "ask", registry=TRIALS, says="green"),
}


@asynccontextmanager
async def bench_for(case: Parked, dsn: str, home: Path) -> AsyncIterator[Bench]:
    """An engine with the registry and the outside systems of the case."""
    site = Site(dsn, home, home / "unused", case.registry)
    async with bench_on(site) as bench:
        home.mkdir(parents=True, exist_ok=True)  # noqa: ASYNC240  # nothing else runs here
        counter: Any = httpx.ASGITransport(counter_app(home / "counter.sqlite"))
        bench.engine.carrier.systems.use("counter", httpx.AsyncClient(transport=counter, base_url="http://counter"))
        yield replace(bench, workflow=case.workflow)
