"""Many requests at once, and taking back what was done."""

import asyncio
import json
import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import httpx
import psycopg
import pytest
from typer.testing import CliRunner

from cli import app
from tests.cases import client_of
from tests.conftest import People, Site
from tests.outside import Outside


@dataclass(frozen=True)
class Lender:
    """A server that lends numbers, and people there."""

    url: str
    people: People
    http: httpx.AsyncClient
    outside: Outside

    async def ask(self, number: int, graph: str = "lent") -> dict[str, Any]:
        """A request about this number, or what came of it where nobody is asked."""
        client, case = client_of(self.url, self.people.ada), uuid.uuid4().hex
        thread = (await client.threads.create())["thread_id"]
        await client.runs.wait(thread, graph, input={"case": case, "number": number})
        headers = {"x-api-key": self.people.fin}
        found = await self.http.get("/approvals", params={"thread_id": thread}, headers=headers)
        return {"case": case, "thread": thread, **(found.json() or [{}])[0]}

    async def post(self, who: str, path: str, **body: Any) -> httpx.Response:
        return await self.http.post(path, json=body, headers={"x-api-key": getattr(self.people, who)})

    async def approve(self, request: dict[str, Any]) -> None:
        path = f"/approvals/{request['request_id']}/decision"
        decided = await self.post("fin", path, type="approve", action_digest=request["action_digest"])
        await client_of(self.url, self.people.ada).runs.join(request["thread"], decided.json()["run_id"])

    async def undo(self, who: str, request: dict[str, Any]) -> httpx.Response:
        return await self.post(who, f"/approvals/{request['request_id']}/undo", reason="It was a mistake.")

    async def until_counted(self, case: str, number: int) -> int:
        for _ in range(200):
            if times := self.outside.counted()[case, number]:
                return times
            await asyncio.sleep(0.05)
        return 0


@pytest.fixture
async def lender(trial_url: str, trial_people: People, outside: Outside) -> AsyncIterator[Lender]:
    async with httpx.AsyncClient(base_url=trial_url, timeout=30) as http:
        yield Lender(trial_url, trial_people, http, outside)


async def test_a_batch_is_decided_as_it_was_shown(lender: Lender) -> None:
    requests = [await lender.ask(number) for number in (20, 21, 22, 20, 900)]
    ids = [request["request_id"] for request in requests]
    shown = (await lender.post("fin", "/approvals/batch/preview", request_ids=ids)).json()
    chosen = {"request_ids": ids, "batch_digest": shown["batch_digest"]}

    done = (await lender.post("fin", "/approvals/batch", type="approve", **chosen)).json()
    again = (await lender.post("fin", "/approvals/batch", type="reject", **chosen)).json()

    assert shown["sums"][""] == {"total": 983, "smallest": 20, "largest": 900, "median": 21}
    assert shown["outliers"] == [ids[4]]
    assert {one["request_id"] for one in done["decided"]} == set(ids)
    assert {one["code"] for one in again["refused"]} == {"already_decided"}
    assert [await lender.until_counted(r["case"], r["action"]["args"]["number"]) for r in requests] == [1] * 5


async def test_another_batch_than_the_one_shown_is_refused(lender: Lender) -> None:
    requests = [await lender.ask(20), await lender.ask(21), await lender.ask(22, "gate")]
    ids = [request["request_id"] for request in requests]
    shown = (await lender.post("fin", "/approvals/batch/preview", request_ids=ids[:1])).json()

    more = await lender.post(
        "fin", "/approvals/batch", type="approve", request_ids=ids[:2], batch_digest=shown["batch_digest"]
    )
    mixed = await lender.post("fin", "/approvals/batch/preview", request_ids=ids)
    foreign = await lender.post("fin", "/approvals/batch/preview", request_ids=[str(uuid.uuid4())])

    assert (more.status_code, more.json()["code"]) == (409, "digest_mismatch")
    assert (mixed.status_code, mixed.json()["code"]) == (422, "not_one_class")
    assert foreign.status_code == 404
    assert not any(lender.outside.counted()[r["case"], r["action"]["args"]["number"]] for r in requests)


