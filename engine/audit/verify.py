"""Recomputes chains and holds them against checkpoints and anchors; says where the first bad record of each is."""

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from psycopg.rows import tuple_row

from engine.audit.audit import Link
from engine.audit.checkpoints import checkpoints
from engine.audit.evidence import Evidence, Expected, Finding, Noted, Witnesses
from engine.audit.offline import START, link_hash
from engine.audit.seals import Seal, seals
from engine.audit.signing import Ring
from engine.store.database import Connection
from engine.store.sql import load_queries

_SQL = load_queries(__file__)
_PAGE = 5_000

NOTHING = Evidence()


@dataclass(frozen=True)
class Verification:
    """How much was checked and what was found."""

    streams: int
    records: int
    findings: tuple[Finding, ...]
    checkpoints: int = 0
    anchored: int = 0
    pruned: int = 0
    """Records that are gone behind seals."""

    @property
    def intact(self) -> bool:
        return not self.findings


async def verify(conn: Connection, only: str = "", evidence: Evidence = NOTHING) -> Verification:
    """Check every chain (or the one named), every checkpoint, and both against the evidence from outside.

    Found are edited, deleted, reordered, moved and truncated records, chains and checkpoints that are gone, and, where
    there are anchors or receipts, a trail that was written anew. A chain may begin behind a seal that is signed, stands
    in the chain and is covered by a checkpoint. Expects a snapshot: a trail that grows while it is
    read would look as if its heads were wrong.
    """
    witnesses = Witnesses(evidence)
    async for one in checkpoints(conn):
        witnesses.hear(one)
    noted = witnesses.noted()
    sealed = await seals(conn, only)
    walked = [chain async for chain in _walked(conn, only, noted, Sealed(sealed, evidence.ring))]
    unseen = await _unwalked(conn, only, noted, {chain.stream for chain in walked})
    faults = [fault for chain in (*walked, *unseen) if (fault := chain.fault)]
    return Verification(
        len(walked) + len(unseen),
        sum(chain.count for chain in walked),
        (*sorted(faults, key=lambda fault: fault.stream), *witnesses.findings),
        witnesses.heard,
        len(evidence.anchored),
        sum(chain.pruned for chain in walked),
    )


def first_fault(
    stream: str, links: Iterable[Link], end: tuple[int, bytes] | None, sealed: Sequence[Seal] = ()
) -> Finding | None:
    """The first record that does not follow from the one before, or a head that the records do not reach.

    `sealed` are the chain's seals, of which neither signatures nor checkpoints are looked at.
    """
    chain = Chain(stream, None, Sealed({stream: list(sealed)}))
    for link in links:
        chain.take(link.seq, link.prev, link.hash, link.canon)
    chain.end(end)
    return chain.fault


@dataclass(frozen=True)
class Sealed:
    """The seals of chains, and whose signatures on them count; None: they are not checked."""

    by_stream: Mapping[str, Sequence[Seal]] = field(default_factory=dict)
    ring: Ring | None = None


