"""What reviewers type: taking requests, passing them on, deciding several."""

import asyncio
import json
import uuid
from collections.abc import Callable
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from cli import app
from tests.cases import client_of, close_clients
from tests.conftest import People, Site

Gatehouse = Callable[..., Result]


@pytest.fixture
def gatehouse(trial_site: Site, trial_url: str, trial_people: People, monkeypatch: pytest.MonkeyPatch) -> Gatehouse:
    """The command as somebody: finance unless `who` says otherwise."""
    for name, value in trial_site.environment(GATEHOUSE_URL=trial_url).items():
        monkeypatch.setenv(name, value)

    def run(*words: str, who: str = "fin", **options: Any) -> Result:
        environment = {"GATEHOUSE_API_KEY": getattr(trial_people, who)}
        return CliRunner().invoke(app, ["approvals", *words], env=environment, **options)

    return run


@pytest.fixture
def ask(trial_url: str, trial_people: People) -> Callable[..., str]:
    """Makes a request about a number; its id."""

    async def asked(number: int) -> str:
        client = client_of(trial_url, trial_people.ada)
        thread = (await client.threads.create())["thread_id"]
        case = {"case": uuid.uuid4().hex, "number": number}
        try:
            result: Any = await client.runs.wait(thread, "lent", input=case)
        finally:
            await close_clients()
        return str(result["__interrupt__"][0]["value"]["request_id"])

    return lambda number: asyncio.run(asked(number))


def test_a_request_is_claimed_and_given_back(gatehouse: Gatehouse, ask: Callable[..., str]) -> None:
    request = ask(20)

    claimed = gatehouse("claim", request, "--minutes", "5")
    listed = json.loads(gatehouse("list", "--held-by", "key:fin", "--json").stdout)
    shown = gatehouse("show", request).stdout
    given_back = gatehouse("release", request)
    again = gatehouse("release", request)

    assert "is yours until" in claimed.stdout
    assert request in {item["request_id"] for item in listed}
    assert "has it     key:fin" in shown
    assert (given_back.exit_code, again.exit_code) == (0, 2)
    assert "not_claimed" in again.stderr


def test_the_next_request_is_taken(gatehouse: Gatehouse, ask: Callable[..., str]) -> None:
    ask(20)

    taken = json.loads(gatehouse("claim", "--next", "--queue", "lending", "--json").stdout)
    nothing = gatehouse("claim", "--next", who="rex")
    neither = gatehouse("claim")

    assert (taken["claimed_by"], taken["queue"]) == ("key:fin", "lending")
    assert "Nothing waits" in nothing.stdout
    assert (neither.exit_code, "invalid_request" in neither.stderr) == (2, True)


def test_a_request_is_assigned_and_passed_on(gatehouse: Gatehouse, ask: Callable[..., str]) -> None:
    request = ask(20)

    by_a_reviewer = gatehouse("assign", request, "fin")
    assigned = gatehouse("assign", request, "fin", who="olu")
    to_nobody = gatehouse("delegate", request, "nobody")

    assert (by_a_reviewer.exit_code, assigned.exit_code, to_nobody.exit_code) == (2, 0, 2)
    assert "fin has it now" in assigned.stdout
    assert "not_found" in to_nobody.stderr


def test_several_are_decided_after_their_sum_was_shown(gatehouse: Gatehouse, ask: Callable[..., str]) -> None:
    requests = [ask(number) for number in (20, 21, 22, 23, 900)]

    declined = gatehouse("batch", "approve", *requests, input="n\n")
    decided = gatehouse("batch", "approve", *requests, input="y\n")
    again = gatehouse("batch", "reject", *requests, "--code", "duplicate", "--yes")

    assert declined.exit_code == 1
    assert "total 986, from 20 to 900" in decided.stdout
    assert "1 of them lie far" in decided.stdout
    assert "5 decided" in decided.stdout
    assert (again.exit_code, again.stdout.count("already_decided")) == (1, 5)


def test_what_was_done_is_taken_back(gatehouse: Gatehouse, ask: Callable[..., str]) -> None:
    request = ask(20)

    too_early = gatehouse("undo", request, "--reason", "a mistake")

    assert (too_early.exit_code, "cannot_undo" in too_early.stderr) == (2, True)


def test_an_edit_is_shown_before_it_is_made(gatehouse: Gatehouse, ask: Callable[..., str]) -> None:
    request = ask(20)

    edited = gatehouse("edit", request, '{"number": 12}', input="y\n")
    shown = gatehouse("show", request)

    assert "number: 20 → 12" in edited.stdout
    assert "edited     number: 20 → 12" in shown.stdout


def test_a_rejection_has_a_code(gatehouse: Gatehouse, ask: Callable[..., str]) -> None:
    request = ask(20)

    unknown = gatehouse("reject", request, "--code", "bad weather", input="y\n")
    rejected = gatehouse("reject", request, "--code", "wrong_amount", input="y\n")

    assert (unknown.exit_code, rejected.exit_code) == (2, 0)
    assert json.loads(gatehouse("show", request, "--json").stdout)["reason_code"] == "wrong_amount"
