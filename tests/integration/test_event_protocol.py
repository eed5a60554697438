"""The event stream protocol, driven by the `AsyncThreadStream` of the real `langgraph_sdk`."""

import asyncio
import json
import uuid
from typing import Any

import httpx
import pytest

from tests.cases import client_of
from tests.conftest import People
from tests.outside import Outside
from tests.streaming import HELLO, new_thread

EVERYTHING = ["values", "updates", "messages", "tools", "lifecycle", "input", "checkpoints", "tasks", "custom"]


async def heard_on(http: httpx.AsyncClient, thread: str, *, until: str, **body: Any) -> list[dict[str, Any]]:
    """Events of a thread up to the first lifecycle event `until` of the thread itself."""
    heard: list[dict[str, Any]] = []
    async with http.stream("POST", f"/threads/{thread}/stream/events", json={"channels": EVERYTHING} | body) as reply:
        assert reply.status_code == 200
        async for line in reply.aiter_lines():
            if line.startswith("data: "):
                heard.append(json.loads(line[6:]))
                params = heard[-1]["params"]
                if (heard[-1]["method"], params["namespace"], params["data"].get("event")) == ("lifecycle", [], until):
                    return heard
    return heard


def http_of(url: str, key: str) -> httpx.AsyncClient:
    return httpx.AsyncClient(base_url=url, headers={"x-api-key": key}, timeout=20)


def start(workflow: str, value: dict[str, Any]) -> dict[str, Any]:
    return {"id": 1, "method": "run.start", "params": {"assistant_id": workflow, "input": value}}


async def test_messages_and_output_of_a_run(trial_url: str, trial_people: People) -> None:
    async with client_of(trial_url, trial_people.ada).threads.stream(assistant_id="talk") as thread:
        started = await thread.run.start(input=HELLO, metadata={"from": "here"})
        messages = [message async for message in thread.messages]
        output = await thread.output

    assert set(started) == {"run_id"}
    assert ["".join([piece async for piece in message.text]) for message in messages] == ["You said: hello there"]
    assert messages[0].node == "answer"
    assert [message["content"] for message in output["messages"]] == ["hello there", "You said: hello there"]


async def test_several_projections_come_in_the_order_of_the_run(trial_url: str, trial_people: People) -> None:
    async with client_of(trial_url, trial_people.ada).threads.stream(assistant_id="custom") as thread:
        await thread.run.start(input={"steps": 1})
        told = [item async for item in thread.interleave_projections(["values", "updates", "tasks", "checkpoints"])]

    channels = [channel for channel, _ in told if channel != "checkpoints"]
    assert channels == ["values", "tasks", "updates", "tasks", "values"]
    assert dict(told)["updates"] == {"node": "work", "values": {"summary": "1 steps"}}
    assert [c["step"] for channel, c in told if channel == "checkpoints"] == [-1, 0, 1]


async def test_subgraphs_begin_and_end(trial_url: str, trial_people: People) -> None:
    async with client_of(trial_url, trial_people.ada).threads.stream(assistant_id="nested") as thread:
        await thread.run.start(input={"number": 4})
        found = [child async for child in thread.subgraphs]

    assert [(child.graph_name, child.status) for child in found] == [("calculate", "completed")]


async def test_what_a_stage_writes_is_custom(trial_url: str, trial_people: People) -> None:
    async with client_of(trial_url, trial_people.ada).threads.stream(assistant_id="custom") as thread:
        await thread.run.start(input={"steps": 2})
        written = []
        async for event in thread.subscribe(["custom"]):
            written.append(event["params"]["data"])
            if len(written) == 2:
                break

    assert written == [{"payload": {"step": 1}}, {"payload": {"step": 2}}]


async def test_a_question_is_answered_and_the_output_awaited(trial_url: str, trial_people: People) -> None:
    async with client_of(trial_url, trial_people.ada).threads.stream(assistant_id="question") as thread:
        await thread.run.start(input={"topic": "tea"})
        while not thread.interrupts:  # noqa: ASYNC110  # the client tells it by nothing else
            await asyncio.sleep(0.02)
        asked = thread.interrupts[0]["value"]["question"]
        await thread.run.respond({"text": "with milk"})
        output = await thread.output

    assert asked == "What about tea?"
    assert output["summary"] == "tea: with milk"


async def test_a_failure_is_raised(trial_url: str, trial_people: People) -> None:
    async with client_of(trial_url, trial_people.ada).threads.stream(assistant_id="fails") as thread:
        await thread.run.start(input={"message": "x"})
        with pytest.raises(RuntimeError, match="raised ValueError"):
            await thread.output


