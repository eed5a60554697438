"""Erasure: what the trail says of people cannot be read any more, by anybody, and the trail stays whole."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from contracts.errors import InvalidRequest
from engine.audit.audit import chain, stream_of
from engine.audit.erasure import Erased, erase
from engine.audit.explain import explain_effect
from engine.audit.payloads import ALTERED, ERASED, UNREADABLE
from engine.audit.verify import verify
from engine.runs.model import Run
from engine.store import vault
from tests.engines import TENANT, Bench, as_owner, fresh_bench


@pytest.fixture(scope="module")
async def bench(postgres: str, folder: Path) -> AsyncIterator[Bench]:
    async with fresh_bench(postgres, folder) as bench:
        yield bench


async def paid_case(bench: Bench) -> tuple[Run, str]:
    """A case that has ended, and the key of its refund."""
    run = await bench.open_case(amount_cents=2_500)
    await bench.go_on()
    (effect,) = await bench.rows(
        "SELECT call_key FROM effect WHERE thread_id = %s AND tool = 'billing.issue_refund'", run.thread_id
    )
    return run, effect["call_key"]


async def erased(bench: Bench, subject: str, *, tenant: str = TENANT, dry_run: bool = False) -> Erased:
    async with bench.engine.database.transaction() as conn:
        return await erase(conn, subject, "Asked for by letter.", by="key:olu", tenant=tenant, dry_run=dry_run)


async def told(bench: Bench, run: Run) -> list[dict[str, Any]]:
    async with bench.engine.database.transaction() as conn:
        return [dict(link.record) for link in await chain(conn, stream_of(run.thread_id))]


async def is_whole(bench: Bench) -> bool:
    async with bench.engine.database.snapshot() as conn:
        return (await verify(conn)).intact


async def test_records_hold_a_digest_of_what_they_say_of_people(bench: Bench) -> None:
    run, _ = await paid_case(bench)

    rows = await bench.rows("SELECT canon, payload FROM audit_record WHERE stream = %s", stream_of(run.thread_id))
    text = b"".join(bytes(row["canon"]) + bytes(row["payload"] or b"") for row in rows)

    assert b'"sealed":{"fields":["args"],"sha256":"' in text
    assert b"AC-" not in text
    assert "AC-" in json.dumps(await told(bench, run))


async def test_what_was_erased_is_gone_and_the_chains_are_whole(bench: Bench) -> None:
    run, key = await paid_case(bench)
    await bench.engine.notary.note()

    done = await erased(bench, f"case:{run.thread_id}")

    records = await told(bench, run)
    assert (done.cases, done.keys) == (1, 1)
    assert {r["data"]["args"] for r in records if r["event"] == "call.started"} == {ERASED}
    assert (records[-1]["event"], records[-1]["actor"]) == ("case.erased", "key:olu")
    assert await is_whole(bench)
    async with bench.engine.database.transaction() as conn:
        answers = await explain_effect(conn, key, tenant=TENANT)
    assert answers["what_changed"] == [f"done: {ERASED}"]


async def test_without_its_salt_no_key_of_the_installation_opens_a_payload(bench: Bench) -> None:
    run, _ = await paid_case(bench)
    await erased(bench, f"case:{run.thread_id}")

    left = await bench.rows("SELECT salt FROM audit_salt WHERE stream = %s", stream_of(run.thread_id))

    assert [row["salt"] for row in left] == [None]


async def test_a_dry_run_erases_nothing(bench: Bench) -> None:
    run, _ = await paid_case(bench)
    before = await told(bench, run)

    done = await erased(bench, f"case:{run.thread_id}", dry_run=True)

    assert (done.cases, done.keys) == (1, 0)
    assert await told(bench, run) == before


async def test_a_subject_is_also_who_asked_or_what_a_case_is_about(bench: Bench) -> None:
    run, _ = await paid_case(bench)
    account = (await bench.state(run))["account_id"]

    of_the_account = await erased(bench, f"account:{account}")
    of_ada = await erased(bench, "requester:key:ada")

    assert of_the_account.cases == 1
    assert of_ada.cases >= 1
    assert await bench.rows("SELECT 1 FROM audit_salt WHERE salt IS NOT NULL") == []


async def test_a_case_that_has_not_ended_is_left_alone(bench: Bench) -> None:
    run, _ = await bench.parked_case()
    before = await told(bench, run)

    done = await erased(bench, f"case:{run.thread_id}")

    assert (done.cases, done.under_way) == (0, [run.thread_id])
    assert await told(bench, run) == before


async def test_cases_of_other_tenants_are_not_erased(bench: Bench) -> None:
    run, _ = await paid_case(bench)

    for subject in (f"case:{run.thread_id}", "requester:key:ada"):
        assert (await erased(bench, subject, tenant="other")).cases == 0


async def test_a_subject_without_a_kind_is_refused(bench: Bench) -> None:
    with pytest.raises(InvalidRequest):
        await erased(bench, "robin@example.com")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("payload = NULL", ALTERED),
        ("payload = set_byte(payload, 60, get_byte(payload, 60) # 1)", UNREADABLE),
        (
            "payload = (SELECT o.payload FROM audit_record o WHERE o.stream = r.stream AND o.payload IS NOT NULL "
            "AND o.seq <> r.seq ORDER BY o.seq LIMIT 1)",
            ALTERED,
        ),
    ],
    ids=["taken away", "altered", "exchanged"],
)
async def test_a_payload_that_is_not_the_recorded_one_is_not_told(bench: Bench, change: str, said: str) -> None:
    run, _ = await paid_case(bench)
    async with as_owner(bench.engine.database) as conn, conn.transaction(force_rollback=True):
        await conn.execute("SET LOCAL session_replication_role = replica")
        last = "SELECT max(seq) FROM audit_record WHERE stream = r.stream AND payload IS NOT NULL"
        query = f"UPDATE audit_record r SET {change} WHERE stream = %s AND seq = ({last})"
        await conn.execute(query, (stream_of(run.thread_id),))  # type: ignore[arg-type]  # text of this test
        records = [link.record for link in await chain(conn, stream_of(run.thread_id))]

    assert said in json.dumps(records)


def test_a_text_is_opened_for_its_own_case_alone() -> None:
    ours, theirs = vault.Vault(b"1" * 32), vault.Vault(b"2" * 32)

    payload, salt = ours.seal("case:a", b"text")

    assert ours.open("case:a", payload, salt) == b"text"
    assert ours.open("case:b", payload, salt) is None
    assert theirs.open("case:a", payload, salt) is None
