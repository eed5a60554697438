"""Retention of the audit trail: ended periods are sealed, only what lies behind a seal goes, and tampering is found."""

import asyncio
import io
import zipfile
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from contracts.errors import AuditNotSealed, ConfigurationError
from engine.audit import seals
from engine.audit.audit import Link, chain, stream_of
from engine.audit.evidence import Evidence
from engine.audit.export import bundle_of
from engine.audit.offline import link_hash, problems_of, pruned_of
from engine.audit.sealing import Periods, Sealing, periods
from engine.audit.signing import Signer, ring_of
from engine.audit.verify import Verification, first_fault, verify
from engine.runs.model import Run
from engine.store.database import Connection
from engine.upkeep import janitor_of, periods_of
from tests.engines import Bench, as_owner, fresh_bench

AGE = "UPDATE audit_checkpoint SET made_at = made_at - make_interval(days => %s)"
PERIODS = Periods({}, 400)
Attack = Callable[[Connection, str], Awaitable[object]]


def sealing_of(bench: Bench, **changes: object) -> Sealing:
    engine = bench.engine
    return replace(Sealing(engine.database, engine.notary.signer, PERIODS, engine.notary), **changes)  # type: ignore[arg-type]


async def age(bench: Bench, days: int) -> None:
    """Let everything that is noted so far have been noted so long ago."""
    await bench.engine.notary.note()
    async with as_owner(bench.engine.database) as conn, conn.transaction():
        await conn.execute("SET LOCAL session_replication_role = replica")
        await conn.execute(AGE, (days,))


async def ended(bench: Bench) -> Run:
    run = await bench.open_case(amount_cents=2_500)
    await bench.go_on()
    return run


async def links_of(bench: Bench, run: Run) -> list[Link]:
    async with bench.engine.database.reading() as conn:
        return await chain(conn, stream_of(run.thread_id))


async def verified(bench: Bench) -> Verification:
    async with bench.engine.database.snapshot() as conn:
        return await verify(conn, evidence=Evidence(bench.engine.notary.signer.ring))


def unpacked(bundle: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(bundle)) as packed:
        return {name: packed.read(name) for name in packed.namelist()}


@pytest.fixture(scope="module")
async def bench(postgres: str, folder: Path) -> AsyncIterator[Bench]:
    async with fresh_bench(postgres, folder / "seals") as bench:
        yield bench


@dataclass(frozen=True)
class Old:
    """A bench with a case that was closed and pruned, one that was not, and one that waits for somebody."""

    bench: Bench
    run: Run
    before: list[Link]
    young: Run
    parked: Run

    @property
    def stream(self) -> str:
        return stream_of(self.run.thread_id)

    @asynccontextmanager
    async def attacked(self, attack: Attack) -> AsyncIterator[Connection]:
        async with as_owner(self.bench.engine.database) as conn, conn.transaction(force_rollback=True):
            await conn.execute("SET LOCAL session_replication_role = replica")
            await attack(conn, self.stream)
            yield conn


@pytest.fixture(scope="module")
async def old(postgres: str, folder: Path) -> AsyncIterator[Old]:
    async with fresh_bench(postgres, folder / "sealed") as bench:
        run, (parked, _) = await ended(bench), await bench.parked_case()
        before = await links_of(bench, run)
        await age(bench, 401)
        young = await ended(bench)
        await bench.engine.notary.note()
        await sealing_of(bench).work()
        yield Old(bench, run, before, young, parked)


async def test_an_ended_case_keeps_its_seal_alone_and_verifies(old: Old) -> None:
    left = await links_of(old.bench, old.run)
    salts = await old.bench.rows("SELECT 1 FROM audit_salt WHERE stream = %s", old.stream)
    objects = await old.bench.rows("SELECT 1 FROM audit_object WHERE stream = %s", old.stream)
    found = await verified(old.bench)

    assert [(link.seq, link.record["event"]) for link in left] == [(len(old.before) + 1, "audit.sealed")]
    assert left[0].prev == old.before[-1].hash
    assert (salts, objects) == ([], [])
    assert (found.findings, found.pruned >= len(old.before)) == ((), True)