class Chain:
    """One chain while its records pass by, in their order."""

    def __init__(self, stream: str, noted: Expected | None, sealed: Sealed) -> None:
        """`noted`: hashes that statements outside the chain name, by number; None: nobody was asked."""
        self.stream = stream
        self.count = 0
        self.pruned = 0
        self.fault: Finding | None = None
        self._noted = noted or {}
        self._asked = noted is not None
        self._seq = 0
        self._previous = START
        self._seals = {seal.seq: seal for seal in sealed.by_stream.get(stream, ())}
        self._recorded: dict[bytes, int] = {}
        for seal in self._seals.values():
            if problem := seal.problem(sealed.ring):
                self._found(seal.seq, problem)
                return

    def take(self, seq: int, prev: bytes, digest: bytes, canon: bytes) -> None:
        """The next record."""
        self.count += 1
        if self.count == 1 and seq > 1:
            self._begin(seq)
        if self.fault:
            return
        if seq != self._seq + 1:
            self._found(self._seq + 1, f"record {self._seq + 1} is missing")
        elif prev != self._previous:
            self._found(seq, "does not follow from the record before it")
        elif digest != link_hash(self.stream, seq, prev, canon):
            self._found(seq, "its content was changed")
        elif seq in self._noted and self._noted[seq].hash != digest:
            self._found(seq, f"the chain was written anew: {self._noted[seq].where} noted another record here")
        elif seq in self._seals and self._seals[seq].hash != digest:
            self._found(seq, "the chain was written anew: its seal names another record here")
        if self._seals and b'"audit.sealed"' in canon:
            self._recorded[canon] = seq
        self._seq, self._previous = seq, digest

    def end(self, head: tuple[int, bytes] | None) -> None:
        """There are no more; `head` is where the chain says it ends."""
        if self.fault:
            return
        if head is None and self._seq:
            self._found(self._seq + 1, "the chain has records but no head")
        elif head and head != (self._seq, self._previous):
            self._found(self._seq + 1, f"the head stands at record {head[0]}, the records end at {self._seq}")
        elif unrecorded := self._unrecorded():
            self._found(unrecorded[0], unrecorded[1])
        elif beyond := [seq for seq in self._noted if seq > self._seq]:
            where = self._noted[max(beyond)].where
            left = f"the chain ends at {self._seq}" if self._seq else "the chain is gone"
            self._found(self._seq + 1, f"{where} noted record {max(beyond)}, and {left}")

    def _begin(self, seq: int) -> None:
        """The first record that is left: those before it may be gone behind a seal, and no others."""
        seal = self._seals.get(seq - 1)
        if self.fault:
            return
        if seal is None and self._seals:
            sealed = ", ".join(map(str, sorted(self._seals)))
            self._found(seq, f"the chain begins here, and its seals end at record {sealed}")
        elif seal and seal.seq in self._noted and self._noted[seal.seq].hash != seal.hash:
            self._found(seal.seq, f"its seal was exchanged: {self._noted[seal.seq].where} noted another record there")
        elif seal:
            self.pruned, self._seq, self._previous = seal.seq, seal.seq, seal.hash

    def _unrecorded(self) -> tuple[int, str] | None:
        """A seal that its chain does not know of, or for which records are gone though no checkpoint covers it."""
        for seal in self._seals.values():
            if seal.seq < self.pruned:
                continue
            records = [seq for canon, seq in self._recorded.items() if seal.digest.encode() in canon]
            if not records:
                return seal.seq, "its seal is not recorded in the chain"
            if self._asked and seal.seq == self.pruned and max(self._noted, default=0) < records[0]:
                return seal.seq, "its records are gone, and no checkpoint covers the seal"
        return None

    def _found(self, seq: int, problem: str) -> None:
        self.fault = Finding(self.stream, seq, problem)


async def _walked(conn: Connection, only: str, noted: Noted, sealed: Sealed) -> AsyncIterator[Chain]:
    """Every chain that has records, each checked to its end."""
    heads = await _heads(conn, only)
    chain = None
    async for stream, seq, prev, digest, canon in _records(conn, only):
        if chain is None or chain.stream != stream:
            if chain:
                chain.end(heads.get(chain.stream))
                yield chain
            chain = Chain(stream, noted.get(stream, {}), sealed)
        chain.take(seq, prev, digest, canon)
    if chain:
        chain.end(heads.get(chain.stream))
        yield chain


async def _unwalked(conn: Connection, only: str, noted: Noted, walked: set[str]) -> list[Chain]:
    """Chains of which only a head or what was noted is left."""
    heads = await _heads(conn, only)
    named = {stream for stream in noted if only in ("", stream)}
    left = [Chain(stream, noted.get(stream, {}), Sealed()) for stream in sorted((heads.keys() | named) - walked)]
    for chain in left:
        chain.end(heads.get(chain.stream))
    return left


async def _heads(conn: Connection, only: str) -> dict[str, tuple[int, bytes]]:
    rows = await (await conn.execute(_SQL["heads"], {"only": only})).fetchall()
    return {row["stream"]: (row["seq"], bytes(row["hash"])) for row in rows}


async def _records(conn: Connection, only: str) -> AsyncIterator[tuple[str, int, bytes, bytes, bytes]]:
    """Records in order, page by page, as plain tuples: a dict for each would cost as much as its hash."""
    statement, place = _SQL["page_of_one" if only else "page"], (only, 0)
    async with conn.cursor(binary=True, row_factory=tuple_row) as cursor:
        while True:
            await cursor.execute(statement, {"stream": place[0], "seq": place[1], "most": _PAGE})
            rows = await cursor.fetchall()
            for row in rows:
                yield row
            if len(rows) < _PAGE:
                return
            place = rows[-1][:2]
