"""Runs rows of the table against a server and says which of them hold."""

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import replace

from contracts.errors import ConfigurationError, InvalidRequest
from evals.conformance.attacks import ATTACKS, NOTHING, RIGHT, control
from evals.conformance.finding import Finding, Row
from evals.conformance.policies import POLICIES
from evals.conformance.races import RACES
from evals.conformance.recount import RECOUNT
from evals.conformance.rig import GRAPH, Rig, answer_of

_ORDER = ("1", "2", "3", "4", "5", "6", "7", "8a", "8b", "9", "10", "11", "12", "13", "14", "15")
ROWS: dict[str, Row] = {name: (ATTACKS | RACES | POLICIES | RECOUNT)[name] for name in _ORDER}
Told = Callable[[Row, Finding], None]
Results = dict[str, Finding]


def chosen(names: Sequence[str]) -> list[str]:
    """Ids of these rows, all if none is named. Raises `InvalidRequest` for one that the table does not have."""
    if unknown := [name for name in names if name not in ROWS]:
        raise InvalidRequest(f"The table has no row {unknown[0]!r}.", hint=f"It has: {', '.join(ROWS)}.")
    return [name for name in ROWS if not names or name in names]


async def check(rig: Rig, names: Sequence[str], told: Told) -> Results:
    """What each of these rows came to, in the order of the table; `told` hears of each as soon as it is known.

    Raises `ConfigurationError` where nothing can be said: the graph is not served, or an honest approval pays nothing.
    """
    await _require_graph(rig)
    await _require_control(rig)
    found: Results = {}

    async def run(name: str) -> None:
        began = time.monotonic()
        finding = await ROWS[name].run(rig)
        found[name] = replace(finding, seconds=round(time.monotonic() - began, 1))
        told(ROWS[name], found[name])

    await asyncio.gather(*(run(name) for name in names if name in ATTACKS))
    for name in (*RACES, *POLICIES, *RECOUNT):  # by themselves: races want the machine, a policy is everybody's
        if name in names:
            await run(name)
    return {name: found[name] for name in names}


async def _require_graph(rig: Rig) -> None:
    for server, url in enumerate(rig.urls):
        answer = await answer_of(rig.client(server=server).assistants.search(graph_id=GRAPH))
        if answer.status in (401, 403):
            raise ConfigurationError(f"{url} wants a key: {answer}.", hint="Give one with --key.")
        if answer.status != 200 or not answer.value:
            raise ConfigurationError(
                f"{url} serves no graph named {GRAPH!r}.",
                hint="Write it with `gatehouse conform graph FOLDER` and serve it as its README.md says.",
            )


async def _require_control(rig: Rig) -> None:
    approved, rejected = await control(rig)
    if (approved, rejected) != (RIGHT, NOTHING):
        raise ConfigurationError(
            f"An honest approval paid {approved or 'nothing'}, and a rejection {rejected or 'nothing'}; "
            "so nothing that is refused would show anything.",
            hint=f"The graph must send its refunds to {rig.payments.url}, and the reviewer must be one who may decide "
            "(--reviewer-key).",
        )