async def test_cases_that_are_young_or_wait_for_somebody_stay_whole(old: Old) -> None:
    for run in (old.young, old.parked):
        links = await links_of(old.bench, run)
        assert [link.seq for link in links] == list(range(1, len(links) + 1))
        assert "audit.sealed" not in [link.record["event"] for link in links]


async def test_what_is_closed_is_not_closed_again(old: Old) -> None:
    assert await sealing_of(old.bench).work() == (0, 0)


async def test_a_pruned_case_is_whole_to_who_reads_it(old: Old) -> None:
    async with old.bench.engine.database.reading() as conn:
        links, sealed = await chain(conn, old.stream), await seals.seals(conn, old.stream)

    end = (links[-1].seq, links[-1].hash)
    assert first_fault(old.stream, links, end, sealed[old.stream]) is None
    assert "record 1 is missing" in str(first_fault(old.stream, links, end))


async def test_a_bundle_of_a_pruned_case_verifies_and_says_what_is_gone(old: Old) -> None:
    signer = old.bench.engine.notary.signer
    async with old.bench.engine.database.snapshot() as conn:
        files = unpacked(await bundle_of(conn, signer, old.stream))

    assert problems_of(files, signer.ring) == []
    assert f"Records 1 to {len(old.before)} were pruned" in pruned_of(files)
    assert problems_of({name: text for name, text in files.items() if name != "seal.json"}, signer.ring)
    assert problems_of(files | {"seal.json": files["seal.json"].replace(b"records", b"recorde")}, signer.ring)


async def edit_seal(conn: Connection, stream: str) -> None:
    text = "replace(convert_from(body, 'UTF8'), '\"keep_days\":400', '\"keep_days\":1')"
    await conn.execute(f"UPDATE audit_seal SET body = convert_to({text}, 'UTF8') WHERE stream = %s", (stream,))


async def sign_edited_seal(conn: Connection, stream: str) -> None:
    """With the installation's own key: the chain holds the digest of the one that was."""
    await edit_seal(conn, stream)
    await sign(conn, stream, SIGNER[0])


async def sign(conn: Connection, stream: str, signer: Signer) -> None:
    row = await (await conn.execute("SELECT body FROM audit_seal WHERE stream = %s", (stream,))).fetchone()
    assert row
    change = "UPDATE audit_seal SET signature = %s, key_id = %s WHERE stream = %s"
    await conn.execute(change, (signer.sign("seal", bytes(row["body"])), signer.key_id, stream))


async def sign_with_another_key(conn: Connection, stream: str) -> None:
    await sign(conn, stream, Signer(Ed25519PrivateKey.generate(), {}))


async def move_seal(conn: Connection, stream: str) -> None:
    await conn.execute("UPDATE audit_seal SET seq = seq - 1 WHERE stream = %s", (stream,))


async def delete_seal(conn: Connection, stream: str) -> None:
    await conn.execute("DELETE FROM audit_seal WHERE stream = %s", (stream,))


async def prune_more(conn: Connection, stream: str) -> None:
    """Also the record of the seal, behind which one of the attacker's own stands."""
    link = (await chain(conn, stream))[-1]
    digest = link_hash(stream, link.seq + 1, link.hash, b"{}")
    change = "UPDATE audit_record SET seq = %s, prev = %s, hash = %s, canon = '{}' WHERE stream = %s"
    await conn.execute(change, (link.seq + 1, link.hash, digest, stream))
    await conn.execute("UPDATE audit_head SET seq = %s, hash = %s WHERE stream = %s", (link.seq + 1, digest, stream))


async def insert_again(conn: Connection, stream: str) -> None:
    """A record as it might have been, behind the seal."""
    link = (await chain(conn, stream))[0]
    change = "INSERT INTO audit_record (stream, seq, prev, hash, canon) VALUES (%s, %s, %s, %s, '{}')"
    await conn.execute(change, (stream, link.seq - 1, b"\1" * 32, link.prev))


async def insert_another_story(conn: Connection, stream: str) -> None:
    """All of what was pruned, chained as it should be, and one word of it another."""
    sealed, prev = (await chain(conn, stream))[0].seq - 1, bytes(32)
    for seq in range(1, sealed + 1):
        digest = link_hash(stream, seq, prev, b"{}")
        change = "INSERT INTO audit_record (stream, seq, prev, hash, canon) VALUES (%s, %s, %s, %s, '{}')"
        await conn.execute(change, (stream, seq, prev, digest))
        prev = digest


