"""Anchors: checkpoints kept outside the database, where who administers it cannot change them."""

import asyncio
import fcntl
import json
import os
from collections.abc import AsyncIterator, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from contracts.errors import AnchorRefused
from engine.audit.checkpoints import Checkpoint, checkpoints, in_order
from engine.store.database import Database

_FILE = "checkpoints.jsonl"
_TAIL = 65_536
_AT_ONCE = 1_000


@dataclass(frozen=True)
class FileAnchor:
    """A folder with one file, which only grows: a line for each checkpoint, in their order."""

    folder: Path

    @property
    def path(self) -> Path:
        return self.folder / _FILE

    async def catch_up(self, database: Database) -> int:
        """Anchor what is not anchored yet; returns how many. Any number of processes may share the folder.

        Raises `AnchorRefused` where the folder cannot be written, or where the database's checkpoints do not follow
        from those that stand in the file: then somebody has rewritten one of the two.
        """
        last = await asyncio.to_thread(self.last)
        async with database.reading() as conn:
            missing = await _some(checkpoints(conn, after=last.number - 1 if last else 0))
        if last and (not missing or missing[0].body != last.body):
            raise AnchorRefused(
                f"Checkpoint {last.number} stands in {self.path} and not, or otherwise, in the database.",
                hint="Find out what was changed with: gatehouse audit verify",
            )
        return await asyncio.to_thread(self._append, missing)

    def last(self) -> Checkpoint | None:
        """The newest checkpoint of the file."""
        try:
            with self.path.open("rb") as file:
                return _last_of(file)
        except FileNotFoundError:
            return None

    def _append(self, found: list[Checkpoint]) -> int:
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            with self.path.open("a+b") as file:
                # Two processes of one machine: who comes second leaves out what the first has written.
                fcntl.flock(file, fcntl.LOCK_EX)
                last = _last_of(file)
                _cut_torn_line(file)
                new = [one for one in found if last is None or one.number > last.number]
                file.write(b"".join(_line(one) for one in new))
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise AnchorRefused(
                f"Checkpoints cannot be anchored in {self.folder}: {error.strerror}.",
                hint="Let GATEHOUSE_AUDIT_ANCHORS name a folder that this process, and not the database, may write.",
            ) from error
        return len(new)


def read_anchors(place: Path) -> Iterator[Checkpoint]:
    """The checkpoints of an anchor's file, or of the folder that holds it. Raises `AnchorRefused`."""
    path = place / _FILE if place.is_dir() else place
    try:
        with path.open("rb") as file:
            yield from _parsed(path, file)
    except OSError as error:
        raise AnchorRefused(f"{path} cannot be read: {error.strerror}.") from error


def _parsed(path: Path, lines: Iterable[bytes]) -> Iterator[Checkpoint]:
    for number, line in enumerate(lines, start=1):
        try:
            yield _of(json.loads(line))
        except (ValueError, KeyError, TypeError) as error:
            raise AnchorRefused(f"Line {number} of {path} is no checkpoint.") from error


def _last_of(file: Any) -> Checkpoint | None:
    """The last whole line: one that was cut off by a crash is no line."""
    size = file.seek(0, os.SEEK_END)
    tail = b""
    while size and tail.count(b"\n") < 2:
        start = max(0, size - _TAIL)
        file.seek(start)
        tail, size = file.read(size - start) + tail, start
    lines = tail.split(b"\n")[:-1]
    return _of(json.loads(lines[-1])) if lines else None


def _cut_torn_line(file: Any) -> None:
    """What a crash left half written was never anchored."""
    size = file.seek(0, os.SEEK_END)
    file.seek(max(0, size - 1))
    while size and file.read(1) != b"\n":
        size -= 1
        file.seek(max(0, size - 1))
    file.truncate(size)


async def _some(found: AsyncIterator[Checkpoint]) -> list[Checkpoint]:
    some = []
    async for one in found:
        some.append(one)
        if len(some) == _AT_ONCE:
            break
    return some


def _line(one: Checkpoint) -> bytes:
    said = {
        "body": one.body.decode(),
        "signature": one.signature.hex(),
        "key_id": one.key_id,
        "heads": [(stream, seq, digest.hex()) for stream, seq, digest in one.leaves],
    }
    return json.dumps(said, separators=(",", ":")).encode() + b"\n"


def _of(said: dict[str, Any]) -> Checkpoint:
    body = said["body"].encode()
    leaves = in_order([(stream, seq, bytes.fromhex(digest)) for stream, seq, digest in said["heads"]])
    number = int(json.loads(body)["number"])
    return Checkpoint(number, body, bytes.fromhex(said["signature"]), said["key_id"], leaves)
