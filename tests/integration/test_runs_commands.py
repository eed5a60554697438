"""`gatehouse runs …` on the database itself and by HTTP: the same questions get the same answers."""

import asyncio
import json
from collections.abc import Callable
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from cli import app
from commands import watching
from tests.cases import GRAPH, TWICE, client_of, close_clients, new_account, parked_case, refunds_of
from tests.conftest import People, Site

Runs = Callable[..., Result]
NOBODY = "00000000-0000-0000-0000-000000000000"


@pytest.fixture
def on_database(site: Site, url: str, monkeypatch: pytest.MonkeyPatch) -> Runs:
    for name, value in site.environment().items():
        monkeypatch.setenv(name, value)
    return lambda *words: CliRunner().invoke(app, ["runs", *words])


@pytest.fixture
def by_http(url: str, people: People) -> Runs:
    return lambda *words, key=people.olu: CliRunner().invoke(app, ["runs", *words, "--url", url, "--key", key])


@pytest.fixture(params=["database", "http"])
def runs(request: pytest.FixtureRequest, on_database: Runs, by_http: Runs) -> Runs:
    return on_database if request.param == "database" else by_http


class Case:
    """A dispute that waits for finance."""

    def __init__(self, url: str, people: People, site: Site) -> None:
        self._url, self._people = url, people
        self.thread, self.account, interrupt = _over_http(url, people.ada, lambda c: parked_case(c, site.worlds))
        self.request: dict[str, Any] = interrupt["value"]
        self.run: str = _over_http(url, people.ada, lambda c: c.runs.list(self.thread))[0]["run_id"]

    def approve(self) -> str:
        """The id of the leg that carries the approved refund out, once it has ended."""
        answer = {"resume": {"type": "approve"}}
        _over_http(
            self._url,
            self._people.fin,
            lambda c: c.runs.wait(self.thread, GRAPH, command=answer),  # type: ignore[arg-type]  # the SDK's own TypedDict
        )
        newest: str = _over_http(self._url, self._people.ada, lambda c: c.runs.list(self.thread))[0]["run_id"]
        return newest


def _over_http(url: str, key: str, do: Callable[[Any], Any]) -> Any:
    async def go() -> Any:
        try:
            return await do(client_of(url, key))
        finally:
            await close_clients()

    return asyncio.run(go())


@pytest.fixture
def case(url: str, people: People, site: Site) -> Case:
    return Case(url, people, site)


def _json(result: Result) -> Any:
    assert result.exit_code in (0, 1, 3), result.output
    return json.loads(result.stdout)


@pytest.mark.parametrize("words", [("show",), ("timeline",), ("why",), ("why", "--stage", "assess"), ("steps",)])
def test_both_ways_give_the_same_answer(on_database: Runs, by_http: Runs, case: Case, words: tuple[str, ...]) -> None:
    command, *more = words
    answers = [_json(way(command, case.run, *more, "--json")) for way in (on_database, by_http)]

    assert answers[0] == answers[1]
    assert answers[0]


def test_a_run_that_waits_is_listed_shown_and_says_how_to_answer(runs: Runs, case: Case) -> None:
    listed = _json(runs("list", "--status", "interrupted", "--workflow", GRAPH, "--limit", "500", "--json"))
    shown = runs("show", case.run)

    assert [run["waits"] for run in listed if run["run_id"] == case.run] == [True]
    assert "waits for finance" in shown.stdout
    assert f"gatehouse approvals approve {case.request['request_id']}" in shown.stdout


def test_watching_ends_with_a_code_that_says_how_it_ended(runs: Runs, case: Case) -> None:
    waits = runs("watch", case.run)
    ended = runs("watch", case.approve(), "--json")

    assert (waits.exit_code, ended.exit_code) == (3, 0)
    assert "approval.requested" in waits.stdout
    last = json.loads(ended.stdout[ended.stdout.index('{\n  "event": "ended"') :])
    assert last["run"]["outcome"] == "completed"