async def drop_checkpoints(conn: Connection, stream: str) -> None:
    """Those behind the first, which covers no seal."""
    await conn.execute("DELETE FROM audit_leaf WHERE checkpoint > 1")
    await conn.execute("DELETE FROM audit_checkpoint WHERE number > 1")


SIGNER: list[Signer] = []
"""Of the installation that is attacked."""
ATTACKS: list[tuple[Attack, str]] = [
    (edit_seal, "is not signed by a trusted key"),
    (sign_edited_seal, "its seal is not recorded in the chain"),
    (sign_with_another_key, "is not signed by a trusted key"),
    (move_seal, "its seal is of another place"),
    (delete_seal, "record 1 is missing"),
    (prune_more, "the chain begins here, and its seals end at record"),
    (insert_again, "the chain begins here, and its seals end at record"),
    (insert_another_story, "its seal names another record here"),
    (drop_checkpoints, "no checkpoint covers the seal"),
]


@pytest.mark.parametrize(("attack", "problem"), ATTACKS, ids=[attack.__name__ for attack, _ in ATTACKS])
async def test_each_attack_on_a_seal_is_found_and_named(old: Old, attack: Attack, problem: str) -> None:
    SIGNER[:] = [old.bench.engine.notary.signer]

    async with old.attacked(attack) as conn:
        found = await verify(conn, evidence=Evidence(old.bench.engine.notary.signer.ring))

    [named] = [finding.problem for finding in found.findings if finding.stream == old.stream]
    assert problem in named


@pytest.mark.controls
async def test_a_seal_counts_by_its_signature_alone(old: Old) -> None:
    async with old.attacked(sign_with_another_key) as conn:
        with_it = await verify(conn, evidence=Evidence(old.bench.engine.notary.signer.ring))
        without = await verify(conn, evidence=Evidence(None))

    assert [finding.stream for finding in with_it.findings] == [old.stream]
    assert without.intact, "the signature is what this control consists of"


async def test_nothing_goes_without_a_seal_that_holds(old: Old) -> None:
    """Neither by the application's plain statement, nor by the function, nor by a seal of something young."""
    database, stream = old.bench.engine.database, stream_of(old.young.thread_id)
    seq = len(await links_of(old.bench, old.young))
    delete = f"DELETE FROM audit_record WHERE stream = '{stream}'"
    for statement in (
        delete,
        f"WITH s AS (SELECT set_config('gatehouse.pruning', '{stream}', true)) {delete}",
        f"SELECT audit_prune('{stream}')",
        f"SELECT audit_note_seal('{stream}', {seq}, '{{}}', '', '', 1)",
        f"INSERT INTO audit_seal VALUES ('{stream}', 1, '', '', '', '', 2, 1)",
    ):
        with pytest.raises(psycopg.DatabaseError) as refused:
            async with database.transaction() as conn:
                await conn.execute(statement)  # type: ignore[call-overload]  # text of a test
        assert refused.value.sqlstate in ("GH003", "42501")


@pytest.mark.controls
async def test_the_owner_deletes_only_behind_a_seal_while_the_trigger_stands(old: Old) -> None:
    stream = stream_of(old.young.thread_id)
    async with as_owner(old.bench.engine.database) as conn, conn.transaction(force_rollback=True):
        await conn.execute("SELECT set_config('gatehouse.pruning', %s, true)", (stream,))
        with pytest.raises(psycopg.DatabaseError, match="append-only"):
            async with conn.transaction():
                await conn.execute("DELETE FROM audit_record WHERE stream = %s", (stream,))
        await conn.execute("ALTER TABLE audit_record DISABLE TRIGGER audit_record_no_change")
        assert (await conn.execute("DELETE FROM audit_record WHERE stream = %s", (stream,))).rowcount


