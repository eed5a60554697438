"""What an administrator of the database does to the trail, as cleverly as can be, is found and named."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from contracts.errors import AnchorRefused
from engine.audit import checkpoints
from engine.audit.anchors import FileAnchor, read_anchors
from engine.audit.audit import chain, head, stream_of
from engine.audit.evidence import CHECKPOINTS, Evidence
from engine.audit.offline import START, link_hash
from engine.audit.receipts import receipt_of
from engine.audit.signing import Signer, ring_of
from engine.audit.verify import Verification, verify
from engine.store.database import Connection
from tests.engines import Bench, as_owner, fresh_bench

Attack = Callable[[Connection, str], Awaitable[None]]


@dataclass(frozen=True)
class Trail:
    """A bench with two paid cases, every chain noted in anchored checkpoints, and what stands outside the database."""

    bench: Bench
    stream: str
    length: int
    evidence: Evidence

    async def verified(self, attack: Attack, evidence: Evidence | None = None) -> Verification:
        """What is found after an attack, which is taken back."""
        async with self.attacked(attack) as conn:
            return await verify(conn, evidence=self.evidence if evidence is None else evidence)

    @asynccontextmanager
    async def attacked(self, attack: Attack) -> AsyncIterator[Connection]:
        owner = as_owner(self.bench.engine.database)
        async with owner as conn, conn.transaction(force_rollback=True):
            await conn.execute("SET LOCAL session_replication_role = replica")
            await attack(conn, self.stream)
            yield conn


@pytest.fixture(scope="module")
async def trail(postgres: str, folder: Path) -> AsyncIterator[Trail]:
    async with fresh_bench(postgres, folder) as bench:
        notary = bench.engine.notary
        run, _ = await bench.parked_case()
        await notary.look()
        await bench.approve(run)
        await bench.open_case(amount_cents=2_500)
        await bench.go_on()
        await notary.look()
        async with bench.engine.database.reading() as conn:
            length = len(await chain(conn, stream_of(run.thread_id)))
            receipt = await receipt_of(conn, notary.signer, run.thread_id, {})
        anchored = tuple(read_anchors(notary.anchor.folder))
        yield Trail(bench, stream_of(run.thread_id), length, Evidence(notary.signer.ring, anchored, (receipt,)))


async def rehash(conn: Connection, stream: str, named: str = "") -> None:
    """Number and hash a chain anew from its first record on, head included, under its name or another."""
    prev, seq = START, 0
    for link in await chain(conn, stream):
        seq += 1
        digest = link_hash(named or stream, seq, prev, link.canon)
        await conn.execute(
            "UPDATE audit_record SET stream = %s, seq = %s, prev = %s, hash = %s WHERE stream = %s AND seq = %s",
            (named or stream, seq, prev, digest, stream, link.seq),
        )
        prev = digest
    change = "UPDATE audit_head SET stream = %s, seq = %s, hash = %s, moved = 0, noted = %s WHERE stream = %s"
    await conn.execute(change, (named or stream, seq, prev, seq, stream))


async def edit(conn: Connection, stream: str) -> None:
    text = "replace(convert_from(canon, 'UTF8'), '\"actor\":\"', '\"actor\":\"not-')"
    await conn.execute(
        f"UPDATE audit_record SET canon = convert_to({text}, 'UTF8') WHERE stream = %s AND seq = 3", (stream,)
    )


async def edit_and_hash_it(conn: Connection, stream: str) -> None:
    await edit(conn, stream)
    link = (await chain(conn, stream))[2]
    mended = link_hash(stream, 3, link.prev, link.canon)
    await conn.execute("UPDATE audit_record SET hash = %s WHERE stream = %s AND seq = 3", (mended, stream))


async def delete(conn: Connection, stream: str) -> None:
    await conn.execute("DELETE FROM audit_record WHERE stream = %s AND seq = 3", (stream,))


async def reorder(conn: Connection, stream: str) -> None:
    swap = "UPDATE audit_record SET seq = CASE seq WHEN -3 THEN 4 ELSE 3 END WHERE stream = %s AND seq < 0"
    await conn.execute("UPDATE audit_record SET seq = -seq WHERE stream = %s AND seq IN (3, 4)", (stream,))
    await conn.execute(swap, (stream,))


async def truncate_with_head(conn: Connection, stream: str) -> None:
    await conn.execute("DELETE FROM audit_record WHERE stream = %s AND seq > 3", (stream,))
    await rehash(conn, stream)


async def delete_stream(conn: Connection, stream: str) -> None:
    for table in ("audit_record", "audit_head", "audit_leaf"):
        await conn.execute(f"DELETE FROM {table} WHERE stream = %s", (stream,))


async def wipe_all(conn: Connection, stream: str) -> None:
    await conn.execute("TRUNCATE audit_record, audit_head, audit_leaf, audit_checkpoint")


async def rewrite_all(conn: Connection, stream: str) -> None:
    """Another story, chained as it should be, and signed: with a key of the administrator's own."""
    await edit(conn, stream)
    for row in await (await conn.execute("SELECT stream FROM audit_head")).fetchall():
        await rehash(conn, row["stream"])
    await conn.execute("TRUNCATE audit_leaf, audit_checkpoint")
    await conn.execute("UPDATE audit_head SET moved = 1, noted = 0")
    private = Ed25519PrivateKey.generate()
    assert await checkpoints.take(conn, Signer(private, {}))


async def move_to_another_stream(conn: Connection, stream: str) -> None:
    await rehash(conn, stream, "case:elsewhere")


