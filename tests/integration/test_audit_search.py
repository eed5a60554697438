"""The trail is searched by business object: what a call names finds its case, in one's own tenant, by an index."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from contracts.errors import InvalidRequest
from engine.audit.objects import cases_about, objects_of
from engine.runs.model import Run
from tests.engines import TENANT, Bench, fresh_bench


@pytest.fixture(scope="module")
async def bench(postgres: str, folder: Path) -> AsyncIterator[Bench]:
    async with fresh_bench(postgres, folder) as bench:
        yield bench


@pytest.fixture(scope="module")
async def parked(bench: Bench) -> tuple[Run, str]:
    """A refund that nobody has decided, and the charge it is about."""
    run, request = await bench.parked_case()
    await bench.parked_case()
    return run, str(request.args["charge_id"])


async def search(bench: Bench, asked: str, tenant: str = TENANT) -> list[dict[str, Any]]:
    async with bench.engine.database.reading() as conn:
        return await cases_about(conn, asked, tenant=tenant, limit=100)


@pytest.mark.parametrize("kind", ["charge", "billing"])
async def test_a_case_is_found_by_what_its_action_is_about(bench: Bench, parked: tuple[Run, str], kind: str) -> None:
    """Also an action that was only proposed; by the kind of the object, or by the system that keeps it."""
    run, charge = parked

    (found,) = await search(bench, f"{kind}:{charge}")

    assert (found["run_id"], found["workflow"]) == (run.id, run.workflow)
    (named,) = [named for named in found["objects"] if named["kind"] == "charge"]
    records = await bench.events(run)
    assert records[named["first_seq"] - 1][0] == "action.frozen"


async def test_a_case_is_found_by_what_it_read(bench: Bench, parked: tuple[Run, str]) -> None:
    run, charge = parked
    account = f"AC-{charge.split('-')[1]}"

    (found,) = await search(bench, f"account:{account}")

    assert {named["system"] for named in found["objects"]} >= {"crm", "billing"}
    assert found["run_id"] == run.id


async def test_a_case_is_found_by_its_own_id(bench: Bench, parked: tuple[Run, str]) -> None:
    run, charge = parked

    (found,) = await search(bench, f"case:{run.thread_id}")

    assert charge in {named["value"] for named in found["objects"]}


async def test_objects_of_other_tenants_are_not_found(bench: Bench, parked: tuple[Run, str]) -> None:
    run, charge = parked

    assert await search(bench, f"charge:{charge}", tenant="other") == []
    assert await search(bench, f"case:{run.thread_id}", tenant="other") == []


@pytest.mark.parametrize("asked", ["1042", ":1042", "order:", ""])
async def test_what_names_no_object_is_refused(bench: Bench, asked: str) -> None:
    with pytest.raises(InvalidRequest):
        await search(bench, asked)


async def test_an_object_is_found_by_an_index(bench: Bench) -> None:
    query = "SELECT stream FROM audit_object WHERE tenant = 'x' AND value = 'y' AND 'order' IN (kind, system)"

    async with bench.engine.database.transaction() as conn:
        await conn.execute("SET LOCAL enable_seqscan = off")
        plan = str(await (await conn.execute(f"EXPLAIN {query}")).fetchall())  # type: ignore[arg-type]

    assert "Index" in plan
    assert "(tenant = 'x'::text) AND (value = 'y'::text)" in plan


def test_identifiers_in_lists_are_objects_each() -> None:
    args: dict[str, Any] = {"order_id": "W1", "item_ids": ["1", "2"], "to": "x@example.com", "note": "none", "n": 3}

    found = objects_of("t", "shop.exchange", args, "x@example.com")

    assert found.named == (
        ("shop", "order", "W1"),
        ("shop", "item", "1"),
        ("shop", "item", "2"),
        ("shop", "to", "x@example.com"),
    )
