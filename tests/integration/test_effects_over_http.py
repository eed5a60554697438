"""Effects of unknown outcome over HTTP and by command: who may see them, who may settle them, and that once."""

import json
import uuid
from typing import Any

import httpx
import pytest
from typer.testing import CliRunner

from cli import app
from tests.cases import client_of
from tests.conftest import People, Site
from tests.outside import LOST, Outside

NOBODY = "00000000-0000-4000-8000-000000000000"


@pytest.fixture
async def doubtful(trial_url: str, trial_people: People) -> dict[str, Any]:
    """An effect whose answer was lost; its case waits."""
    client, case = client_of(trial_url, trial_people.ada), f"{LOST}{uuid.uuid4().hex}"
    thread = (await client.threads.create())["thread_id"]
    result: Any = await client.runs.wait(thread, "ledger", input={"case": case})
    shown = result["__interrupt__"][0]
    return {"thread": thread, "case": case, "key": shown["value"]["call_key"], "interrupt": shown["id"]}


async def ask(url: str, key: str, method: str, path: str, body: Any = None) -> tuple[int, Any]:
    async with httpx.AsyncClient(base_url=url, headers={"x-api-key": key}, timeout=30) as http:
        reply = await http.request(method, path, json=body)
    return reply.status_code, reply.json()


async def test_an_effect_in_doubt_is_listed_read_settled_and_settled_only_once(
    trial_url: str, trial_people: People, outside: Outside, doubtful: dict[str, Any]
) -> None:
    key, olu, case = doubtful["key"], trial_people.olu, doubtful["case"]
    _, listed = await ask(trial_url, olu, "GET", f"/effects?thread_id={doubtful['thread']}")
    _, one = await ask(trial_url, trial_people.sue, "GET", f"/effects/{key}")
    receipt = {"outcome": "happened", "result": {"case": case, "number": 5, "times": 1}, "note": "I looked."}

    status, settled = await ask(trial_url, olu, "POST", f"/effects/{key}/resolve", receipt)
    lost, loser = await ask(trial_url, trial_people.sue, "POST", f"/effects/{key}/resolve", {"outcome": "abort"})
    joined: Any = await client_of(trial_url, trial_people.ada).runs.join(doubtful["thread"], settled["resumed_by"])

    assert [(e["key"], e["state"], e["waits"], e["args"]["case"]) for e in listed] == [(key, "unknown", True, case)]
    assert (one["key"], one["result_schema"]["title"], one["error"]["code"]) == (key, "Counted", "tool_outcome_unknown")
    assert (status, settled["state"], settled["resolved_by"]) == (200, "resolved_done", "key:olu")
    assert (lost, loser["code"], loser["winner"]["resolved_by"]) == (409, "already_settled", "key:olu")
    assert (joined["outcome"], outside.counted()[case, 5]) == ("completed", 1)


@pytest.mark.parametrize(
    ("person", "body", "expected"),
    [
        ("ada", {"outcome": "abort"}, (403, "forbidden")),
        ("ben", {"outcome": "abort"}, (403, "forbidden")),
        ("olu", {"outcome": "perhaps"}, (422, "invalid_request")),
        ("olu", {"outcome": "abort", "note": "\0"}, (422, "invalid_request")),
        ("olu", {"outcome": "happened"}, (422, "invalid_request")),
        ("olu", {"outcome": "happened", "result": {"case": 1}}, (422, "invalid_request")),
        ("olu", {}, (422, "invalid_request")),
    ],
)
async def test_a_bad_resolution_is_a_clear_problem_and_the_case_waits_on(
    trial_url: str, trial_people: People, doubtful: dict[str, Any], person: str, body: Any, expected: tuple[int, str]
) -> None:
    status, problem = await ask(
        trial_url, getattr(trial_people, person), "POST", f"/effects/{doubtful['key']}/resolve", body
    )
    _, effect = await ask(trial_url, trial_people.olu, "GET", f"/effects/{doubtful['key']}")

    assert (status, problem["code"], effect["waits"]) == (*expected, True)


@pytest.mark.parametrize(("key", "status"), [("nothing", 404), (NOBODY, 404), ("approval%3A%00", 422)])
async def test_an_unknown_key_is_not_found(trial_url: str, trial_people: People, key: str, status: int) -> None:
    answers = [
        await ask(trial_url, trial_people.olu, "GET", f"/effects/{key}"),
        await ask(trial_url, trial_people.olu, "POST", f"/effects/{key}/resolve", {"outcome": "abort"}),
        await ask(trial_url, trial_people.ada, "GET", "/effects"),
        await ask(trial_url, "", "GET", "/effects"),
    ]

    assert [answer for answer, _ in answers] == [status, status, 403, 401]


async def test_operators_settle_effects_by_command(
    trial_url: str, trial_site: Site, trial_people: People, doubtful: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in trial_site.environment(GATEHOUSE_URL=trial_url, GATEHOUSE_API_KEY=trial_people.olu).items():
        monkeypatch.setenv(name, value)
    key = doubtful["key"]

    def gatehouse(*words: str) -> Any:
        return CliRunner().invoke(app, ["effects", *words])

    listed = json.loads(gatehouse("list", "--json").stdout)
    shown, bad = gatehouse("show", key).stdout, gatehouse("resolve", key, "happened", "--result", "{")
    said, again = gatehouse("resolve", key, "abort", "--note", "enough"), gatehouse("resolve", key, "abort")

    assert key in [effect["key"] for effect in listed]
    assert all(word in shown for word in ("counter.press", "unknown after 1 attempt", doubtful["case"]))
    assert (bad.exit_code, said.exit_code, again.exit_code) == (2, 0, 2)
    assert "refused by key:olu" in said.stdout
    assert "goes on" in said.stdout
