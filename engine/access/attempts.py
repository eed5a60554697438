"""Attempts to get in that failed: few are let through to be judged at all, and they are recorded in sums."""

import asyncio
import contextlib
import hashlib
import logging
import math
import time
from collections import Counter, OrderedDict
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Generic, TypeVar

from pydantic import JsonValue

from contracts.errors import StoreUnavailable, TooManyAttempts
from contracts.event import Event
from engine.audit import audit
from engine.store.database import Database
from engine.store.scope import across_tenants

_LOG = logging.getLogger("gatehouse.access")
_REFILL_PER_S = 0.5
_REMEMBERED = 10_000
_NAMED = 10
STREAM = "access"

Value = TypeVar("Value")


class _Newest(Generic[Value]):
    """A mapping that forgets what was used longest ago: whoever attacks chooses how many names there are."""

    def __init__(self) -> None:
        self._kept: OrderedDict[str, Value] = OrderedDict()

    def get(self, name: str) -> Value | None:
        if name in self._kept:
            self._kept.move_to_end(name)
        return self._kept.get(name)

    def put(self, name: str, value: Value) -> None:
        self._kept[name] = value
        self._kept.move_to_end(name)
        if len(self._kept) > _REMEMBERED:
            self._kept.popitem(last=False)


@dataclass
class _Sums:
    """Failures that are not recorded yet."""

    since: str = field(default_factory=lambda: datetime.now(UTC).isoformat(timespec="seconds"))
    reasons: Counter[str] = field(default_factory=Counter)
    addresses: Counter[str] = field(default_factory=Counter)
    keys: Counter[str] = field(default_factory=Counter)

    def count(self, reason: str, credential: str, address: str) -> None:
        self.reasons[reason] += 1
        for counted, name in ((self.addresses, address), (self.keys, _key_id(credential))):
            if name and (name in counted or len(counted) < _REMEMBERED):
                counted[name] += 1

    def add(self, earlier: "_Sums") -> None:
        self.since = earlier.since
        self.reasons += earlier.reasons
        self.addresses += earlier.addresses
        self.keys += earlier.keys

    def told(self) -> dict[str, JsonValue]:
        return {
            "since": self.since,
            "attempts": self.reasons.total(),
            "reasons": dict(self.reasons),
            "addresses": dict(self.addresses.most_common(_NAMED)),
            "keys": dict(self.keys.most_common(_NAMED)),
        }


class Attempts:
    """Counts failures by address and by the key that they name, in this process."""

    def __init__(self, database: Database, *, at_once: int = 30, record_every_s: float = 60.0) -> None:
        """`at_once`: failures that an address, or all who name one key, have; then one every two seconds."""
        self._at_once = float(at_once)
        self._database = database
        self._record_every_s = record_every_s
        self._left: _Newest[tuple[float, float]] = _Newest()
        self._good: _Newest[bool] = _Newest()
        self._sums = _Sums()
        self._closing = asyncio.Event()
        self._telling: asyncio.Task[None] | None = None
        self._told_at = -math.inf

    def require_allowed(self, credential: str, address: str) -> None:
        """Raises `TooManyAttempts` after many failures, but for a credential that was good before.

        So nobody is kept out by those who try from the same address, or with the number of the same key.
        """
        if self._good.get(_fingerprint(credential)):
            return
        wait_s = max(self._wait_s(name) for name in _names(credential, address))
        if wait_s > 0:
            self._count("too_many_attempts", credential, address)
            raise TooManyAttempts(
                "Too many requests with credentials that are not valid.",
                hint="Wait as long as Retry-After says.",
                facts={"retry_after_s": math.ceil(wait_s)},
            )

    def succeeded(self, credential: str) -> None:
        """Remember a credential that was good, by its digest."""
        self._good.put(_fingerprint(credential), True)

    def failed(self, reason: str, credential: str, address: str) -> None:
        """Count one that was not; the first is recorded at once, those that follow in sums."""
        self._good.put(_fingerprint(credential), False)
        now = time.monotonic()
        for name in _names(credential, address):
            self._left.put(name, (self._tokens(name, now) - 1, now))
        self._count(reason, credential, address)

    async def close(self) -> None:
        """Record what was not recorded yet."""
        self._closing.set()
        if self._telling:
            await self._telling
        await self._tell()

    def _count(self, reason: str, credential: str, address: str) -> None:
        self._sums.count(reason, credential, address)
        if self._telling is None or self._telling.done():
            self._telling = asyncio.create_task(self._tell(), name="record refused attempts")

    async def _tell(self) -> None:
        """Until nothing is left: what fails while it is being recorded is recorded next."""
        while self._sums.reasons:
            if not await self._tell_sums():
                return

    async def _tell_sums(self) -> bool:
        """The first at once; then so seldom that nobody fills the trail by failing. False: the database is away."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(max(0.0, self._told_at + self._record_every_s - time.monotonic())):
                await self._closing.wait()
        sums, self._sums, self._told_at = self._sums, _Sums(), time.monotonic()
        try:
            with across_tenants("who is not let in is nobody's"):
                async with self._database.transaction() as conn:
                    await audit.append_to(conn, STREAM, "system", Event.ACCESS_REFUSED, sums.told())
        except StoreUnavailable as error:
            self._sums.add(sums)
            _LOG.warning("%d refused attempts are not recorded yet: %s", sums.reasons.total(), error.detail)
            return False
        return True

    def _wait_s(self, name: str) -> float:
        return max(0.0, (1 - self._tokens(name, time.monotonic())) / _REFILL_PER_S)

    def _tokens(self, name: str, now: float) -> float:
        left, at = self._left.get(name) or (self._at_once, now)
        return min(self._at_once, left + (now - at) * _REFILL_PER_S)


def _names(credential: str, address: str) -> list[str]:
    key_id = _key_id(credential)
    return [f"address {address}", *([f"key {key_id}"] if key_id else [])]


def _key_id(credential: str) -> str:
    """The public part of an API key, if it is written as one."""
    prefix, _, rest = credential.partition("_")
    return rest.partition("_")[0][:16] if prefix == "gh" else ""


def _fingerprint(credential: str) -> str:
    return hashlib.sha256(credential.encode(errors="replace")).hexdigest()
