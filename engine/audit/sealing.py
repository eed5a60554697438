"""Closes the ended periods of chains and prunes what lies behind their seals: retention of the audit trail."""

import logging
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from contracts.errors import AuditNotSealed, ConfigurationError
from engine.audit import seals
from engine.audit.notary import Notary
from engine.audit.seals import Closable, Seal
from engine.audit.signing import Signer
from engine.store.database import Database
from engine.store.scope import across_tenants, of_tenant

_LOG = logging.getLogger("gatehouse.audit")
_WHY = "chains of all tenants end at their time"
_PAGE = 200
_APART = timedelta(hours=1)

LEAST_DAYS = 184
"""How long the trail is kept of workflows whose tools are of high risk, and of what is no case, whatever is set."""


@dataclass(frozen=True)
class Periods:
    """For how many days the trail is kept: of each loaded workflow, and of everything else."""

    of_workflows: Mapping[str, float]
    others: float


def periods(days: float, of_workflows: Mapping[str, float], risky: Mapping[str, bool]) -> Periods:
    """What counts of each workflow in `risky`, which says whether a tool of it is of high risk.

    Raises `ConfigurationError` where one with such a tool would be kept for less than 184 days, and for a name that no
    workflow has.
    """
    if strangers := sorted(of_workflows.keys() - risky.keys()):
        raise ConfigurationError(f"GATEHOUSE_AUDIT_KEEP_DAYS_OF names {strangers[0]!r}, which is no loaded workflow.")
    found = {name: of_workflows.get(name, days) for name in risky}
    if short := sorted(name for name, high in risky.items() if high and found[name] < LEAST_DAYS):
        raise ConfigurationError(
            f"The audit trail of {', '.join(short)} would be kept for {found[short[0]]:g} days. Their tools are of "
            "high risk: what they do cannot be taken back, or reaches customers or the company.",
            hint=f"Keep it for {LEAST_DAYS} days at least: GATEHOUSE_AUDIT_KEEP_DAYS, or GATEHOUSE_AUDIT_KEEP_DAYS_OF "
            "for one workflow.",
        )
    return Periods(found, max(days, LEAST_DAYS))


@dataclass(frozen=True)
class Sealing:
    """Any number of replicas have one: a chain is closed, and pruned, by one of them."""

    database: Database
    signer: Signer
    periods: Periods
    notary: Notary | None = None
    """Makes the checkpoint over new seals at once; without one, they are pruned when some worker has made it."""
    clock: Callable[[], datetime] = lambda: datetime.now(UTC)

    async def plan(self) -> tuple[int, int]:
        """How many chains would be closed, and how many records would go; nothing is changed."""
        with across_tenants(_WHY):
            await self._require_one_time()
            found = [chain async for chain in self._closable()]
            left = [seal async for seal in self._prunable() if not seal.problem(self.signer.ring)]
            return len(found), sum(seal.records for seal in left) + sum(chain.records for chain in found)

    async def work(self) -> tuple[int, int]:
        """Close what has ended, and prune what seals let go that checkpoints cover, older seals included.

        Returns how many chains were closed and how many records went. Raises `AuditNotSealed` while this machine's
        clock and the database's are far apart: nothing is closed by a clock that is wrong.
        """
        with across_tenants(_WHY):
            await self._require_one_time()
            closed = sum([await self._close(chain) async for chain in self._closable()])
            if closed and self.notary:
                await self.notary.look()
            return closed, sum([await self._prune(seal) async for seal in self._prunable()])

    async def _close(self, chain: Closable) -> int:
        # The record of the seal is its chain's tenant's, as those before it.
        with of_tenant(chain.tenant) if chain.tenant else nullcontext():
            async with self.database.transaction() as conn:
                return int(await seals.close(conn, self.signer, chain))

    async def _prune(self, seal: Seal) -> int:
        try:
            async with self.database.transaction() as conn:
                return await seals.prune(conn, seal, self.signer.ring)
        except AuditNotSealed as refused:
            _LOG.error("%s %s", refused.detail, refused.hint)
            return 0

    async def _closable(self) -> AsyncIterator[Closable]:
        keep, after = self.periods, ""
        while True:
            async with self.database.reading() as conn:
                found = await seals.closable(conn, keep.of_workflows, keep.others, after=after, limit=_PAGE)
            for chain in found:
                yield chain
            if len(found) < _PAGE:
                return
            after = found[-1].stream

    async def _prunable(self) -> AsyncIterator[Seal]:
        after = ""
        while True:
            async with self.database.reading() as conn:
                found = await seals.prunable(conn, after=after, limit=_PAGE)
            for seal in found:
                yield seal
            if len(found) < _PAGE:
                return
            after = found[-1].stream

    async def _require_one_time(self) -> None:
        async with self.database.reading() as conn:
            there = await seals.time_there(conn)
        apart = abs(self.clock() - there)
        if apart > _APART:
            raise AuditNotSealed(
                f"This machine's clock and the database's are {apart} apart: what is old enough cannot be known.",
                hint="Set the clocks right; nothing was changed.",
            )
