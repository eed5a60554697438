"""What operators type, against a real server and database."""

import asyncio
import json
import socket
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from cli import app
from commands.serving import free_port
from tests.cases import client_of, close_clients, parked_case, refunds_of
from tests.conftest import ROOT, People, Site, empty_database, fresh_database, running

Gatehouse = Callable[..., Result]


@pytest.fixture
def gatehouse(site: Site, url: str, people: People, monkeypatch: pytest.MonkeyPatch) -> Gatehouse:
    """The command, at the session's site and server, acting as finance."""
    environment = site.environment(GATEHOUSE_URL=url, GATEHOUSE_API_KEY=people.fin)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    return lambda *words, **options: CliRunner().invoke(app, words, **options)


@pytest.fixture
def parked(url: str, site: Site, people: People) -> tuple[str, str, Any]:
    async def park() -> tuple[str, str, Any]:
        try:
            return await parked_case(client_of(url, people.ada), site.worlds)
        finally:
            await close_clients()

    return asyncio.run(park())


def test_a_request_is_listed_shown_and_approved(gatehouse: Gatehouse, site: Site, parked: tuple[str, str, Any]) -> None:
    _, account, interrupt = parked
    request = interrupt["value"]["request_id"]

    listed = json.loads(gatehouse("approvals", "list", "--json").stdout)
    shown = gatehouse("approvals", "show", request).stdout
    approved = gatehouse("approvals", "approve", request, input="y\n")
    again = gatehouse("approvals", "approve", request, "--digest", "x")

    assert request in {item["request_id"] for item in listed}
    assert "Refund EUR 250.00 to Robin Example" in shown
    assert "why here" in shown
    assert approved.exit_code == 0
    assert again.exit_code == 2
    assert "already_decided" in again.stderr
    _wait_for_refund(site, account, [25_000])


def test_an_approval_is_asked_for_and_can_be_declined(gatehouse: Gatehouse, parked: tuple[str, str, Any]) -> None:
    request = parked[2]["value"]["request_id"]

    declined = gatehouse("approvals", "approve", request, input="n\n")

    assert declined.exit_code == 1
    assert json.loads(gatehouse("approvals", "show", request, "--json").stdout)["status"] == "pending"


def test_what_was_decided_is_not_asked_about_again(gatehouse: Gatehouse, parked: tuple[str, str, Any]) -> None:
    request_id = parked[2]["value"]["request_id"]
    gatehouse("approvals", "reject", request_id, input="y\n")

    again = gatehouse("approvals", "approve", request_id)

    assert (again.exit_code, "already_decided" in again.stderr) == (2, True)
    assert "[y/N]" not in again.output


def test_an_amount_is_edited_by_command(gatehouse: Gatehouse, site: Site, parked: tuple[str, str, Any]) -> None:
    _, account, interrupt = parked
    value = interrupt["value"]

    words = ("approvals", "edit", value["request_id"], '{"amount_cents": 9900}', "--digest", value["action_digest"])
    edited = gatehouse(*words)
    nonsense = gatehouse("approvals", "edit", value["request_id"], "{amount")

    assert edited.exit_code == 0
    assert (nonsense.exit_code, "invalid_decision" in nonsense.stderr) == (2, True)
    _wait_for_refund(site, account, [9_900])


def test_the_trail_of_an_effect_is_explained_and_verified(
    gatehouse: Gatehouse, site: Site, parked: tuple[str, str, Any]
) -> None:
    _, account, interrupt = parked
    value = interrupt["value"]
    gatehouse("approvals", "approve", value["request_id"], "--digest", value["action_digest"])
    _wait_for_refund(site, account, [25_000])

    explained = json.loads(gatehouse("audit", "explain", value["request_id"], "--json").stdout)
    run = json.loads(gatehouse("runs", "list", "--json", "--limit", "1").stdout)[0]["run_id"]
    verified = json.loads(gatehouse("audit", "verify", run, "--json").stdout)
    timeline = gatehouse("runs", "timeline", run).stdout

    assert explained["who_asked"][0].startswith("key:ada opened the case")
    assert any("key:fin: approve" in line for line in explained["how_it_was_reviewed"])
    assert json.loads(explained["what_changed"][0].removeprefix("done: "))["amount_cents"] == 25_000
    assert verified["intact"]
    assert "billing.issue_refund: done" in timeline


