"""`gatehouse policy`: told from what people decided and from the rules, refused where it must be, nothing changed."""

import json
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from cli import app
from engine.operations.automation import Wish, suggest_rules
from engine.operations.simulating import differing_rules
from engine.operations.suggestions import Demands
from tests.conftest import TRIALS
from tests.engines import TENANT, Bench, fresh_bench

_COPIES = """
WITH made AS (
    INSERT INTO approval (id, freeze_key, tenant, thread_id, run_id, workflow, version, requester, queue, tool,
        tool_version, args, facts, action_digest, verdict, rule, why, role, quorum, policy_version, card, status,
        requested_at, decided_at, decided_by, reason, reason_code)
    SELECT gen_random_uuid(), 'copy ' || n, tenant, thread_id, run_id, workflow, version, requester, queue, tool,
        tool_version, jsonb_build_object('case', 'c' || n, 'number', 11 + n %% 40), facts, action_digest, verdict, rule,
        why, role, quorum, policy_version, card, CASE WHEN n %% 40 = 20 THEN 'rejected' ELSE 'approved' END,
        now() - make_interval(hours => n), now() - make_interval(hours => n), 'key:fin',
        CASE WHEN n %% 40 = 20 THEN 'too many [at once]' ELSE '' END,
        CASE WHEN n %% 40 = 20 THEN 'wrong_amount' ELSE '' END
    FROM approval, generate_series(1, %s) AS n WHERE id = %s RETURNING id, decided_at, status)
INSERT INTO approval_vote (request_id, by, type, roles, action_digest, claimed_at, at)
SELECT id, 'key:fin', CASE status WHEN 'approved' THEN 'approve' ELSE 'reject' END, '{finance}', '',
       decided_at - interval '30 s', decided_at FROM made
"""


@pytest.fixture(scope="module")
async def bench(postgres: str, folder: Path) -> AsyncIterator[Bench]:
    """Two hundred decisions about numbers up to 50, of which one was always rejected."""
    async with fresh_bench(postgres, folder, registry=TRIALS) as made:
        bench = replace(made, workflow="gate")
        run = await bench.accept({"case": "c", "number": 50})
        await bench.go_on()
        await bench.rows(_COPIES, 200, (await bench.request_of(run)).id)
        yield bench


async def told(bench: Bench, **wish: Any) -> dict[str, Any]:
    async with bench.engine.database.reading() as conn:
        workflow = bench.engine.catalog["gate"]
        [one] = await suggest_rules(conn, workflow, Wish(wish.pop("demands", Demands()), **wish), tenant=TENANT)
    return one


async def test_an_effect_that_cannot_be_taken_back_is_looked_at_only_when_asked_for(bench: Bench) -> None:
    silent, asked = await told(bench), await told(bench, irreversible=True)

    assert (silent["refused"], silent["suggestions"]) == (
        "its effect cannot be taken back; look at it with --irreversible",
        [],
    )
    assert asked["refused"] == ""


async def test_a_suggestion_comes_with_code_support_and_counter_examples(bench: Bench) -> None:
    one = await told(bench, irreversible=True)

    suggestion = one["suggestions"][0]
    assert suggestion["says"] == "number at most 50"
    assert 'at_most("number", 50)' in suggestion["allow"]
    assert 'above("number", 50)' in suggestion["instead"][0]
    assert (suggestion["older"]["covered"], suggestion["newer"]["covered"]) == (140, 60)
    against = suggestion["against"]
    said = {(one["decision"], one["reason_code"], one["facts"]["number"]) for one in against}
    assert said == {("reject", "wrong_amount", 31)}
    assert (len(against), one["looked_p50_s"], one["by"]) == (5, 30.0, {"key:fin": 200})


async def test_a_stricter_demand_stops_before_what_was_rejected(bench: Bench) -> None:
    one = await told(bench, irreversible=True, demands=Demands(share=0.94))

    [suggestion] = one["suggestions"]
    assert (suggestion["says"], suggestion["against"]) == ("number at most 30", [])


async def test_too_little_history_says_how_much_is_missing(bench: Bench) -> None:
    few = await told(bench, irreversible=True, last=30)
    hasty = await told(bench, irreversible=True, demands=Demands(at_least_s=31))

    assert few["refused"] == "too little history: 30 decisions of the 50 that it takes, 20 are missing"
    assert hasty["refused"].startswith("too little history: 0 decisions")


