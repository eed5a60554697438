"""Recomputes chains and says where the first bad record is."""

import hashlib
from dataclasses import dataclass

from engine.audit.audit import Link, chain, head, streams
from engine.store.database import Connection

_START = bytes(32)


@dataclass(frozen=True)
class Finding:
    """What is wrong with one chain, at its first bad record."""

    stream: str
    seq: int
    problem: str


@dataclass(frozen=True)
class Verification:
    """How much was checked and what was found."""

    streams: int
    records: int
    findings: tuple[Finding, ...]

    @property
    def intact(self) -> bool:
        return not self.findings


async def verify(conn: Connection, only: str = "") -> Verification:
    """Check every chain (or the one named): edited, deleted, reordered and truncated records are found."""
    names = [only] if only else await streams(conn)
    findings, records = [], 0
    for name in names:
        links = await chain(conn, name)
        records += len(links)
        if finding := first_fault(name, links, await head(conn, name)):
            findings.append(finding)
    return Verification(len(names), records, tuple(findings))


def first_fault(stream: str, links: list[Link], end: tuple[int, bytes] | None) -> Finding | None:
    """The first record that does not follow from the one before, or a head that the records do not reach."""
    previous = _START
    for expected, link in enumerate(links, start=1):
        if link.seq != expected:
            return Finding(stream, expected, f"record {expected} is missing")
        if link.prev != previous:
            return Finding(stream, link.seq, "does not follow from the record before it")
        if link.hash != link_hash(stream, link):
            return Finding(stream, link.seq, "its content was changed")
        previous = link.hash
    if end is None:
        return Finding(stream, len(links) + 1, "the chain has records but no head")
    if end != (len(links), previous):
        return Finding(stream, len(links) + 1, f"the head stands at record {end[0]}, the records end at {len(links)}")
    return None


def link_hash(stream: str, link: Link) -> bytes:
    """SHA-256 of 0x00, stream, 0x00, sequence number (int64, big-endian), previous hash, canonical record."""
    seq = link.seq.to_bytes(8, "big", signed=True)
    return hashlib.sha256(b"\0" + stream.encode() + b"\0" + seq + link.prev + link.canon).digest()