ATTACKS: list[tuple[Attack, int, str]] = [
    (edit, 3, "its content was changed"),
    (edit_and_hash_it, 4, "does not follow from the record before it"),
    (delete, 3, "record 3 is missing"),
    (reorder, 3, "does not follow from the record before it"),
    (truncate_with_head, 4, "and the chain ends at 3"),
    (delete_stream, 1, "and the chain is gone"),
    (wipe_all, 1, "and the chain is gone"),
    (rewrite_all, 0, "the chain was written anew"),
    (move_to_another_stream, 1, "and the chain is gone"),
]


@pytest.mark.parametrize(("attack", "seq", "problem"), ATTACKS, ids=[attack.__name__ for attack, *_ in ATTACKS])
async def test_each_attack_of_an_administrator_is_found_and_named(
    trail: Trail, attack: Attack, seq: int, problem: str
) -> None:
    found = await trail.verified(attack)

    (named,) = [finding for finding in found.findings if finding.stream == trail.stream]
    assert named.seq == (seq or named.seq)
    assert problem in named.problem


@pytest.mark.controls
@pytest.mark.parametrize("attack", [wipe_all, rewrite_all], ids=lambda attack: attack.__name__)
async def test_only_what_stands_outside_shows_a_trail_that_was_replaced(trail: Trail, attack: Attack) -> None:
    with_anchors = await trail.verified(attack, Evidence(trail.evidence.ring, trail.evidence.anchored))
    without = await trail.verified(attack, Evidence())

    assert {finding.stream for finding in with_anchors.findings} >= {trail.stream, CHECKPOINTS}
    assert without.intact, "the anchors are what this control consists of"


@pytest.mark.controls
async def test_the_application_and_the_owner_delete_no_record_by_a_plain_statement(trail: Trail) -> None:
    """Without the trigger its owner does: that is what the checkpoints are for."""
    statement = "DELETE FROM audit_record"

    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        async with trail.bench.engine.database.transaction() as conn:
            await conn.execute(statement)
    async with as_owner(trail.bench.engine.database) as conn, conn.transaction(force_rollback=True):
        with pytest.raises(psycopg.DatabaseError, match="append-only"):
            async with conn.transaction():
                await conn.execute(statement)
        await conn.execute("ALTER TABLE audit_record DISABLE TRIGGER audit_record_no_change")
        deleted = (await conn.execute(statement)).rowcount

    assert deleted > trail.length


async def test_a_receipt_shows_that_its_case_was_written_anew(trail: Trail) -> None:
    found = await trail.verified(rewrite_all, Evidence(None, (), trail.evidence.receipts))

    assert [(finding.stream, finding.seq) for finding in found.findings] == [(trail.stream, trail.length)]
    assert "a receipt of" in found.findings[0].problem


async def test_a_receipt_that_was_changed_counts_for_nothing(trail: Trail) -> None:
    forged = trail.evidence.receipts[0] | {"seq": 1}

    async with trail.bench.engine.database.snapshot() as conn:
        found = await verify(conn, evidence=Evidence(trail.evidence.ring, (), (forged,)))

    assert [finding.problem for finding in found.findings] == ["the receipt is not signed by a trusted key"]


async def test_a_checkpoint_signed_by_another_key_is_named(trail: Trail) -> None:
    found = await trail.verified(rewrite_all, Evidence(trail.evidence.ring))

    assert [finding.stream for finding in found.findings] == [CHECKPOINTS]
    assert "it is not signed by a trusted key" in found.findings[0].problem


async def test_an_anchor_does_not_take_over_a_trail_that_was_replaced(trail: Trail, tmp_path: Path) -> None:
    """The evidence stays as it was, and whoever runs the worker hears of it."""
    anchor = FileAnchor(tmp_path / "anchors")
    database = trail.bench.engine.database
    await anchor.catch_up(database)
    other = anchor.path.read_bytes().replace(b'"at\\":\\"2', b'"at\\":\\"1')
    anchor.path.write_bytes(other)

    with pytest.raises(AnchorRefused, match="stands in"):
        await anchor.catch_up(database)

    assert anchor.path.read_bytes() == other


async def test_what_a_crash_left_half_written_is_anchored_again(trail: Trail, tmp_path: Path) -> None:
    anchor = FileAnchor(tmp_path / "anchors")
    database = trail.bench.engine.database
    await anchor.catch_up(database)
    whole = anchor.path.read_bytes()
    anchor.path.write_bytes(whole[:-20])

    await anchor.catch_up(database)

    assert anchor.path.read_bytes() == whole


async def test_an_untouched_trail_agrees_with_all_that_stands_outside(trail: Trail) -> None:
    async with trail.bench.engine.database.snapshot() as conn:
        found = await verify(conn, evidence=trail.evidence)

    assert found.findings == ()
    assert (found.checkpoints, found.anchored) == (2, 2)


async def test_checkpoints_count_what_they_cover(trail: Trail) -> None:
    async with trail.bench.engine.database.snapshot() as conn:
        found = await verify(conn)
        last = [one async for one in checkpoints.checkpoints(conn)][-1]
        end = await head(conn, trail.stream)

    assert (last.said["streams"], last.said["records"]) == (found.streams, found.records)
    assert end in [leaf[1:] for leaf in last.leaves]


async def test_signatures_of_a_key_that_was_retired_still_count(trail: Trail) -> None:
    """And those of a key that nobody trusts do not."""
    new = Ed25519PrivateKey.generate().public_key().public_bytes_raw().hex()
    old = trail.bench.engine.notary.signer.public.hex()

    async with trail.bench.engine.database.snapshot() as conn:
        both = await verify(conn, evidence=Evidence(ring_of([new, old])))
        only_new = await verify(conn, evidence=Evidence(ring_of([new])))

    assert both.intact
    assert {finding.stream for finding in only_new.findings} == {CHECKPOINTS}