def test_a_run_is_followed_while_a_worker_carries_it(runs: Runs, url: str, people: People, site: Site) -> None:
    claim = {"complaint": TWICE, "account_id": new_account(site.worlds, amount_cents=900)}
    thread = _over_http(url, people.ada, lambda c: c.threads.create())["thread_id"]
    begun = _over_http(url, people.ada, lambda c: c.runs.create(thread, GRAPH, input=claim))

    watched = runs("watch", begun["run_id"])

    assert watched.exit_code == 0, watched.output
    stages = [line.split()[2] for line in watched.stdout.splitlines() if "stage.finished" in line]
    assert (stages[0], stages[-1], len(stages)) == ("open_case", "close", len(set(stages)))


def test_steps_are_printed_as_they_come_and_once(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(watching, "_REST_S", 0.01)
    asked: list[int] = []

    def tell(after: int) -> dict[str, Any]:
        asked.append(after)
        seq, status = len(asked), "success" if len(asked) == 3 else "running"
        data = {"stage": f"stage_{seq}", "kind": "code"}
        record = {"seq": seq, "run_id": "r", "at": "2026-01-01T00:00:00", "actor": "agent:x", "data": data}
        other = record | {"run_id": "another run of the case", "data": {"stage": "elsewhere", "kind": "code"}}
        records = [other | {"event": "stage.finished"}, record | {"event": "stage.finished"}]
        return {"run": {"run_id": "r", "status": status, "outcome": "completed"}, "records": records}

    ended = watching.follow(tell, as_json=True)

    printed = [json.loads(line)["data"]["stage"] for line in capsys.readouterr().out.splitlines()]
    assert (asked, printed) == ([0, 1, 2], ["stage_1", "stage_2", "stage_3"])
    assert watching.exit_code(ended) == 0


def test_why_names_the_branch_and_what_decided_it(runs: Runs, case: Case) -> None:
    way = {each["stage"]: each for each in _json(runs("why", case.run, "--json"))["stages"]}
    read = runs("why", case.run).stdout

    assert way["assess"]["then"] == ["freeze_refund"]
    assert "draft_reply" in way["assess"]["could"]
    assert [known["prompt"] for known in way["assess"]["knew"]] == ["assess_dispute"]
    assert way["assess"]["wrote"]["finding"]["amount_cents"] == 25_000
    assert {known["tool"] for known in way["read_records"]["knew"]} >= {"crm.find_customer", "billing.list_charges"}
    verdict = way["freeze_refund"]["knew"][0]
    assert (verdict["verdict"], verdict["facts"]["amount_cents"]) == ("require_approval", 25_000)
    assert "assess (model) → freeze_refund and not" in read


def test_why_of_one_stage_is_told_in_full(runs: Runs, case: Case) -> None:
    [stage] = _json(runs("why", case.run, "--stage", "assess", "--json"))["stages"]

    read = runs("why", case.run, "--stage", "assess").stdout

    assert json.dumps(stage["wrote"]["finding"], ensure_ascii=False) in read


def test_why_tells_of_the_decision_of_a_person(runs: Runs, case: Case) -> None:
    leg = case.approve()

    [gate] = _json(runs("why", leg, "--stage", "approve_refund", "--json"))["stages"]

    assert gate["then"] == ["pay_refund"]
    assert [(known["type"], known["by"]) for known in gate["knew"]] == [("approve", "key:fin")]


def test_states_are_shown_at_a_step_and_compared(runs: Runs, case: Case) -> None:
    steps = _json(runs("steps", case.run, "--json"))
    before_assess = next(step["step"] for step in steps if step["next"] == ["assess"])

    shown = _json(runs("state", case.run, "--at", str(before_assess), "--json"))
    changed = _json(runs("state", case.run, "--at", str(before_assess + 1), "--diff", str(before_assess), "--json"))
    nowhere = runs("state", case.run, "--at", "99")

    assert shown["next"] == ["assess"]
    assert "finding" in {change["path"] for change in changed["changes"]}
    assert nowhere.exit_code == 2
    assert "Steps go from -1" in nowhere.stderr


def test_a_run_is_cancelled_in_the_name_of_who_did_it(runs: Runs, case: Case, people: People) -> None:
    cancelled = runs("cancel", case.run)
    again = runs("cancel", case.run)

    assert cancelled.exit_code == 0
    assert "is cancelled" in cancelled.stdout
    assert (again.exit_code, "thread_busy" in again.stderr) == (2, True)
    [actor] = [r["actor"] for r in _json(runs("timeline", case.run, "--json")) if r["event"] == "run.cancelled"]
    assert actor.startswith(("local:", "key:olu"))


def test_a_decision_by_resume_needs_a_reviewer(
    runs: Runs, by_http: Runs, case: Case, site: Site, people: People
) -> None:
    refused = runs("resume", case.run, '{"type": "approve"}')
    silent = runs("resume", case.run)
    assert (refused.exit_code, "forbidden" in refused.stderr) == (2, True)
    assert (silent.exit_code, "gatehouse approvals approve" in silent.stderr) == (2, True)
    assert refunds_of(site.worlds, case.account) == []

    done = by_http("resume", case.run, '{"type": "approve"}', "--json", key=people.fin)

    assert by_http("watch", _json(done)["run_id"]).exit_code == 0
    assert refunds_of(site.worlds, case.account) == [25_000]


def test_a_reviewers_key_decides_on_the_database_too(on_database: Runs, case: Case, site: Site, people: People) -> None:
    done = on_database("resume", case.run, '{"type": "reject"}', "--key", people.fin, "--json")

    assert on_database("watch", _json(done)["run_id"]).exit_code == 0
    assert refunds_of(site.worlds, case.account) == []


def _step_before(runs: Runs, run: str, stage: str) -> str:
    return str(next(step["step"] for step in _json(runs("steps", run, "--json")) if step["next"] == [stage]))


def test_a_fork_runs_again_from_a_step_on_a_copy_and_does_not_act(runs: Runs, case: Case, site: Site) -> None:
    leg = case.approve()
    at = _step_before(runs, leg, "assess")

    begun = _json(runs("fork", leg, "--at", at, "--json"))
    watched = runs("watch", begun["run_id"])

    assert begun["thread_id"] != case.thread
    way = {each["stage"]: each for each in _json(runs("why", begun["run_id"], "--json"))["stages"]}
    assert "read_records" not in way
    assert way["assess"]["wrote"]["finding"]["amount_cents"] == 25_000
    assert way["freeze_refund"]["knew"][0]["rule"] == "edited-thread"
    assert watched.exit_code == 0
    assert refunds_of(site.worlds, case.account) == [25_000]


def test_a_fork_begins_with_the_state_that_was_set(runs: Runs, case: Case) -> None:
    leg = case.approve()
    at = _step_before(runs, leg, "assess")

    begun = _json(runs("fork", leg, "--at", at, "--set", "complaint=Something else", "--set", "rounds=3", "--json"))
    runs("watch", begun["run_id"])
    before = _json(runs("state", leg, "--at", at, "--json"))["values"]
    after = _json(runs("state", begun["run_id"], "--json"))["values"]

    assert before["complaint"] == TWICE
    assert (after["complaint"], after["rounds"]) == ("Something else", 4)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--at", "99"), "Steps go from"),
        (("--at", "3", "--set", "nowhere.inside=1"), "KEY=VALUE"),
        (("--at", "3", "--set", "no equals sign"), "KEY=VALUE"),
    ],
)
def test_a_fork_that_cannot_be_says_why(runs: Runs, case: Case, words: tuple[str, ...], said: str) -> None:
    leg = case.approve()

    refused = runs("fork", leg, *words)

    assert (refused.exit_code, said in refused.stderr) == (2, True)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("show", NOBODY), "gatehouse runs list"),
        (("why", NOBODY), "gatehouse runs list"),
        (("watch", NOBODY), "gatehouse runs list"),
        (("cancel", NOBODY), "gatehouse runs list"),
        (("show", "not-an-id"), "UUID"),
    ],
)
def test_what_is_not_there_is_said_with_what_to_do(runs: Runs, words: tuple[str, ...], said: str) -> None:
    refused = runs(*words)

    assert refused.exit_code == 2
    assert said in refused.stderr
