"""Governed runs beside the bare graph and LangGraph's dev server, in one run on one machine: `scripts/bench`.

Printed: pace, interrupt and resume, first event, what Postgres does and memory; with the full form also growth over
threads, steps and requests that wait, and the billing dispute with its tools and gates.
"""

import argparse
import json
import os
import shutil
import signal
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import uvloop
from rich.console import Console
from rich.status import Status

from benchmarks import disputes, growth, reviews, sections
from benchmarks.costs import Cluster, cluster_in
from benchmarks.ground import open_ground
from benchmarks.measuring import Row
from benchmarks.report import machine, show, targets

_THREADS, _STEPS = [1, 100, 1_000, 10_000], [10, 100, 1_000]
_WAITING, _FEW_WAITING = [100, 1_000, 10_000], [50, 200]


def main() -> None:
    options = _options()
    effort = sections.QUICK if options.quick else sections.FULL
    effort = replace(effort, runs=options.runs or effort.runs, repeats=options.repeats or effort.repeats)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("ended"))  # so that Postgres and the servers end, too
    os.environ.pop("DATABASE_URL", None)
    folder = Path(tempfile.mkdtemp(prefix="gatehouse-bench-"))
    folder.chmod(0o755)
    on, began = machine(), time.monotonic()
    try:
        with Console(stderr=True).status("starting") as status, cluster_in(folder / "home") as cluster:
            found = uvloop.run(_compare(cluster, effort, options, _Progress(status)))
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    on["took_s"] = round(time.monotonic() - began)
    if options.json:
        print(json.dumps({"machine": on, **found}, indent=2))
    else:
        show(found, on)


async def _compare(
    cluster: Cluster, effort: sections.Effort, options: argparse.Namespace, note: sections.Note
) -> dict[str, list[Row]]:
    found: dict[str, list[Row]] = {}
    levels = _FEW_WAITING if options.quick else _WAITING
    if options.only == "reviews":
        return {"reviews": await reviews.compare(cluster, levels, effort.runs // 5, note)}
    with_dev = not options.quick if options.dev_server is None else options.dev_server
    async with open_ground(cluster, "bench", dev=with_dev) as ground:
        await sections.warm_up(ground, effort, note)
        at_rest = {name: served.rest_mb() for name, served in ground.processes.items()}
        found["pace"] = await sections.pace(ground, effort, note)
        found["interrupt and resume"] = await sections.interrupt_and_resume(ground, effort, note)
        found["first event"] = await sections.first_event(ground, effort, note)
        found["what Postgres does"] = await sections.database_cost(ground, effort, note)
        found["processor time"] = await sections.processor_time(ground, effort, note)
        found["memory"] = sections.memory(ground, at_rest)
    if not options.quick:
        async with open_ground(cluster, "growth", dev=False) as ground:
            found["growth over threads"] = await growth.over_threads(ground, _THREADS, note)
            found["growth over steps"] = [
                row
                for workflow in ("three_stages", "talk")
                for row in await growth.over_steps(ground, workflow, _STEPS, note)
            ]
        found["billing dispute"] = await disputes.compare(cluster, effort, note)
        found["reviews"] = await reviews.compare(cluster, levels, effort.runs // 5, note)
    return {"targets": targets(found), **found}


class _Progress:
    """Says on the terminal what is measured, and for how long it has been going on."""

    def __init__(self, status: Status) -> None:
        self._status = status
        self._began = time.monotonic()

    def __call__(self, what: str) -> None:
        line = f"{time.monotonic() - self._began:4.0f} s  {what}"
        self._status.update(line)
        if not self._status.console.is_terminal:
            self._status.console.print(line)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="scripts/bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="less than a minute: no growth, no billing dispute")
    parser.add_argument("--runs", type=int, help="runs for each measurement")
    parser.add_argument("--repeats", type=int, help="repeats, of which the median is told")
    parser.add_argument(
        "--dev-server",
        action=argparse.BooleanOptionalAction,
        help="measure LangGraph's dev server, too: by default in the full form only, for it takes a second a run",
    )
    parser.add_argument("--only", choices=["reviews"], help="what reviewers do, while 100 to 10,000 requests wait")
    parser.add_argument("--json", action="store_true", help="output for programs")
    return parser.parse_args()


if __name__ == "__main__":
    main()
