"""Makes checkpoints when they are due and has them anchored: an errand of every worker, and nobody's commit."""

import logging
from dataclasses import dataclass

from contracts.errors import AnchorRefused
from engine.audit import checkpoints
from engine.audit.anchors import FileAnchor
from engine.audit.signing import Signer
from engine.store.database import Database
from engine.store.scope import across_tenants

_LOG = logging.getLogger("gatehouse.audit")


@dataclass
class Notary:
    """Any number of replicas have one: a checkpoint is made by one of them, and anchored by each in its own place."""

    database: Database
    signer: Signer
    anchor: FileAnchor
    every_s: float
    _refused: str = ""
    """What is in the way of anchoring, as it was said in the log: once."""

    async def look(self) -> None:
        """Make a checkpoint if one is due, and anchor what is not anchored yet."""
        with across_tenants("a checkpoint is over the chains of all"):
            await self._look()

    async def _look(self) -> None:
        async with self.database.reading() as conn:
            due = await checkpoints.is_due(conn, every_s=self.every_s)
        if due:
            await self.note()
        try:
            await self.anchor.catch_up(self.database)
            self._refused = ""
        except AnchorRefused as refused:
            if refused.detail != self._refused:
                _LOG.error("%s %s", refused.detail, refused.hint)
            self._refused = refused.detail

    async def note(self) -> None:
        """Make checkpoints over everything that moved, now."""
        for _ in range(100):
            async with self.database.transaction() as conn:
                made = await checkpoints.take(conn, self.signer)
            if made is None:
                return
