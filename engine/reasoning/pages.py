"""The pages of the reasoning trace: written in the transactions of the run that they tell of, and read back."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from engine.audit import audit
from engine.credentials.redactor import KNOWN
from engine.reasoning.matter import Batch, Kept, as_json, keep, opened, sealed
from engine.store.database import Connection
from engine.store.journal import Note
from engine.store.sql import load_queries
from engine.store.vault import salt_id

_SQL = load_queries(__file__)

Entry = dict[str, Any]
LOST = "[cannot be read]"
"""Stands for what was sealed with another key."""


@dataclass(frozen=True)
class Traced:
    """Whose trace it is."""

    tenant: str
    thread_id: str
    case_id: str
    run_id: str
    workflow: str
    risk: str

    @property
    def stream(self) -> str:
        """What its matter is sealed for, as the case's audit records are: both are erased at once."""
        return audit.stream_of(self.thread_id)


class Pages:
    """What one attempt to carry a run adds to the trace of its case."""

    def __init__(self, of: Traced, hold: Callable[[Note], None]) -> None:
        """`hold` has a note carried out in the next transaction of the run, and soon."""
        self._of = of
        self._hold = hold
        self._batch = Batch()
        self._known: set[bytes] = set()

    def keep(self, value: Any) -> Kept:
        """`value` as an entry refers to it."""
        return keep(value, self._batch, self._known)

    def add(self, entry: Entry) -> None:
        """Have one more entry written."""
        self._batch.entries.append(entry)
        if len(self._batch.entries) == 1:
            self._hold(self._writing(self._batch))

    def _writing(self, batch: Batch) -> Note:
        async def write(conn: Connection) -> None:
            # What comes from now on belongs to the next transaction; this one may be tried again with the same batch.
            if self._batch is batch:
                self._batch = Batch()
            await conn.execute(_SQL["write_page"], self._row(batch))

        return write

    def _row(self, batch: Batch) -> dict[str, Any]:
        # Of an entry nothing changes any more: what a graph goes on with was encoded when it was kept.
        text = KNOWN.text(as_json(batch.entries).decode()).encode()
        payload, salt = sealed(self._of.stream, text)
        blobs = [sealed(self._of.stream, blob)[0] for blob in batch.blobs.values()]
        return vars(self._of) | {
            "stream": self._of.stream,
            "payload": payload,
            "salt": salt,
            "digests": list(batch.blobs),
            "blobs": blobs,
            "took": as_json(_took(batch.entries)).decode(),
        }


_MEASURED = frozenset(("stage", "branch"))


def _took(entries: list[Entry]) -> list[Entry]:
    """What each stage took, and the ways that were taken behind it."""
    took: dict[str, Entry] = {}
    for entry in entries:
        if entry["kind"] not in _MEASURED:
            continue
        stage = str(entry["stage"])
        sums = took.setdefault(stage, {"stage": stage, "visits": 0, "failed": 0, "us": 0, "led": []})
        if entry["kind"] == "branch":
            sums["led"] += [" + ".join(sorted(entry["led"]))] if entry.get("led") else []
        else:
            sums["us"] += entry["us"]
            sums["visits"] += not (entry.get("waits") or entry.get("error"))
            sums["failed"] += bool(entry.get("error"))
    return list(took.values())


async def entries_of(conn: Connection, thread_id: str, case_id: str) -> list[Entry]:
    """Everything that was traced of a case, over all its runs, in order; each entry names its run.

    What was sealed with a key that this process does not have says so in its place.
    """
    stream = audit.stream_of(thread_id)
    salts = await audit.salts_of(conn, stream)
    entries: list[Entry] = []
    rows = await (await conn.execute(_SQL["pages"], {"case_id": case_id})).fetchall()
    for row in rows:
        found = _opened(stream, row["payload"], salts)
        entries += [{"run_id": str(row["run_id"]), **entry} for entry in found or [{"kind": "unreadable"}]]
    digests = [bytes.fromhex(kept[1]) for entry in entries for kept in _kept_in(entry) if kept[0] == "#"]
    params = {"thread_id": thread_id, "digests": list(set(digests))}
    apart = {
        bytes(row["digest"]).hex(): _opened(stream, row["payload"], salts)
        for row in await (await conn.execute(_SQL["blobs"], params)).fetchall()
    }
    return [_whole(entry, apart) for entry in entries]


def _opened(stream: str, payload: bytes, salts: dict[bytes, bytes]) -> Any:
    payload = bytes(payload)
    return opened(stream, payload, salts.get(salt_id(payload)))


_LISTED, _NAMED, _SINGLE = ("messages",), ("values",), ("params", "tools", "schema", "reply")
"""Members of an entry that hold what was kept: in a list, by name, one."""


def _kept_in(entry: Entry) -> Iterator[Kept]:
    for name in _LISTED:
        yield from entry.get(name, ())
    for name in _NAMED:
        yield from entry.get(name, {}).values()
    for name in _SINGLE:
        if name in entry:
            yield entry[name]


def _whole(entry: Entry, apart: dict[str, Any]) -> Entry:
    def found(kept: Kept) -> Any:
        if kept[0] == "=":
            return kept[1]
        value = apart.get(kept[1])
        return LOST if value is None else value

    lists = {name: [found(kept) for kept in entry[name]] for name in _LISTED if name in entry}
    named = {name: {key: found(kept) for key, kept in entry[name].items()} for name in _NAMED if name in entry}
    single = {name: found(entry[name]) for name in _SINGLE if name in entry}
    return entry | lists | named | single