async def test_nothing_is_changed_and_it_is_told_by_command(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = bench.engine.settings
    ours = {"DATABASE_URL": settings.database_url.get_secret_value() if settings.database_url else ""}
    for name, value in (ours | {"GATEHOUSE_REGISTRY": str(TRIALS)}).items():
        monkeypatch.setenv(name, value)
    before = await bench.rows("SELECT count(*) AS n, max(decided_at) AS at FROM approval")

    runs = [_invoke("gate", "--irreversible", *more) for more in ([], ["--json"])]
    unknown = _invoke("nonsense")

    assert [run.exit_code for run in (*runs, unknown)] == [0, 0, 2]
    assert "too many [at once]" in runs[0].stdout
    assert json.loads(runs[1].stdout)[0]["suggestions"]
    assert await bench.rows("SELECT count(*) AS n, max(decided_at) AS at FROM approval") == before


def _invoke(*arguments: str) -> Any:
    with ThreadPoolExecutor(1) as other:  # the command has a loop of its own
        return other.submit(CliRunner().invoke, app, ["policy", "suggest", *arguments]).result()


def _ask(*arguments: str) -> Any:
    with ThreadPoolExecutor(1) as other:  # the command has a loop of its own
        return other.submit(CliRunner().invoke, app, ["policy", *arguments]).result()


async def test_history_is_judged_anew_and_one_request_is_explained(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings, request = bench.engine.settings, (await bench.rows("SELECT id FROM approval LIMIT 1"))[0]["id"]
    monkeypatch.setenv("DATABASE_URL", settings.database_url.get_secret_value() if settings.database_url else "")
    monkeypatch.setenv("GATEHOUSE_REGISTRY", str(TRIALS))
    monkeypatch.setenv("GATEHOUSE_TENANT", TENANT)
    await bench.rows("UPDATE approval SET verdict = 'allow' WHERE freeze_key = 'copy 7'")

    simulated = json.loads(_ask("simulate", "gate", "--json").stdout)[0]
    explained = json.loads(_ask("explain", str(request), "--json").stdout)

    assert (simulated["requests"], [change["now"] for change in simulated["changed"]]) == (
        201,
        ["require_approval finance"],
    )
    assert explained["rule"] == "large"
    assert "context.number > 10" in explained["fired"]["large"]


async def test_decisions_on_file_teach_what_those_in_the_database_do(
    bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings, file = bench.engine.settings, tmp_path / "decisions.jsonl"
    monkeypatch.setenv("DATABASE_URL", settings.database_url.get_secret_value() if settings.database_url else "")
    monkeypatch.setenv("GATEHOUSE_REGISTRY", str(TRIALS))

    exported = _ask("decisions", "gate", "-o", str(file))
    stored = json.loads(_invoke("gate", "--irreversible", "--json").stdout)[0]
    monkeypatch.setenv("DATABASE_URL", "postgresql://nobody@127.0.0.1:9/nothing")
    learnt = json.loads(_invoke("gate", "--irreversible", "--json", "--decisions", str(file)).stdout)[0]

    assert "200 decisions" in exported.stdout
    assert learnt["by"] == {"person 1": 200}
    for told in (stored, learnt):
        del told["by"], told["cases"]
        for suggestion in told["suggestions"]:
            del suggestion["by"], suggestion["saved_a_case"]
            suggestion["against"] = [(one["request_id"], one["reason"]) for one in suggestion["against"]]
    assert learnt == stored


async def test_an_experiment_says_what_it_would_have_changed_of_what_people_decided(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = bench.engine.settings
    monkeypatch.setenv("DATABASE_URL", settings.database_url.get_secret_value() if settings.database_url else "")
    monkeypatch.setenv("GATEHOUSE_REGISTRY", str(TRIALS))
    monkeypatch.setenv("GATEHOUSE_TENANT", TENANT)
    small = "UPDATE approval SET args = args || '{\"number\": 5}' WHERE freeze_key = ANY(%s)"
    await bench.rows(small, ["copy 8", "copy 9", "copy 20"])

    simulated = json.loads(_ask("simulate", "gate", "--json").stdout)[0]
    shown = _ask("simulate", "gate").stdout

    assert simulated["decisions"]["by_people"] == 200
    fates = {
        change["decision_would_be"]: change["decision"] for change in simulated["changed"] if change["now"] == "allow"
    }
    assert fates == {"spared": "approve", "overruled": "reject"}
    assert (simulated["decisions"]["overruled"], simulated["decisions"]["spared"]) == (1, 2)
    assert "would have changed 1 of 200 human decisions, spared 2 that agree with it" in shown


def test_the_text_of_a_policy_is_shown_and_an_unknown_workflow_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GATEHOUSE_REGISTRY", str(TRIALS))

    shown, untested, unknown = _ask("show", "gate", "--json"), _ask("test", "gate"), _ask("test", "nonsense")

    assert json.loads(shown.stdout)["cedar"].startswith('@id("large")')
    assert (untested.exit_code, "no fixture shows" in untested.stdout) == (1, True)
    assert unknown.exit_code == 2


def test_two_versions_are_told_apart_by_what_they_say() -> None:
    rule = {"verdict": "deny", "tool": "a.b", "when": [], "quorum": {"roles": [], "needed": 0}, "within_s": 0}
    older: Any = {"policy": {"rules": {"kept": rule, "gone": rule}, "version": "1", "owner": "a"}}
    newer: Any = {"policy": {"rules": {"kept": rule | {"verdict": "allow"}}, "version": "2", "owner": "b"}}

    told = [(one["change"], one["what"], one["before"], one["after"]) for one in differing_rules(older, newer)]

    assert told == [
        ("removed", "rule gone", "deny a.b", None),
        ("changed", "rule kept", "deny a.b", "allow a.b"),
        ("changed", "owner", "a", "b"),
    ]