async def test_a_second_turn_is_not_taken_for_the_first(trial_url: str, trial_people: People) -> None:
    client = client_of(trial_url, trial_people.ada)
    thread_id = await new_thread(client)
    await client.runs.wait(thread_id, "talk", input=HELLO)
    await asyncio.sleep(2.1)

    async with client.threads.stream(thread_id, assistant_id="talk") as thread:
        await asyncio.sleep(0.3)  # the watcher of the thread listens before the run is started
        await thread.run.start(input=HELLO)
        output = await thread.output

    assert len(output["messages"]) == 4


async def test_a_gate_is_obeyed(trial_url: str, trial_people: People, outside: Outside) -> None:
    case = f"protocol-{uuid.uuid4()}"
    async with http_of(trial_url, trial_people.ada) as http, http_of(trial_url, trial_people.fin) as fin:
        path = f"/threads/{uuid.uuid4()}/commands"
        thread = path.split("/")[2]
        await http.post(path, json=start("gate", {"case": case, "number": 50}))
        heard = await heard_on(http, thread, until="interrupted")
        asked = next(e for e in heard if e["method"] == "input.requested")["params"]["data"]["interrupt_id"]
        again = (await http.post(path, json=start("gate", {"case": case, "number": 1}))).json()
        answer = {"interrupt_id": asked, "namespace": [], "response": {"type": "approve"}}
        forged = await fin.post(path, json=respond(answer | {"update": {"number": 1}}))
        own = await http.post(path, json=respond(answer))
        decided = (await fin.post(path, json=respond(answer))).json()
        twice = (await fin.post(path, json=respond(answer))).json()
        rest = await heard_on(http, thread, until="completed", since=heard[-1]["seq"])
        late = await heard_on(http, thread, until="completed", channels=["lifecycle", "input", "custom"])

    assert (again["type"], again["error"]) == ("error", "invalid_argument")
    assert [forged.status_code, own.status_code] == [403, 403]
    assert decided["type"] == "success"
    assert twice["type"] == "error"
    assert rest[0]["params"]["data"]["event"] == "running"
    assert [event["params"]["data"].get("event") for event in late] == ["running", "running", "completed"]
    assert outside.counted()[case, 50] == 1


def respond(answer: dict[str, Any]) -> dict[str, Any]:
    return {"id": 2, "method": "input.respond", "params": answer}


async def test_every_reader_gets_the_same_numbers(trial_url: str, trial_people: People) -> None:
    thread = str(uuid.uuid4())
    async with http_of(trial_url, trial_people.ada) as http:
        await http.post(f"/threads/{thread}/commands", json=start("nested", {"number": 1}))
        whole = await heard_on(http, thread, until="completed")
        values = await heard_on(http, thread, until="completed", channels=["values", "lifecycle"])
        rests = [(seen, await heard_on(http, thread, until="completed", since=seen["seq"])) for seen in whole[:-1:4]]

    assert values == [event for event in whole if event["method"] in ("values", "lifecycle")]
    assert len({event["event_id"] for event in whole}) == len(whole)
    assert all(rest == whole[whole.index(seen) + 1 :] for seen, rest in rests)


async def test_namespaces_and_depth_narrow_what_is_heard(trial_url: str, trial_people: People) -> None:
    thread = str(uuid.uuid4())
    async with http_of(trial_url, trial_people.ada) as http:
        await http.post(f"/threads/{thread}/commands", json=start("nested", {"number": 1}))
        whole = await heard_on(http, thread, until="completed")
        root = await heard_on(http, thread, until="completed", namespaces=[[]], depth=0)
        inside = await heard_on(http, thread, until="completed", namespaces=[["calculate"], []], depth=0)

    assert root == [event for event in whole if not event["params"]["namespace"]]
    assert inside == whole


@pytest.mark.parametrize(
    ("command", "error"),
    [
        ({"id": 1, "method": "state.fork", "params": {}}, "unknown_command"),
        ({"id": 1, "method": "run.start", "params": {}}, "invalid_argument"),
        ({"id": 1, "method": "run.start", "params": {"assistant_id": "talk", "input": {"x": 1}}}, "invalid_argument"),
        ({"id": 1, "method": "input.respond", "params": {}}, "invalid_argument"),
        ({"id": 1, "method": "input.respond", "params": {"responses": []}}, "invalid_argument"),
        ({"id": 1, "method": "input.respond", "params": {"interrupt_id": "x", "response": 1}}, "no_such_interrupt"),
        ({"id": 1, "method": "input.respond", "params": {"interrupt_id": "0" * 32}}, "no_such_interrupt"),
    ],
)
async def test_a_wrong_command_is_answered_with_why(
    trial_url: str, trial_people: People, command: dict[str, Any], error: str
) -> None:
    thread = await new_thread(client_of(trial_url, trial_people.ada))

    async with http_of(trial_url, trial_people.ada) as http:
        reply = await http.post(f"/threads/{thread}/commands", json=command)

    assert reply.status_code == 200
    assert (reply.json()["type"], reply.json()["id"], reply.json()["error"]) == ("error", 1, error)


