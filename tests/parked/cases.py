"""The cases that a release leaves waiting, and an engine on which they are left and taken up again."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import httpx
from pydantic import JsonValue

from tests.conftest import ROOT, TRIALS, Site
from tests.engines import Bench, bench_on
from tests.outside import counter_app

RELEASES = Path(__file__).parent


@dataclass(frozen=True)
class Parked:
    """A case that waits, or that has been answered and not gone on."""

    workflow: str
    input: dict[str, JsonValue]
    waits_at: str
    answered: bool = False
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

CASES = {
    "dispute_at_gate": Parked("billing_dispute", DUPLICATE, "approve_refund"),
    "dispute_approved": Parked("billing_dispute", DUPLICATE, "approve_refund", answered=True),
    "dispute_at_question": Parked("billing_dispute", VAGUE, "ask_which_charge"),
    "trial_at_gate": Parked("gate", COUNT, "approve_count", registry=TRIALS),
    "trial_approved": Parked("gate", COUNT, "approve_count", answered=True, registry=TRIALS),
    "trial_at_question": Parked("question", {"topic": "tea"}, "ask", registry=TRIALS),
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
