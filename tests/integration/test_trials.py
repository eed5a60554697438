"""The trial workflows do what other tests rely on, over HTTP."""

import asyncio
import uuid
from typing import Any

import pytest

from tests.cases import client_of
from tests.conftest import People
from tests.outside import Outside


async def played(url: str, key: str, workflow: str, value: dict[str, Any]) -> tuple[str, Any]:
    """The thread and what `runs/wait` answered."""
    client = client_of(url, key)
    thread = (await client.threads.create())["thread_id"]
    return thread, await client.runs.wait(thread, workflow, input=value, raise_error=False)


@pytest.mark.parametrize(
    ("workflow", "value", "summary"),
    [
        ("three_stages", {"text": "three blind mice"}, "3 words, 14 letters"),
        ("nested", {"number": 20}, "twice 20 and one more is 41"),
        ("slow", {"seconds": 0.1}, "waited 0.1 s"),
        ("custom", {"steps": 3}, "3 steps"),
    ],
)
async def test_a_workflow_without_tools_ends(
    trial_url: str, trial_people: People, workflow: str, value: dict[str, Any], summary: str
) -> None:
    _, result = await played(trial_url, trial_people.ada, workflow, value)

    assert result["summary"] == summary


async def test_a_talk_repeats_what_was_said_and_remembers_it(trial_url: str, trial_people: People) -> None:
    said = {"messages": [{"role": "user", "content": "hello there"}]}

    thread, _ = await played(trial_url, trial_people.ada, "talk", said)
    again: Any = await client_of(trial_url, trial_people.ada).runs.wait(thread, "talk", input=said)

    texts = [message["content"] for message in again["messages"]]
    assert texts == ["hello there", "You said: hello there"] * 2


async def test_a_failing_workflow_fails(trial_url: str, trial_people: People) -> None:
    _, result = await played(trial_url, trial_people.ada, "fails", {"message": "as it should"})

    assert result["__error__"]["error"] == "workflow_failed"


async def test_a_question_waits_for_its_answer(trial_url: str, trial_people: People) -> None:
    thread, asked = await played(trial_url, trial_people.ada, "question", {"topic": "tea"})

    command: Any = {"resume": {asked["__interrupt__"][0]["id"]: {"text": "with milk"}}}
    told: Any = await client_of(trial_url, trial_people.ada).runs.wait(thread, "question", command=command)

    assert asked["__interrupt__"][0]["value"]["question"] == "What about tea?"
    assert told["summary"] == "tea: with milk"


@pytest.mark.parametrize(("answer", "times"), [("approve", 1), ("reject", 0)])
async def test_a_gate_waits_for_finance(
    trial_url: str, trial_people: People, outside: Outside, answer: str, times: int
) -> None:
    case = uuid.uuid4().hex
    thread, asked = await played(trial_url, trial_people.ada, "gate", {"case": case, "number": 11})

    before = outside.counted()[case, 11]
    command: Any = {"resume": {asked["__interrupt__"][0]["id"]: {"type": answer}}}
    await client_of(trial_url, trial_people.fin).runs.wait(thread, "gate", command=command)

    assert (before, outside.counted()[case, 11]) == (0, times)


async def test_small_numbers_pass_the_gate(trial_url: str, trial_people: People, outside: Outside) -> None:
    case = uuid.uuid4().hex

    _, result = await played(trial_url, trial_people.ada, "gate", {"case": case, "number": 3})

    assert (result["outcome"], outside.counted()[case, 3]) == ("completed", 1)


async def test_counting_counts_every_number_once(trial_url: str, trial_people: People, outside: Outside) -> None:
    cases = [uuid.uuid4().hex for _ in range(3)]

    play = (played(trial_url, trial_people.ada, "counting", {"case": case, "effects": 5}) for case in cases)
    results = await asyncio.gather(*play)

    assert {result["summary"] for _, result in results} == {"Counted to 5."}
    counted = outside.counted()
    assert [counted[case, number] for case in cases for number in range(1, 7)] == [1, 1, 1, 1, 1, 0] * 3