async def test_the_plan_changes_nothing_and_a_crash_between_seal_and_pruning_is_made_good(bench: Bench) -> None:
    run = await ended(bench)
    whole = await links_of(bench, run)
    await age(bench, 401)
    planned = await sealing_of(bench).plan()
    assert await links_of(bench, run) == whole

    closed = await sealing_of(bench, notary=None).work()
    assert (closed[0], closed[1], len(await links_of(bench, run))) == (planned[0], 0, len(whole) + 1)
    assert (await verified(bench)).intact
    await bench.engine.notary.note()

    assert await sealing_of(bench).plan() == (0, planned[1])
    assert await sealing_of(bench).work() == (0, planned[1])
    assert (len(await links_of(bench, run)), (await verified(bench)).intact) == (1, True)


async def test_a_case_that_goes_on_after_its_seal_keeps_its_records_until_it_ends(bench: Bench) -> None:
    run = await ended(bench)
    await age(bench, 401)
    await sealing_of(bench, notary=None).work()
    await bench.engine.notary.note()
    await bench.rows("UPDATE thread SET status = 'interrupted' WHERE id = %s", run.thread_id)

    assert (await sealing_of(bench).work())[1] == 0
    with pytest.raises(psycopg.DatabaseError, match="lets records"):
        await bench.rows("SELECT audit_prune(%s)", stream_of(run.thread_id))
    await bench.rows("UPDATE thread SET status = 'idle' WHERE id = %s", run.thread_id)
    assert (await sealing_of(bench).work())[1] > 0


async def test_a_seal_of_another_key_lets_nothing_go(bench: Bench) -> None:
    run = await ended(bench)
    await age(bench, 401)
    stranger = Signer(Ed25519PrivateKey.generate(), ring_of([]))
    await sealing_of(bench, signer=stranger, notary=None).work()
    await bench.engine.notary.note()
    whole = await links_of(bench, run)

    assert await sealing_of(bench).work() == (0, 0)
    assert await links_of(bench, run) == whole
    assert "is not signed by a trusted key" in str((await verified(bench)).findings)


@pytest.mark.parametrize("days", [-2, 500])
async def test_a_moved_clock_closes_nothing(bench: Bench, days: int) -> None:
    moved = sealing_of(bench, clock=lambda: datetime.now(UTC) + timedelta(days=days))

    for work in (moved.plan, moved.work):
        with pytest.raises(AuditNotSealed, match="apart"):
            await work()


async def test_two_replicas_close_a_chain_once(bench: Bench) -> None:
    run = await ended(bench)
    await age(bench, 401)

    await asyncio.gather(sealing_of(bench).work(), sealing_of(bench).work())
    await sealing_of(bench).work()

    sealed = await bench.rows("SELECT 1 FROM audit_seal WHERE stream = %s", stream_of(run.thread_id))
    assert (len(sealed), len(await links_of(bench, run))) == (1, 1)


async def test_the_janitor_counts_what_is_closed(bench: Bench) -> None:
    await ended(bench)
    await age(bench, 401)
    engine = bench.engine
    janitor = janitor_of(engine.settings, engine.database, engine.dispatcher, sealing_of(bench))

    planned, cleaned = await janitor.plan(), await janitor.clean()

    assert (planned.chains_sealed, planned.records) == (cleaned.chains_sealed, cleaned.records)
    assert cleaned.records > cleaned.chains_sealed > 0


def test_what_is_of_high_risk_is_kept_for_184_days_at_least() -> None:
    risky = {"refunds": True, "questions": False}

    assert periods(400, {}, risky) == Periods({"refunds": 400, "questions": 400}, 400)
    assert periods(30, {"refunds": 184}, risky) == Periods({"refunds": 184, "questions": 30}, 184)
    with pytest.raises(ConfigurationError, match="refunds would be kept for 183"):
        periods(183, {}, risky)
    with pytest.raises(ConfigurationError, match="no loaded workflow"):
        periods(400, {"elsewhere": 500}, risky)


def test_the_risk_of_a_workflow_is_that_of_its_tools(bench: Bench) -> None:
    short = bench.engine.settings.model_copy(update={"audit_keep_days": 183.0})

    with pytest.raises(ConfigurationError, match=bench.workflow):
        periods_of(short, bench.engine.catalog)
    assert periods_of(bench.engine.settings, bench.engine.catalog).of_workflows[bench.workflow] == 400