async def test_in_a_batch_each_decides_only_what_they_may(lender: Lender) -> None:
    request = await lender.ask(20)
    ids = [request["request_id"]]
    shown = (await lender.post("fin", "/approvals/batch/preview", request_ids=ids)).json()

    body = {"type": "approve", "request_ids": ids, "batch_digest": shown["batch_digest"]}
    by_support = (await lender.post("sue", "/approvals/batch", **body)).json()

    assert (by_support["decided"], by_support["refused"][0]["code"]) == ([], "forbidden")


async def test_what_was_done_is_taken_back_once(lender: Lender) -> None:
    request = await lender.ask(20)
    await lender.approve(request)

    replies = await asyncio.gather(*(lender.undo("fin", request) for _ in range(4)))

    assert sorted(reply.status_code for reply in replies) == [200, 409, 409, 409]
    assert await lender.until_counted(request["case"], -20) == 1
    headers = {"x-api-key": lender.people.fin}
    (key,) = (reply.json()["effect"] for reply in replies if reply.is_success)
    effect = (await lender.http.get(f"/effects/{key}", headers=headers)).json()
    assert (effect["tool"], effect["compensates"]) == ("counter.take_back", f"approval:{request['request_id']}")


async def test_effects_are_found_and_taken_back_by_command(lender: Lender, monkeypatch: pytest.MonkeyPatch) -> None:
    request = await lender.ask(20)
    await lender.approve(request)
    monkeypatch.setenv("GATEHOUSE_URL", lender.url)
    monkeypatch.setenv("GATEHOUSE_API_KEY", lender.people.fin)
    case = ["--case", request["thread"], "--state", "all", "--json"]

    def gatehouse(*words: str) -> Any:
        return CliRunner().invoke(app, ["effects", *words])

    (found,) = json.loads(gatehouse("list", *case, "--workflow", "lent", "--tool", "counter.lend").stdout)
    none = [json.loads(gatehouse("list", *case, *other).stdout) for other in (["--workflow", "x"], ["--tool", "x.y"])]
    undone = json.loads(gatehouse("undo", found["key"], "--reason", "A mistake.", "--json").stdout)
    again = gatehouse("undo", found["key"], "--reason", "A mistake.")

    assert none == [[], []]
    assert await lender.until_counted(request["case"], -20) == 1
    assert {e["key"] for e in json.loads(gatehouse("list", *case).stdout)} == {found["key"], undone["effect"]}
    assert (again.exit_code, "cannot_undo" in again.stderr) == (2, True)


@pytest.mark.parametrize(("who", "status"), [("ada", 403), ("sue", 403), ("rex", 403), ("olu", 200)])
async def test_who_may_take_back(lender: Lender, who: str, status: int) -> None:
    request = await lender.ask(20)
    await lender.approve(request)

    assert (await lender.undo(who, request)).status_code == status


async def test_what_was_not_done_is_not_taken_back(lender: Lender) -> None:
    waiting, irreversible = await lender.ask(20), await lender.ask(20, "gate")
    await lender.approve(irreversible)

    replies = [await lender.undo("fin", waiting), await lender.undo("fin", irreversible)]

    assert [reply.json()["code"] for reply in replies] == ["cannot_undo"] * 2
    assert "no compensation" in replies[1].json()["detail"]


async def test_after_its_grace_nothing_is_taken_back(lender: Lender, trial_site: Site) -> None:
    request = await lender.ask(20)
    await lender.approve(request)
    async with await psycopg.AsyncConnection.connect(trial_site.dsn, autocommit=True) as database:
        earlier = "UPDATE effect SET finished_at = finished_at - interval '2 hours' WHERE approval_id = %s"
        await database.execute(earlier, [request["request_id"]])

    late = await lender.undo("fin", request)

    assert (late.status_code, late.json()["code"]) == (409, "cannot_undo")
    assert lender.outside.counted()[request["case"], -20] == 0
