"""Every form in which clients answer what waits, and several answers at a time."""

import asyncio
import uuid
from typing import Any

import httpx
import pytest
from langgraph_sdk.errors import APIStatusError

from tests.cases import client_of
from tests.conftest import People
from tests.outside import Outside


async def asked(url: str, key: str, graph: str, value: dict[str, Any]) -> tuple[str, list[Any]]:
    """A thread, and the interrupts at which it stands."""
    client = client_of(url, key)
    thread = (await client.threads.create())["thread_id"]
    result: Any = await client.runs.wait(thread, graph, input=value)
    return thread, result["__interrupt__"]


def counted(outside: Outside, case: str) -> dict[int, int]:
    return {number: times for (of, number), times in outside.counted().items() if of == case}


def edited(number: int, case: str) -> dict[str, Any]:
    return {"name": "counter.add", "args": {"case": case, "number": number}}


@pytest.mark.parametrize(
    ("answer", "outcome", "number"),
    [
        ({"type": "approve"}, "completed", 20),
        ({"decisions": [{"type": "approve"}]}, "completed", 20),
        ([{"type": "accept", "args": None}], "completed", 20),
        ({"type": "accept", "args": None}, "completed", 20),
        ({"type": "edit", "edited_action": "EDITED"}, "completed", 12),
        ({"decisions": [{"type": "edit", "edited_action": "EDITED"}]}, "completed", 12),
        ([{"type": "edit", "args": {"action": "counter.add", "args": "ARGS"}}], "completed", 12),
        ({"type": "reject", "message": "No.", "reason_code": "duplicate"}, "rejected", None),
        ([{"type": "ignore", "args": None}], "rejected", None),
        ([{"type": "response", "args": "Why?"}], "rejected", None),
    ],
)
async def test_every_form_of_an_answer_is_understood(
    trial_url: str, trial_people: People, outside: Outside, answer: Any, outcome: str, number: int | None
) -> None:
    case = uuid.uuid4().hex
    thread, _ = await asked(trial_url, trial_people.ada, "gate", {"case": case, "number": 20})
    command = {"resume": _filled(answer, case)}

    result: Any = await client_of(trial_url, trial_people.fin).runs.wait(thread, "gate", command=command)

    assert result["outcome"] == outcome
    assert counted(outside, case) == ({number: 1} if number else {})


def _filled(answer: Any, case: str) -> Any:
    action = edited(12, case)
    match answer:
        case "EDITED":
            return action
        case "ARGS":
            return action["args"]
        case dict():
            return {name: _filled(value, case) for name, value in answer.items()}
        case list():
            return [_filled(value, case) for value in answer]
    return answer


async def test_a_card_is_read_by_every_client(trial_url: str, trial_people: People) -> None:
    case = uuid.uuid4().hex
    _, (interrupt,) = await asked(trial_url, trial_people.ada, "gate", {"case": case, "number": 20})
    card, schema = interrupt["value"], interrupt["response_schema"]

    action = {"name": "counter.add", "args": {"case": case, "number": 20}}
    assert {**card["action_requests"][0], "description": ""} == {**action, "description": ""}
    assert card["review_configs"][0]["allowed_decisions"] == ["approve", "edit", "reject", "respond"]
    assert (card["type"], card["name"], card["args"]) == ("tool_approval", action["name"], action["args"])
    assert card["action_request"] == {"action": action["name"], "args": action["args"]}
    assert card["config"]["allow_accept"] is card["config"]["allow_ignore"] is True
    pinned = schema["$defs"]["EditedAction"]["properties"]
    assert (pinned["name"]["const"], set(pinned["args"]["properties"])) == ("counter.add", {"case", "number"})


async def test_two_interrupts_are_answered_together_by_their_ids(
    trial_url: str, trial_people: People, outside: Outside
) -> None:
    case = uuid.uuid4().hex
    thread, interrupts = await asked(trial_url, trial_people.ada, "pair", {"case": case})
    finance = client_of(trial_url, trial_people.fin)
    answers = {interrupt["id"]: {"type": "approve"} for interrupt in interrupts}

    result: Any = await finance.runs.wait(thread, "pair", command={"resume": answers})

    assert (len(answers), result["outcome"]) == (2, "completed")
    assert counted(outside, case) == {1: 1, 2: 1}
    assert [run["status"] for run in await finance.runs.list(thread)] == ["success", "interrupted"]


async def test_the_run_of_several_answers_is_the_one_that_goes_on(trial_url: str, trial_people: People) -> None:
    case = f"panel {uuid.uuid4().hex}"
    thread, interrupts = await asked(trial_url, trial_people.ada, "pair", {"case": case})
    finance = client_of(trial_url, trial_people.fin)
    by_number = sorted(interrupts, key=lambda i: i["value"]["args"]["number"])
    answers = {interrupt["id"]: {"type": "approve"} for interrupt in by_number}

    result: Any = await finance.runs.wait(thread, "pair", command={"resume": answers})

    assert [waiting["id"] for waiting in result["__interrupt__"]] == [by_number[1]["id"]]


async def test_one_of_several_answers_that_is_wrong_spoils_all(
    trial_url: str, trial_people: People, outside: Outside
) -> None:
    case = uuid.uuid4().hex
    thread, (one, other) = await asked(trial_url, trial_people.ada, "pair", {"case": case})
    stale = {"type": "approve", "action_digest": "0" * 64}
    command = {"resume": {one["id"]: {"type": "approve"}, other["id"]: stale}}

    with pytest.raises((APIStatusError, httpx.HTTPStatusError)) as caught:
        await client_of(trial_url, trial_people.fin).runs.wait(thread, "pair", command=command)

    assert caught.value.response.json()["code"] == "digest_mismatch"
    assert (await client_of(trial_url, trial_people.fin).threads.get(thread))["status"] == "interrupted"
    assert counted(outside, case) == {}


async def test_two_interrupts_are_answered_one_after_the_other(
    trial_url: str, trial_people: People, outside: Outside
) -> None:
    case = uuid.uuid4().hex
    thread, (one, other) = await asked(trial_url, trial_people.ada, "pair", {"case": case})
    finance = client_of(trial_url, trial_people.fin)

    first: Any = await finance.runs.wait(thread, "pair", command={"resume": {one["id"]: {"type": "reject"}}})
    second: Any = await finance.runs.wait(thread, "pair", command={"resume": {other["id"]: {"type": "approve"}}})

    assert [waiting["id"] for waiting in first["__interrupt__"]] == [other["id"]]
    assert second["outcome"] == "completed"
    assert sum(counted(outside, case).values()) == 1


async def test_two_people_answer_two_interrupts_at_the_same_moment(
    trial_url: str, trial_people: People, outside: Outside
) -> None:
    for _ in range(5):
        case = uuid.uuid4().hex
        thread, interrupts = await asked(trial_url, trial_people.ada, "pair", {"case": case})
        commands = [{"resume": {interrupt["id"]: {"type": "approve"}}} for interrupt in interrupts]
        finance = client_of(trial_url, trial_people.fin)

        await asyncio.gather(*(finance.runs.wait(thread, "pair", command=command) for command in commands))

        assert counted(outside, case) == {1: 1, 2: 1}
        assert (await finance.threads.get(thread))["status"] == "idle"
