"""What the gateway adds to one call, beside the bare call of the same tool: `python -m benchmarks.gateway`."""

import argparse
import asyncio
import json
import shutil
import statistics
import tempfile
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import httpx
from langgraph.runtime import Runtime

from benchmarks.costs import Cluster, cluster_in
from benchmarks.measuring import Row
from benchmarks.report import machine, show
from contracts.context import Context
from contracts.tool import Call
from engine.catalog.workflow import Workflow
from engine.gateway.capability import OnBehalf, mint_of
from engine.gateway.systems import Systems
from engine.gateway.transport import HttpTransport
from engine.store.scope import of_tenant
from tests.conftest import Site
from tests.engines import TENANT, Bench, Pay, bench_on, in_line, refund_draft, stage
from tests.limits import budget
from tools import billing

_ACCOUNT = "AC-1001"
_CHARGES = {"account_id": _ACCOUNT, "account_holder": "A", "account_email": "a@example.com", "charges": []}
_RECEIPT = {"refund_id": "R-1", "charge_id": "CH-1001-02", "paid_on": "2026-11-02", "currency": "EUR"}
_EACH = ("bare", "read", "freeze", "write")
_COUNTED = 40
"""So many more calls, when transactions are counted as the difference of two runs."""

Seconds = defaultdict[str, list[float]]
Counted = Callable[[int, tuple[str, ...]], Workflow]


async def measure(cluster: Cluster, *, calls: int) -> dict[str, list[Row]]:
    """Medians over `calls` calls of each kind, made by turns in one stage of one run; the system answers at once."""
    site = Site(cluster.database("gateway"), cluster.home / "bench", cluster.home / "unused")
    with of_tenant(TENANT):
        return await _measured(cluster, site, calls=calls)


async def _measured(cluster: Cluster, site: Site, *, calls: int) -> dict[str, list[Row]]:
    dsn, seconds = site.dsn, Seconds(list)
    async with bench_on(site) as bench:
        systems = bench.engine.carrier.systems
        systems.use("billing", _at_once())
        await bench.offering(_calling(systems, seconds, calls, _EACH)).played({"account_id": _ACCOUNT})
        costs = {what: await _traffic(cluster, dsn, bench, what) for what in _EACH[1:]}
        parts = await _parts(bench, cluster.home, calls)
    bare = _us(seconds["bare"])
    rows: list[Row] = []
    for what in _EACH:
        took = _us(seconds[what])
        rows.append({"call": what, "median_us": took, "times_the_bare": round(took / bare, 1), **costs.get(what, {})})
    return {"one call": rows, "parts without Postgres": parts}


def _us(seconds: list[float]) -> float:
    return round(statistics.median(seconds) * 1e6, 1)


def _at_once() -> httpx.AsyncClient:
    def answer(request: httpx.Request) -> httpx.Response:
        if request.method == "GET":
            return httpx.Response(200, json=_CHARGES)
        asked = json.loads(request.content)
        return httpx.Response(200, json=_RECEIPT | {name: asked[name] for name in ("account_id", "amount_cents")})

    return httpx.AsyncClient(transport=httpx.MockTransport(answer), base_url="http://billing")


def _calling(systems: Systems, seconds: Seconds, times: int, kinds: tuple[str, ...]) -> Workflow:
    """One stage that makes these kinds of calls in turn; a write is frozen first, and policy allows it."""

    async def act(state: Pay, runtime: Runtime[Context]) -> dict[str, Any]:
        tools, gates = runtime.context.tools, runtime.context.gates
        transport = HttpTransport(systems, billing.list_charges, "bench", writes=False)

        async def timed(what: str, call: Awaitable[Any]) -> Any:
            began = time.perf_counter()
            found = await call
            seconds[what].append(time.perf_counter() - began)
            return found

        for number in range(times):
            read = billing.ChargesRequest(account_id=f"AC-{1000 + number}")  # the same again and again is a loop
            if "bare" in kinds:
                await timed("bare", billing.list_charges.run(read, Call("bench", transport)))
            if "read" in kinds:
                await timed("read", tools.call(billing.list_charges, read))
            if "freeze" in kinds or "write" in kinds:
                frozen = await timed(
                    "freeze", gates.freeze(billing.issue_refund, refund_draft(state, amount_cents=100))
                )
                request = billing.RefundRequest.model_validate(frozen["args"])
                if "write" in kinds:
                    await timed("write", tools.call(billing.issue_refund, request, request_id=frozen["request_id"]))
        return {}

    return in_line(("act", stage(act, "effect", billing.list_charges, billing.issue_refund)), policy=budget())


async def _traffic(cluster: Cluster, dsn: str, bench: Bench, what: str) -> Row:
    """What one more call sends to Postgres; a write has its freezing in it."""
    counts = []
    for times in (1, 1 + _COUNTED):
        offered = bench.offering(_calling(bench.engine.carrier.systems, Seconds(list), times, (what,)))
        with cluster.traffic(dsn) as traffic:
            await offered.played({"account_id": _ACCOUNT})
        counts.append(traffic)
    few, many = counts
    return {
        "transactions": round((many.transactions - few.transactions) / _COUNTED, 1),
        "statements": round((many.statements - few.statements) / _COUNTED, 1),
    }


async def _parts(bench: Bench, home: Path, times: int) -> list[Row]:
    """What is computed for a call, without a word to Postgres."""
    workflow = _calling(bench.engine.carrier.systems, Seconds(list), 1, ("write",))
    draft = refund_draft({"account_id": _ACCOUNT}, amount_cents=100)
    mint, tool = mint_of("", home, "http://gatehouse"), billing.issue_refund
    behalf = OnBehalf("key:ada", "default", "agent:trial", "v1", "run", "call", "digest")
    request = httpx.Request("POST", "http://billing/refunds", json=dict(draft["args"]))
    jobs: dict[str, Callable[[], object]] = {
        "arguments read by their schema": lambda: workflow.normalise(tool.name, draft["args"]),
        "policy decides": lambda: workflow.judge(tool.name, draft["args"], draft["facts"], {"host_mode": "thresholds"}),
        "capability minted": lambda: mint.capability(behalf, tool, request, writes=True),
    }
    rows: list[Row] = []
    for part, job in jobs.items():
        job()
        seconds = []
        for _ in range(times):
            began = time.perf_counter()
            job()
            seconds.append(time.perf_counter() - began)
        rows.append({"part": part, "median_us": _us(seconds)})
    return rows


def main() -> None:
    """Measure on a Postgres of its own, and tell."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--calls", type=int, default=300, help="calls of each kind")
    parser.add_argument("--json", action="store_true", help="output for programs")
    asked = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="gatehouse-bench-"))
    folder.chmod(0o755)
    with cluster_in(folder / "home") as cluster:
        tables = asyncio.run(measure(cluster, calls=asked.calls))
    shutil.rmtree(folder, ignore_errors=True)
    if asked.json:
        print(json.dumps({**tables, "machine": machine()}, indent=2))
    else:
        show(tables, machine())


if __name__ == "__main__":
    main()
