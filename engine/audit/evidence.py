"""What others say about the chains: checkpoints, anchors outside the database, receipts in the hands of reviewers."""

from dataclasses import dataclass, field

from engine.audit.checkpoints import Checkpoint, root_of
from engine.audit.offline import is_signed
from engine.audit.receipts import Receipt, is_genuine
from engine.audit.signing import Ring

CHECKPOINTS = "checkpoints"
"""The stream under which findings about checkpoints stand; their `seq` is the checkpoint's number."""


@dataclass(frozen=True)
class Finding:
    """What is wrong with one chain at its first bad record, or with a checkpoint."""

    stream: str
    seq: int
    problem: str


@dataclass(frozen=True)
class Evidence:
    """What stands outside the database."""

    ring: Ring | None = None
    """The keys that are trusted; None: signatures are not checked."""
    anchored: tuple[Checkpoint, ...] = ()
    receipts: tuple[Receipt, ...] = ()


@dataclass(frozen=True)
class Said:
    """The hash of a record as some statement names it."""

    hash: bytes
    where: str


Expected = dict[int, Said]
"""By sequence number."""
Noted = dict[str, Expected]
"""By stream."""


@dataclass
class Witnesses:
    """Checks statements as they come, and keeps the last that each source says of each chain."""

    evidence: Evidence
    findings: list[Finding] = field(default_factory=list)
    heard: int = 0
    """Checkpoints of the database."""
    _last: Checkpoint | None = None
    _stored: dict[str, tuple[int, Said]] = field(default_factory=dict)
    _anchored: dict[str, tuple[int, Said]] = field(default_factory=dict)
    _bodies: dict[int, bytes] = field(default_factory=dict)

    def __post_init__(self) -> None:
        before = None
        for one in self.evidence.anchored:
            # An anchor may begin later than the trail: its older part may have been put away.
            if problem := self._problem(one, before, begins=before is None):
                self._found(one.number, f"in the anchor, {problem}")
            else:
                self._anchored |= _heads_of(one, f"anchored checkpoint {one.number}")
                self._bodies[one.number] = one.body
            before = one

    def hear(self, one: Checkpoint) -> None:
        """The database's next checkpoint."""
        self.heard += 1
        if problem := self._problem(one, self._last):
            self._found(one.number, problem)
        elif self._bodies.pop(one.number, one.body) != one.body:
            self._found(one.number, "the anchor has another checkpoint of this number")
        self._stored |= _heads_of(one, f"checkpoint {one.number}")
        self._last = one

    def noted(self) -> Noted:
        """What is said of each chain, after the last checkpoint; what comes from outside counts first."""
        if self._bodies:
            first, last = min(self._bodies), max(self._bodies)
            self._found(first, f"the anchor has checkpoints {first} to {last}, which are gone from the database")
        noted: Noted = {}
        for receipt in self._receipts():
            said = Said(bytes.fromhex(receipt["hash"]), f"a receipt of {receipt['at'][:19]}")
            noted.setdefault(receipt["stream"], {}).setdefault(receipt["seq"], said)
        for source in (self._anchored, self._stored):
            for stream, (seq, said) in source.items():
                noted.setdefault(stream, {}).setdefault(seq, said)
        return noted

    def _receipts(self) -> list[Receipt]:
        ring, genuine = self.evidence.ring, []
        for receipt in self.evidence.receipts:
            if ring is None or is_genuine(receipt, ring):
                genuine.append(receipt)
            else:
                stream, seq = str(receipt.get("stream")), int(receipt.get("seq") or 0)
                self.findings.append(Finding(stream, seq, "the receipt is not signed by a trusted key"))
        return genuine

    def _problem(self, one: Checkpoint, before: Checkpoint | None, *, begins: bool = False) -> str:
        """What is wrong with a checkpoint by itself, or behind the one before it."""
        ring, expected = self.evidence.ring, before.number + 1 if before else 1
        if one.number != expected and not begins:
            return f"checkpoint {expected} is missing"
        follows = begins or one.said["previous"] == (before.digest if before else "")
        if one.said["number"] != one.number or not follows:
            return "it does not follow from the checkpoint before it"
        if one.said["root"] != root_of(one.leaves).hex():
            return "its root is not that of its heads"
        if ring is not None and not is_signed(ring, one.key_id, "checkpoint", one.body, one.signature):
            return f"it is not signed by a trusted key (its key is {one.key_id})"
        return ""

    def _found(self, number: int, problem: str) -> None:
        self.findings.append(Finding(CHECKPOINTS, number, problem))


def _heads_of(one: Checkpoint, where: str) -> dict[str, tuple[int, Said]]:
    return {stream: (seq, Said(digest, where)) for stream, seq, digest in one.leaves}