def test_keys_are_made_listed_and_revoked(gatehouse: Gatehouse) -> None:
    made = gatehouse("keys", "create", "temp", "--role", "caller", "--days", "1")
    twice = gatehouse("keys", "create", "temp", "--role", "caller")
    wrong = gatehouse("keys", "create", "other", "--role", "king")
    revoked = gatehouse("keys", "revoke", "temp")
    listed = gatehouse("keys", "list").stdout

    assert made.stdout.startswith("gh_")
    assert (twice.exit_code, "already_exists" in twice.stderr) == (2, True)
    assert (wrong.exit_code, "invalid_request" in wrong.stderr) == (2, True)
    assert revoked.exit_code == 0
    assert made.stdout.strip() not in listed
    assert "revoked" in listed


def test_a_key_of_another_tenant_sees_nothing_of_this_one(
    gatehouse: Gatehouse, parked: tuple[str, str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    key = gatehouse("keys", "create", "abroad", "--role", "operator", "--tenant", "abroad").stdout.strip()
    here = gatehouse("runs", "list", "--url", "").stdout
    over_http = gatehouse("runs", "list", "--key", key).stdout
    monkeypatch.setenv("GATEHOUSE_TENANT", "abroad")
    on_database = gatehouse("runs", "list", "--url", "").stdout

    assert "billing_dispute" in here
    assert over_http == on_database == "There are no such runs.\n"
    assert "abroad" in gatehouse("keys", "list").stdout


def test_errors_say_what_to_do(gatehouse: Gatehouse) -> None:
    unknown = gatehouse("runs", "show", "00000000-0000-0000-0000-000000000000")
    nowhere = gatehouse("approvals", "list", "--url", "http://127.0.0.1:9")
    effect = gatehouse("audit", "explain", "nothing")

    assert [r.exit_code for r in (unknown, nowhere, effect)] == [2, 2, 2]
    assert "gatehouse serve" in nowhere.stderr
    assert "server_unreachable" in nowhere.stderr
    assert "http://127.0.0.1:2024" in gatehouse("approvals", "list", "--url", "127.0.0.1:9").stderr
    assert "What to do" in effect.stderr


def test_what_a_server_refused_reads_as_it_does_on_the_database(gatehouse: Gatehouse) -> None:
    words = ("runs", "show", "00000000-0000-0000-0000-000000000000")

    refused = gatehouse(*words)
    on_database = gatehouse(*words, "--url", "")

    assert refused.stderr == on_database.stderr
    assert refused.stderr.startswith("There is no such object, or not for this key (not_found)\n")


def test_workflows_are_listed_with_owner_and_version(gatehouse: Gatehouse) -> None:
    listed = json.loads(gatehouse("workflows", "list", "--json").stdout)

    assert {w["workflow"]: w["owner"] for w in listed} == {
        "billing_dispute": "billing-operations",
        "booking": "airline-service",
        "customer_service": "customer-service",
        "procurement": "procurement",
    }


def test_a_workflow_is_shown_with_its_stages_tools_and_who_is_asked(gatehouse: Gatehouse) -> None:
    shown = json.loads(gatehouse("workflows", "show", "billing_dispute", "--json").stdout)
    stages, tools = {s["stage"]: s for s in shown["stages"]}, {t["tool"]: t for t in shown["tools"]}
    told, unknown = gatehouse("workflows", "show", "billing_dispute"), gatehouse("workflows", "show", "nothing")

    assert (stages["classify_issue"]["kind"], stages["classify_issue"]["prompt"]) == ("model", "classify_issue")
    assert "approve_refund" in {end for stage in stages.values() for end in stage["leads_to"]}
    assert "finance" in " ".join(tools["billing.issue_refund"]["asks"])
    decided_by_code = sum(stage["kind"] in ("code", "read", "proposal", "effect") for stage in stages.values())
    assert shown["deterministic"] == round(decided_by_code / len(stages), 2)
    assert "classify_issue" in told.stdout
    assert (unknown.exit_code, "There are: billing_dispute" in unknown.stderr) == (2, True)


def test_a_wrong_configuration_names_the_variable(gatehouse: Gatehouse, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GATEHOUSE_SYSTEMS", "{not json")

    refused = gatehouse("workflows", "list")

    assert refused.exit_code == 2
    assert "configuration_error" in refused.stderr
    assert "systems" in refused.stderr.lower()


@pytest.mark.slow
def test_without_keys_the_server_stays_on_this_machine(site: Site, postgres: str) -> None:
    with fresh_database(postgres) as dsn:
        keyless = Site(dsn, site.home, site.worlds)
        before = set(site.home.glob("serve-*.log"))
        with running(keyless, "serve", "--host", "0.0.0.0", "--port", str(free_port())) as process:
            ended = process.wait(60)
        [log] = set(site.home.glob("serve-*.log")) - before

    assert ended not in (0, None)
    assert "This server cannot start (configuration_error)" in log.read_text()
    assert "gatehouse keys create" in log.read_text()
    assert "Traceback" not in log.read_text(), "said in one line"


def test_a_server_whose_port_is_taken_begins_nothing(site: Site, people: People) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        words = [sys.executable, "-m", "cli", "serve", "--port", str(taken.getsockname()[1])]
        refused = subprocess.run(words, cwd=ROOT, env=site.environment(), capture_output=True, text=True, timeout=60)

    assert refused.returncode == 3
    assert "in use" in refused.stderr
    assert "listens" not in refused.stderr


def _wait_for_refund(site: Site, account: str, expected: list[int]) -> None:
    for _ in range(100):
        if refunds_of(site.worlds, account) == expected:
            return
        asyncio.run(asyncio.sleep(0.1))
    assert refunds_of(site.worlds, account) == expected


def test_looking_leaves_the_schema_alone_and_migrating_brings_it_forward(
    gatehouse: Gatehouse, postgres: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("GATEHOUSE_URL")
    with empty_database(postgres) as dsn:
        monkeypatch.setenv("DATABASE_URL", dsn)
        looked = gatehouse("runs", "list")
        missing = gatehouse("migrate", "--check")
        applied = gatehouse("migrate", "--json")
        again = [gatehouse("migrate"), gatehouse("migrate", "--check"), gatehouse("runs", "list")]

    assert (looked.exit_code, "gatehouse migrate" in looked.stderr) == (2, True)
    assert (missing.exit_code, "0001_house" in missing.stdout) == (1, True)
    assert "0001_house" in json.loads(applied.stdout)["applied"]
    assert [result.exit_code for result in again] == [0, 0, 0]
    assert "Nothing to do" in again[0].stdout


@pytest.mark.parametrize("command", [("migrate",), ("runs", "list"), ("keys", "list"), ("audit", "verify")])
def test_a_database_that_does_not_answer_is_said_in_one_line(
    gatehouse: Gatehouse, monkeypatch: pytest.MonkeyPatch, command: tuple[str, ...]
) -> None:
    monkeypatch.delenv("GATEHOUSE_URL")
    monkeypatch.setenv("DATABASE_URL", "postgresql://nobody:pa55word@127.0.0.1:9/none")

    refused = gatehouse(*command)

    assert (refused.exit_code, "store_unavailable" in refused.stderr) == (2, True)
    assert "pa55word" not in refused.output