@pytest.mark.parametrize(
    "body",
    [{}, {"channels": []}, {"channels": ["nonsense"]}, {"channels": "values"}, {"channels": ["values"], "since": -1}],
)
async def test_a_wrong_subscription_is_refused(trial_url: str, trial_people: People, body: dict[str, Any]) -> None:
    thread = await new_thread(client_of(trial_url, trial_people.ada))

    async with http_of(trial_url, trial_people.ada) as http:
        reply = await http.post(f"/threads/{thread}/stream/events", json=body)

    assert (reply.status_code, reply.json()["code"]) == (422, "invalid_request")


async def test_another_tenant_neither_hears_nor_commands(url: str, people: People, stranger: str) -> None:
    thread, claim = await new_thread(client_of(url, people.ada)), {"complaint": "x", "account_id": "AC-1001"}

    async with http_of(url, stranger) as http:
        replies = [
            await http.post(f"/threads/{thread}/stream/events", json={"channels": ["values"]}),
            await http.post(f"/threads/{thread}/commands", json=start("billing_dispute", claim)),
            await http.post(f"/threads/{thread}/commands", json=respond({"interrupt_id": "0" * 32, "response": 1})),
        ]

    assert [reply.status_code for reply in replies] == [404, 404, 404]


async def test_calls_of_tools_are_told_without_what_they_say(trial_url: str, trial_people: People) -> None:
    async with client_of(trial_url, trial_people.ada).threads.stream(assistant_id="gate") as thread:
        await thread.run.start(input={"case": f"tools-{uuid.uuid4()}", "number": 3})
        calls = [call async for call in thread.tool_calls]

    assert [(call.name, call.input, await call.output) for call in calls] == [("counter.add", None, None)]


async def parked_unheard(http: httpx.AsyncClient, workflow: str, value: dict[str, Any]) -> tuple[str, str]:
    """A thread whose run was streamed to nobody and waits, and the id of what it asked."""
    thread = str((await http.post("/threads", json={})).json()["thread_id"])
    done = await http.post(f"/threads/{thread}/runs/wait", json={"assistant_id": workflow, "input": value})
    return thread, str(done.json()["__interrupt__"][0]["id"])


@pytest.mark.parametrize(
    ("workflow", "value", "inside"), [("question", {"topic": "tea"}, []), ("confirmed", {"number": 3}, ["calculate"])]
)
async def test_what_was_asked_before_anybody_listened_is_told_to_all_alike(
    trial_url: str, trial_people: People, workflow: str, value: dict[str, Any], inside: list[str]
) -> None:
    async with http_of(trial_url, trial_people.ada) as http:
        thread, interrupt = await parked_unheard(http, workflow, value)
        heard = await asyncio.gather(*(heard_on(http, thread, until="interrupted") for _ in range(4)))
        again = await heard_on(http, thread, until="interrupted", since=heard[0][0]["seq"])

    (asked,) = [event["params"] for event in heard[0] if event["method"] == "input.requested"]
    assert asked["data"]["interrupt_id"] == interrupt
    assert [name.split(":")[0] for name in asked["namespace"]] == inside
    assert heard == [heard[0]] * 4
    assert again == heard[0][1:]


async def test_who_answers_what_nobody_heard_asked_is_told_the_rest(trial_url: str, trial_people: People) -> None:
    async with http_of(trial_url, trial_people.ada) as http:
        thread, interrupt = await parked_unheard(http, "question", {"topic": "tea"})
        told = asyncio.create_task(heard_on(http, thread, until="completed"))
        await asyncio.sleep(0.5)
        await http.post(
            f"/threads/{thread}/runs/wait",
            json={"assistant_id": "question", "command": {"resume": {interrupt: "green"}}},
        )
        heard = await asyncio.wait_for(told, 20)
        late = await heard_on(http, thread, until="completed")

    assert heard[-2]["params"]["data"]["summary"] == "tea: green"
    assert "input.requested" in [event["method"] for event in heard]
    assert "input.requested" not in [event["method"] for event in late]
