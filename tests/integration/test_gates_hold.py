"""The attacks on a waiting approval, row by row, with plain SDK calls against a real server."""

import asyncio
from typing import Any

import httpx
import pytest
from langgraph_sdk.errors import APIStatusError

from tests.cases import GRAPH, TWICE, client_of, parked_case, refunds_of
from tests.conftest import People, Site

APPROVE = {"type": "approve"}


async def refused(call: Any) -> dict[str, Any]:
    """The problem document that a call is answered with."""
    with pytest.raises((APIStatusError, httpx.HTTPStatusError)) as caught:
        await call
    problem: dict[str, Any] = caught.value.response.json()
    assert problem["status"] == caught.value.response.status_code
    return problem


async def test_row_1_an_answer_to_an_interrupt_that_is_gone_is_refused(url: str, site: Site, people: People) -> None:
    thread, account, _ = await parked_case(client_of(url, people.ada), site.worlds)
    finance = client_of(url, people.fin)

    problem = await refused(finance.runs.wait(thread, GRAPH, command={"resume": {"0" * 32: APPROVE}}))

    assert (problem["status"], problem["code"]) == (409, "nothing_to_resume")
    assert refunds_of(site.worlds, account) == []


async def test_row_2_new_input_cannot_replace_what_was_shown(url: str, site: Site, people: People) -> None:
    caller, finance = client_of(url, people.ada), client_of(url, people.fin)
    thread, account, _ = await parked_case(caller, site.worlds)

    problem = await refused(
        caller.runs.wait(thread, GRAPH, input={"complaint": TWICE + " 99999", "account_id": account})
    )
    await finance.runs.wait(thread, GRAPH, command={"resume": APPROVE})

    assert (problem["status"], problem["code"]) == (409, "gate_open")
    assert refunds_of(site.worlds, account) == [25_000]


async def test_row_3_state_cannot_be_edited_under_an_open_request(url: str, site: Site, people: People) -> None:
    caller, finance = client_of(url, people.ada), client_of(url, people.fin)
    thread, account, _ = await parked_case(caller, site.worlds)

    problem = await refused(caller.threads.update_state(thread, {"proposal": {"args": {"amount_cents": 88_888}}}))
    await finance.runs.wait(thread, GRAPH, command={"resume": APPROVE})

    assert (problem["status"], problem["code"]) == (409, "digest_mismatch")
    assert refunds_of(site.worlds, account) == [25_000]


@pytest.mark.parametrize(
    "command",
    [
        {"resume": APPROVE, "update": {"finding": {"amount_cents": 77_777}}},
        {"goto": "pay_refund"},
        {"update": {"decision": APPROVE}},
    ],
    ids=["row 4: resume and update", "row 6: goto", "update alone"],
)
async def test_a_command_cannot_move_a_run_past_its_gate(url: str, site: Site, people: People, command: Any) -> None:
    thread, account, _ = await parked_case(client_of(url, people.ada), site.worlds)

    problems = [
        await refused(client_of(url, key).runs.wait(thread, GRAPH, command=command))
        for key in (people.ada, people.fin, people.olu)
    ]

    assert [p["status"] for p in problems] == [403, 403, 403]
    assert {p["code"] for p in problems} <= {"bypass_refused", "forbidden"}  # a reviewer may not start runs at all
    assert refunds_of(site.worlds, account) == []


async def test_row_5_an_old_checkpoint_does_not_pay_again(url: str, site: Site, people: People) -> None:
    thread, account, interrupt = await parked_case(client_of(url, people.ada), site.worlds)
    finance = client_of(url, people.fin)
    old = (await finance.threads.get_state(thread))["checkpoint"]["checkpoint_id"]
    await finance.runs.wait(thread, GRAPH, command={"resume": {interrupt["id"]: APPROVE}})

    command = {"resume": {interrupt["id"]: APPROVE}}
    problem = await refused(finance.runs.wait(thread, GRAPH, command=command, checkpoint_id=old))

    assert (problem["status"], problem["code"]) == (409, "already_decided")
    assert refunds_of(site.worlds, account) == [25_000]


