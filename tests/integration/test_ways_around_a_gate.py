"""Every other way to touch a thread that waits: refused or without effect; the case is paid once, as it was shown."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from tests.cases import GRAPH, TWICE, client_of, parked_case, refunds_of
from tests.conftest import People, Site

FORGED = {"values": {"decision": {"type": "approve"}}, "as_node": "approve_refund"}
CLAIM = {"complaint": TWICE, "account_id": "AC-99999999"}
STRATEGIES = ("enqueue", "reject", "interrupt", "rollback")
RUNS: list[tuple[dict[str, Any], str]] = [
    ({"checkpoint_id": "OLD"}, "409 gate_open"),
    ({"checkpoint": {"checkpoint_id": "OLD"}}, "409 gate_open"),
    ({"config": {"configurable": {"checkpoint_id": "OLD"}}}, "409 gate_open"),
    ({"checkpoint_id": "OLD", "command": {"goto": "assess"}}, "403 bypass_refused"),
    ({"checkpoint_id": "OLD", "command": {"update": {"clarification": "all"}}}, "403 bypass_refused"),
    ({"command": {"goto": {"node": "pay_refund", "input": {}}}}, "403 bypass_refused"),
    ({"config": {"configurable": {"__pregel_resuming": True}}}, "409 gate_open"),
    ({"config": {"configurable": {"__pregel_send": True}}}, "422 not_supported"),
    ({"interrupt_before": "*"}, "409 gate_open"),
    ({"after_seconds": 1}, "409 gate_open"),
    ({"if_not_exists": "create"}, "409 gate_open"),
    *(
        ({"input": CLAIM, "multitask_strategy": s}, "409 gate_open")
        for s in ("enqueue", "reject", "interrupt", "rollback")
    ),
]
THREADS: list[tuple[str, str, dict[str, Any], str]] = [
    ("POST", "/threads/{id}/copy", {}, "409 gate_open"),
    ("DELETE", "/threads/{id}", {}, "409 gate_open"),
    ("DELETE", "/threads/{id}/runs/{run}", {}, "409 thread_busy"),
    ("POST", "/threads/{id}/state", FORGED, "403 bypass_refused"),
    ("POST", "/threads/{id}/state", {"values": {}, "checkpoint_id": "OLD"}, "409 digest_mismatch"),
    ("POST", "/threads/{id}/state", {"values": {}, "as_node": "__start__"}, "409 digest_mismatch"),
    ("POST", "/threads", {"thread_id": "ID", "supersteps": [{"updates": [FORGED]}]}, "409 already_exists"),
    ("POST", "/threads", {"thread_id": "ID", "if_exists": "do_nothing", "supersteps": [{"updates": [FORGED]}]}, "200"),
    ("POST", "/threads/prune", {"thread_ids": ["ID"], "strategy": "delete"}, "200"),
    ("POST", "/threads/prune", {"thread_ids": ["ID"], "strategy": "keep_latest"}, "200"),
    ("PATCH", "/threads/{id}", {"metadata": {"graph_id": "other"}, "ttl": {"ttl": 0.0001}}, "200"),
]


@pytest.fixture
async def operator(url: str, people: People) -> AsyncIterator[httpx.AsyncClient]:
    """Whoever may do most: who must not get around a gate either."""
    async with httpx.AsyncClient(base_url=url, headers={"x-api-key": people.olu}, timeout=30) as http:
        yield http


def filled(value: Any, names: dict[str, str]) -> Any:
    if isinstance(value, dict):
        return {name: filled(member, names) for name, member in value.items()}
    return [filled(v, names) for v in value] if isinstance(value, list) else names.get(value, value)


async def test_no_way_leads_around_a_gate(url: str, operator: httpx.AsyncClient, site: Site, people: People) -> None:
    ada = client_of(url, people.ada)
    thread, account, interrupt = await parked_case(ada, site.worlds)
    run, before = (await ada.runs.list(thread))[0]["run_id"], await ada.threads.get_history(thread, limit=100)
    names = {"ID": thread, "OLD": str(before[-2]["checkpoint"]["checkpoint_id"])}
    runs = [("POST", "/threads/{id}/runs", {"assistant_id": GRAPH} | body, said) for body, said in RUNS]

    found, expected = [], []
    for verb, path, body, said in [*THREADS, *runs]:
        reply = await operator.request(verb, path.format(id=thread, run=run), json=filled(body, names))
        found.append((verb, path, body, f"{reply.status_code} {reply.json().get('code', '')}".strip()))
        expected.append((verb, path, body, said))
    after = await ada.threads.get_history(thread, limit=100)
    await client_of(url, people.fin).runs.wait(
        thread, GRAPH, command={"resume": {interrupt["id"]: {"type": "approve"}}}
    )

    assert found == expected
    assert after == before
    assert refunds_of(site.worlds, account) == [25_000]


def edit(verb: str, path: str, **body: Any) -> tuple[str, str, dict[str, Any]]:
    return verb, path, body


COSTLY = {"finding": {"amount_cents": 99_999}}
RIVALS = [
    edit("POST", "/threads/{id}/state", values=COSTLY, as_node="assess"),
    edit("POST", "/threads/{id}/runs", assistant_id=GRAPH, command={"update": COSTLY}),
    edit("POST", "/threads/{id}/runs", assistant_id=GRAPH, command={"goto": "assess"}),
    edit("POST", "/threads/{id}/runs", assistant_id=GRAPH, input=CLAIM, multitask_strategy="reject"),
    edit("POST", "/threads/prune", thread_ids=["ID"], strategy="delete"),
    edit("POST", "/threads/{id}/copy"),
]


@pytest.mark.parametrize("rival", RIVALS, ids=lambda rival: f"{rival[1]} {[*rival[2].get('command', rival[2])][-1:]}")
async def test_what_is_tried_while_a_case_is_approved_does_not_change_what_is_paid(
    url: str, operator: httpx.AsyncClient, site: Site, people: People, rival: tuple[str, str, dict[str, Any]]
) -> None:
    thread, account, interrupt = await parked_case(client_of(url, people.ada), site.worlds)
    command = {"resume": {interrupt["id"]: {"type": "approve"}}}
    approving = asyncio.create_task(client_of(url, people.fin).runs.wait(thread, GRAPH, command=command))
    verb, path, body = rival

    tried = set()
    while not approving.done():
        reply = await operator.request(verb, path.format(id=thread), json=filled(body, {"ID": thread}))
        tried.add(reply.status_code)
    paid: Any = await approving

    assert tried <= {200, 403, 409, 422}
    assert paid["outcome"] == "completed"
    assert refunds_of(site.worlds, account) == [25_000]


@pytest.mark.parametrize("action", ["interrupt", "rollback"])
async def test_a_case_is_cancelled_or_approved_and_never_both(
    url: str, operator: httpx.AsyncClient, site: Site, people: People, action: str
) -> None:
    async def race() -> tuple[int, int, list[int]]:
        thread, account, interrupt = await parked_case(client_of(url, people.ada), site.worlds)
        runs = f"/threads/{thread}/runs"
        waiting = (await operator.get(runs)).json()[0]["run_id"]
        answer = {"assistant_id": GRAPH, "command": {"resume": {interrupt["id"]: {"type": "approve"}}}}
        approved, cancelled = await asyncio.gather(
            operator.post(f"{runs}/wait", json=answer, headers={"x-api-key": people.fin}),
            operator.post(f"{runs}/{waiting}/cancel", params={"action": action, "wait": True}),
        )
        return approved.status_code, cancelled.status_code, refunds_of(site.worlds, account)

    ends = await asyncio.gather(*(race() for _ in range(6)))

    assert set(map(str, ends)) <= {"(200, 409, [25000])", "(409, 204, [])", "(404, 204, [])"}
