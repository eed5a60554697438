"""ASI06, memory and context poisoning: what an outsider wrote is kept by us, and is no more trusted for that."""

import pytest

from engine.access.keys import Principal
from engine.items.items import Search, put_item, search_items
from engine.store.scope import of_tenant
from tests.engines import TENANT, Bench
from tests.owasp.hijacked import played
from tests.tenancy import Catalog

pytestmark = pytest.mark.owasp

_LAUNDERED = {
    "by a file's name": ("laundering-by-file-name", "office.send_mail"),
    "by a title": ("laundering-by-title", "office.pay"),
    "by a mail to oneself": ("laundering-by-mail-to-self", "office.pay"),
    "by a contact": ("laundering-by-contact-entry", "office.pay"),
    "in an earlier case": ("laundering-in-an-earlier-case", "office.send_mail"),
    "by a mail of an earlier case": ("laundering-mail-in-an-earlier-case", "office.pay"),
}
_HELD = ("thread", "run", "approval", "effect", "audit_record", "checkpoints", "checkpoint_blobs")
ADA = Principal("key:ada", frozenset({"caller"}), frozenset(), TENANT)


@pytest.mark.parametrize(("attack", "tool"), _LAUNDERED.values(), ids=_LAUNDERED)
async def test_what_is_read_back_from_ourselves_stays_untrusted(bench: Bench, attack: str, tool: str) -> None:
    outcome = await played(bench, attack)

    assert outcome.harmful == ()
    assert f"guards-ask-{tool}" in outcome.reasons


async def test_another_tenant_reads_nothing_of_a_case_from_any_table(bench: Bench) -> None:
    await bench.parked_case()
    catalog = Catalog(bench.engine.database.dsn)
    counts = {}

    for tenant in (TENANT, "elsewhere"):
        with catalog.as_tenant(tenant) as conn:
            tables = catalog.owned() if tenant == "elsewhere" else list(_HELD)
            counts[tenant] = {t: len(conn.execute(f"SELECT 1 FROM {t}".encode()).fetchall()) for t in tables}

    assert all(counts[TENANT].values())
    assert {table: n for table, n in counts["elsewhere"].items() if n} == {}
    assert set(_HELD) <= set(counts["elsewhere"])


async def test_what_one_tenant_remembers_another_does_not_hear(bench: Bench) -> None:
    with of_tenant(TENANT):
        async with bench.engine.database.transaction() as conn:
            await put_item(conn, ("notes",), "payee", {"iban": "GB33"}, ADA, ttl_min=None)

    found = {}
    for tenant in (TENANT, "elsewhere"):
        with of_tenant(tenant):
            async with bench.engine.database.reading() as conn:
                found[tenant] = len(await search_items(conn, Search(("notes",)), tenant=tenant))

    assert found == {TENANT: 1, "elsewhere": 0}


@pytest.mark.parametrize("task", ["benign-renames-a-file", "benign-does-three-things"])
async def test_what_is_ours_is_used_without_asking_anybody(bench: Bench, task: str) -> None:
    outcome = await played(bench, task)

    assert (outcome.wanted, outcome.asked, outcome.reasons) == (True, 0, ())
