"""Two people approve the same request at the same moment, from two processes: one wins, the other hears who."""

import asyncio
import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pytest

from commands.serving import free_port
from engine.access.keys import create_key
from engine.opening import open_database
from tests.cases import client_of, parked_case, refunds_of
from tests.conftest import ROOT, People, Site, running, wait_until_up

FIN, FAY = "key:fin", "key:fay"


@dataclass(frozen=True)
class Case:
    thread: str
    account: str
    interrupt: dict[str, Any]


@dataclass(frozen=True)
class Reviewer:
    """A process that waits for what it shall approve."""

    name: str
    process: subprocess.Popen[str]

    def tell(self, line: str) -> None:
        assert self.process.stdin
        self.process.stdin.write(line)
        self.process.stdin.flush()

    def answer(self) -> dict[str, Any]:
        assert self.process.stdout
        answer: dict[str, Any] = json.loads(self.process.stdout.readline())
        return answer


@contextmanager
def reviewing(name: str, url: str, key: str) -> Iterator[Reviewer]:
    arguments = [sys.executable, "-m", "tests.acceptance.deciding", url, key]
    pipe = subprocess.PIPE
    with subprocess.Popen(arguments, cwd=ROOT, stdin=pipe, stdout=pipe, text=True) as process:
        assert process.stdout
        assert process.stdout.readline() == "ready\n"
        yield Reviewer(name, process)
        process.communicate()


def approve_at_once(first: Reviewer, second: Reviewer, case: Case) -> list[tuple[str, dict[str, Any]]]:
    """Both are released within microseconds; who is released first takes turns."""
    shown = case.interrupt["value"]
    line = json.dumps({name: shown[name] for name in ("request_id", "action_digest")}) + "\n"
    for reviewer in (first, second):
        reviewer.tell(line)
    return [(reviewer.name, reviewer.answer()) for reviewer in (first, second)]


def winner_if_clear(answers: list[tuple[str, dict[str, Any]]]) -> str:
    """The winner's name; empty unless one has won and the other was told by whom."""
    won = [name for name, answer in answers if answer["status"] == 200 and answer["decision"]["by"] == name]
    lost = [answer for _, answer in answers if answer["status"] == 409 and answer["code"] == "already_decided"]
    if len(won) != 1 or len(lost) != 1:
        return ""
    return won[0] if lost[0]["winner"] == {"decided_by": won[0], "decision": "approve"} else ""


@pytest.fixture(scope="module")
async def fay(site: Site, people: People) -> str:
    """Key of a second reviewer for finance."""
    async with open_database(site.settings(), lambda _: None) as database, database.transaction() as conn:
        return await create_key(conn, "fay", ["reviewer"], ["finance"])


async def parked_cases(url: str, site: Site, people: People, number: int) -> list[Case]:
    found = []
    for _ in range(0, number, 5):
        found += await asyncio.gather(*(parked_case(client_of(url, people.ada), site.worlds) for _ in range(5)))
    return [Case(thread, account, interrupt) for thread, account, interrupt in found]


async def paid(url: str, site: Site, people: People, cases: list[Case]) -> list[list[int]]:
    """What each case was paid, once its last run has ended."""
    client = client_of(url, people.ada)
    for case in cases:
        (last,) = await client.runs.list(case.thread, limit=1)
        await client.runs.join(case.thread, last["run_id"])
    return [refunds_of(site.worlds, case.account) for case in cases]


@pytest.mark.slow
async def test_two_processes_approve_fifty_requests_at_the_same_moments(
    url: str, site: Site, people: People, fay: str
) -> None:
    cases = await parked_cases(url, site, people, 50)

    with reviewing(FIN, url, people.fin) as fin, reviewing(FAY, url, fay) as fay_herself:
        pairs = [(fin, fay_herself), (fay_herself, fin)]
        answers = [approve_at_once(*pairs[number % 2], case) for number, case in enumerate(cases)]

    assert [a for a in answers if not winner_if_clear(a)] == []
    assert await paid(url, site, people, cases) == [[25_000]] * 50


@pytest.mark.slow
async def test_two_servers_take_one_decision_each_about_the_same_request(
    url: str, site: Site, people: People, fay: str
) -> None:
    cases = await parked_cases(url, site, people, 20)
    other = f"http://127.0.0.1:{(port := free_port())}"

    with running(site, "serve", "--no-worker", "--port", str(port)):
        wait_until_up(other)
        with reviewing(FIN, url, people.fin) as fin, reviewing(FAY, other, fay) as fay_herself:
            pairs = [(fin, fay_herself), (fay_herself, fin)]
            answers = [approve_at_once(*pairs[number % 2], case) for number, case in enumerate(cases)]

    assert [a for a in answers if not winner_if_clear(a)] == []
    assert await paid(url, site, people, cases) == [[25_000]] * 20
