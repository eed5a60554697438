"""What one run needs of the LangGraph API, driven by the real `langgraph_sdk`."""

import uuid
from typing import Any

import pytest
from langgraph_sdk.errors import ConflictError, NotFoundError

from tests.cases import GRAPH, TWICE, client_of, new_account, parked_case, refunds_of
from tests.conftest import People, Site


def claim_of(worlds: Any, *, amount_cents: int = 2_500) -> dict[str, Any]:
    return {"complaint": TWICE, "account_id": new_account(worlds, amount_cents=amount_cents)}


async def test_assistants_are_the_workflows(url: str, people: People) -> None:
    client = client_of(url, people.ada)

    found: Any = await client.assistants.search(metadata={"created_by": "system"})
    same = await client.assistants.get(found[0]["assistant_id"])

    assert sorted(assistant["graph_id"] for assistant in found) == [GRAPH, "booking", "customer_service", "procurement"]
    assert same["name"] == found[0]["graph_id"]
    with pytest.raises(NotFoundError):
        await client.assistants.get("nothing")


async def test_a_clear_small_dispute_is_paid_at_once(url: str, site: Site, people: People) -> None:
    client, claim = client_of(url, people.ada), claim_of(site.worlds)
    thread = await client.threads.create(metadata={"channel": "mail"})

    result = await client.runs.wait(thread["thread_id"], GRAPH, input=claim)

    assert result == {"outcome": "completed", "summary": "EUR 25.00 were paid back to your card."}
    assert refunds_of(site.worlds, claim["account_id"]) == [2_500]
    assert (await client.threads.get(thread["thread_id"]))["status"] == "idle"


async def test_a_run_is_created_joined_read_and_listed(url: str, site: Site, people: People) -> None:
    client = client_of(url, people.ada)
    thread = (await client.threads.create())["thread_id"]

    created = await client.runs.create(thread, GRAPH, input=claim_of(site.worlds), metadata={"ticket": "T-1"})
    joined: Any = await client.runs.join(thread, created["run_id"])
    run: Any = await client.runs.get(thread, created["run_id"])

    assert created["status"] == "pending"
    assert joined["outcome"] == "completed"
    assert (run["status"], run["outcome"], run["metadata"]) == ("success", "completed", {"ticket": "T-1"})
    assert (run["actor"], run["requester"]) == ("agent:billing_dispute", "key:ada")
    assert [r["run_id"] for r in await client.runs.list(thread)] == [created["run_id"]]


async def test_a_stream_shows_the_stages_as_they_end(url: str, site: Site, people: People) -> None:
    client = client_of(url, people.ada)
    thread = (await client.threads.create())["thread_id"]

    stream = client.runs.stream(thread, GRAPH, input=claim_of(site.worlds), stream_mode=["updates", "values"])
    parts = [part async for part in stream]
    stages = [next(iter(part.data)) for part in parts if part.event == "updates"]

    assert parts[0].event == "metadata"
    assert stages[:3] == ["open_case", "classify_issue", "read_records"]
    assert stages[-1] == "close"
    assert [p for p in parts if p.event == "values"][-1].data["outcome"] == "completed"


async def test_a_stream_is_joined_again_without_loss_or_repetition(url: str, site: Site, people: People) -> None:
    client = client_of(url, people.ada)
    thread = (await client.threads.create())["thread_id"]
    whole = [p async for p in client.runs.stream(thread, GRAPH, input=claim_of(site.worlds), stream_mode="updates")]
    run = whole[0].data["run_id"]

    again = [part async for part in client.runs.join_stream(thread, run)]
    rest = [part async for part in client.runs.join_stream(thread, run, last_event_id=whole[4].id)]

    assert [(p.event, p.data) for p in again[1:]] == [(p.event, p.data) for p in whole[1:]]
    assert [p.data for p in rest] == [p.data for p in whole[5:]]


async def test_state_and_history_can_be_read(url: str, site: Site, people: People) -> None:
    client = client_of(url, people.ada)
    thread, account, interrupt = await parked_case(client, site.worlds)

    state: Any = await client.threads.get_state(thread)
    history = await client.threads.get_history(thread, limit=3)
    earlier: Any = await client.threads.get_state(thread, checkpoint_id=history[2]["checkpoint"]["checkpoint_id"])

    assert state["next"] == ["approve_refund"]
    assert state["values"]["account_id"] == account
    assert [i["id"] for i in state["interrupts"]] == [interrupt["id"]]
    assert len(history) == 3
    assert earlier["next"] == ["assess"]


async def test_a_question_goes_to_the_requester_and_back(url: str, site: Site, people: People) -> None:
    client = client_of(url, people.ada)
    claim = {"complaint": "Something is wrong with my bill!", "account_id": claim_of(site.worlds)["account_id"]}
    thread = (await client.threads.create())["thread_id"]
    asked: Any = await client.runs.wait(thread, GRAPH, input=claim)
    question = asked["__interrupt__"][0]

    with pytest.raises(Exception, match="who opened the case"):
        await client_of(url, people.fin).runs.wait(thread, GRAPH, command={"resume": {question["id"]: {"text": "x"}}})
    answer = {question["id"]: {"text": "I paid twice at Corner Shop"}}
    result: Any = await client.runs.wait(thread, GRAPH, command={"resume": answer})

    assert question["value"]["kind"] == "clarification"
    assert result["outcome"] == "completed"
    assert refunds_of(site.worlds, claim["account_id"]) == [2_500]


async def test_a_waiting_case_can_be_cancelled(url: str, site: Site, people: People) -> None:
    client = client_of(url, people.ada)
    thread, account, interrupt = await parked_case(client, site.worlds)
    run = (await client.runs.list(thread))[0]["run_id"]

    await client.runs.cancel(thread, run, wait=True)
    ended: Any = await client.runs.get(thread, run)
    with pytest.raises(ConflictError, match="before"):
        await client_of(url, people.fin).runs.create(
            thread, GRAPH, command={"resume": {interrupt["id"]: {"type": "approve"}}}
        )

    assert (ended["status"], ended["outcome"]) == ("interrupted", "cancelled")
    assert refunds_of(site.worlds, account) == []


async def test_threads_are_made_once(url: str, people: People) -> None:
    client, thread = client_of(url, people.ada), str(uuid.uuid4())

    await client.threads.create(thread_id=thread)
    with pytest.raises(ConflictError):
        await client.threads.create(thread_id=thread)
    again = await client.threads.create(thread_id=thread, if_exists="do_nothing")

    assert again["thread_id"] == thread


async def test_a_run_can_make_its_thread(url: str, site: Site, people: People) -> None:
    client, thread = client_of(url, people.ada), str(uuid.uuid4())

    with pytest.raises(NotFoundError):
        await client.runs.create(thread, GRAPH, input=claim_of(site.worlds))
    result: Any = await client.runs.wait(thread, GRAPH, input=claim_of(site.worlds), if_not_exists="create")

    assert result["outcome"] == "completed"


async def test_two_inputs_on_one_thread_are_served_in_order(url: str, site: Site, people: People) -> None:
    client = client_of(url, people.ada)
    thread = (await client.threads.create())["thread_id"]
    claims = [claim_of(site.worlds, amount_cents=cents) for cents in (1_100, 2_200)]

    runs = [await client.runs.create(thread, GRAPH, input=claim) for claim in claims]
    results: list[Any] = [await client.runs.join(thread, run["run_id"]) for run in runs]

    assert results[1]["summary"] == "EUR 22.00 were paid back to your card."
    assert [refunds_of(site.worlds, c["account_id"]) for c in claims] == [[1_100], [2_200]]