async def test_row_7_nobody_writes_in_the_name_of_a_gate(url: str, site: Site, people: People) -> None:
    caller = client_of(url, people.ada)
    thread, account, _ = await parked_case(caller, site.worlds)

    decision = {"decision": APPROVE}
    problem = await refused(caller.threads.update_state(thread, decision, as_node="approve_refund"))
    went_on = await refused(caller.runs.wait(thread, GRAPH, input=None))

    assert (problem["status"], problem["code"]) == (403, "bypass_refused")
    assert (went_on["status"], went_on["code"]) == (409, "gate_open")
    assert refunds_of(site.worlds, account) == []


async def test_row_9_a_third_approve_on_a_finished_thread(url: str, site: Site, people: People) -> None:
    thread, account, _ = await parked_case(client_of(url, people.ada), site.worlds)
    finance = client_of(url, people.fin)
    await finance.runs.wait(thread, GRAPH, command={"resume": APPROVE})

    problems = [await refused(finance.runs.wait(thread, GRAPH, command={"resume": APPROVE})) for _ in range(2)]

    assert [(p["status"], p["code"]) for p in problems] == [(409, "already_decided")] * 2
    assert problems[0]["winner"] == {"decided_by": "key:fin", "decision": "approve"}
    assert refunds_of(site.worlds, account) == [25_000]


@pytest.mark.parametrize("answer", ["lol", {"type": "yes"}, {"type": "edit"}, [], 7, {"decisions": []}, None])
async def test_row_10_nonsense_is_no_decision(url: str, site: Site, people: People, answer: Any) -> None:
    thread, account, _ = await parked_case(client_of(url, people.ada), site.worlds)
    finance = client_of(url, people.fin)

    problem = await refused(finance.runs.wait(thread, GRAPH, command={"resume": answer}))
    open_now = await finance.threads.get(thread)

    assert (problem["status"], problem["code"]) == (422, "invalid_decision")
    assert "discriminator" in problem["schema"]
    assert open_now["status"] == "interrupted"
    assert refunds_of(site.worlds, account) == []


async def test_row_11_a_waiting_run_says_that_it_is_interrupted(url: str, site: Site, people: People) -> None:
    caller = client_of(url, people.ada)
    thread, _, _ = await parked_case(caller, site.worlds)

    found = await caller.runs.list(thread, status="interrupted")

    assert [run["status"] for run in found] == ["interrupted"]


async def test_row_13_an_edit_keeps_the_tool(url: str, site: Site, people: People) -> None:
    thread, account, _ = await parked_case(client_of(url, people.ada), site.worlds)
    edit = {"type": "edit", "edited_action": {"name": "mail.send_reply", "args": {}}}

    problem = await refused(client_of(url, people.fin).runs.wait(thread, GRAPH, command={"resume": edit}))

    assert (problem["status"], problem["code"]) == (422, "invalid_decision")
    assert refunds_of(site.worlds, account) == []


@pytest.mark.slow
async def test_row_8a_reject_and_approve_at_once_have_one_winner(url: str, site: Site, people: People) -> None:
    for _ in range(20):
        thread, account, interrupt = await parked_case(client_of(url, people.ada), site.worlds)
        answers = [{"type": "reject"}, APPROVE]

        results = await asyncio.gather(*(_decide(url, people.fin, thread, interrupt["id"], a) for a in answers))

        winners = [kind for kind, problem in results if problem is None]
        assert len(winners) == 1
        assert next(p for _, p in results if p)["winner"]["decision"] == winners[0]
        assert refunds_of(site.worlds, account) == ([25_000] if winners == ["approve"] else [])


@pytest.mark.slow
async def test_row_8b_a_double_click_pays_once(url: str, site: Site, people: People) -> None:
    for _ in range(20):
        thread, account, interrupt = await parked_case(client_of(url, people.ada), site.worlds)

        results = await asyncio.gather(*(_decide(url, people.fin, thread, interrupt["id"], APPROVE) for _ in range(2)))

        assert sorted(p["code"] if p else "paid" for _, p in results) == ["already_decided", "paid"]
        assert refunds_of(site.worlds, account) == [25_000]


async def _decide(url: str, key: str, thread: str, interrupt: str, answer: Any) -> tuple[str, dict[str, Any] | None]:
    try:
        await client_of(url, key).runs.wait(thread, GRAPH, command={"resume": {interrupt: answer}})
    except (APIStatusError, httpx.HTTPStatusError) as error:
        return answer["type"], error.response.json()
    return answer["type"], None
