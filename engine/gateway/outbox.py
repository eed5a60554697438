"""Delivers what stands in the outbox: accepted calls, sent under their keys until they are delivered or refused."""

import asyncio
import logging
import math
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import psycopg
from psycopg.rows import DictRow
from psycopg.types.json import Jsonb

from contracts.approval import JsonObject
from contracts.errors import GatehouseError, RightsMissing, StoreUnavailable, ToolError, ToolOutcomeUnknown, ToolRefused
from contracts.tool import AnyTool
from engine.access.rights import require_rights
from engine.audit.audit import Subject
from engine.catalog.catalog import Catalog
from engine.gateway import ledger
from engine.gateway.capability import OnBehalf
from engine.gateway.ledger import Attempt, Ending
from engine.gateway.sending import Sending, as_json, try_once
from engine.gateway.systems import Systems
from engine.limits.switches import Scope, which_is_off
from engine.store.database import Connection, Database
from engine.store.scope import across_tenants, of_tenant
from engine.store.sql import load_queries

_SQL = load_queries(__file__)
_LOG = logging.getLogger("gatehouse.gateway")
_AT_ONCE = 10
_SILENCE_S = 5.0
"""How long after its tool's time an attempt counts as dead with its worker."""
_LONGEST_PAUSE_S = 300.0
_WHILE_OFF = timedelta(seconds=30)


@dataclass(frozen=True)
class _Letter:
    """One outbox call with the attempt that is being made."""

    row: DictRow
    tool: AnyTool
    number: int

    @property
    def attempt(self) -> Attempt:
        return Attempt(self.row["call_key"], self.row["tool"], self.number)

    @property
    def doubtful(self) -> bool:
        """Whether an earlier attempt may have acted: one that nobody told the end of, or that said so."""
        error = self.row["error"]
        return self.number > 1 and (error is None or bool(error.get("may_have_acted")))


@dataclass(frozen=True)
class Outbox:
    """Any number of workers deliver from one outbox."""

    database: Database
    catalog: Catalog
    systems: Systems

    async def deliver_due(self) -> int:
        """Make one attempt for calls whose time has come; returns for how many.

        A call whose tool has a fault is tried again as if its worker had died, and holds up no other.
        """
        letters = await self._take()
        ends = await asyncio.gather(*(self._deliver(letter) for letter in letters), return_exceptions=True)
        for letter, end in zip(letters, ends, strict=True):
            if isinstance(end, (StoreUnavailable, psycopg.OperationalError)):
                raise end
            if isinstance(end, Exception):
                _LOG.error("%s of run %s failed", letter.row["tool"], letter.row["run_id"], exc_info=end)
        return len(letters)

    async def hand_over_orphans(self) -> None:
        """Leave calls to a person that nobody has been able to send for a day: their tool's version is gone."""
        said = "no running version of the workflow can send it"
        with across_tenants("calls that nobody can send"):
            async with self.database.transaction() as conn:
                rows = await (await conn.execute(_SQL["orphans"], {"contracts": [*self._contracts()]})).fetchall()
        for row in rows:
            attempt = Attempt(row["call_key"], row["tool"], row["attempt"])
            with of_tenant(row["tenant"]):
                async with self.database.transaction() as conn:
                    await ledger.close(conn, _subject(row), attempt, Ending("unknown", error={"detail": said}))

    async def _take(self) -> list[_Letter]:
        with across_tenants("calls whose time has come"):
            async with self.database.transaction() as conn:
                return await self._taken(conn)

    async def _taken(self, conn: Connection) -> list[_Letter]:
        contracts = self._contracts()
        params = {"limit": _AT_ONCE, "contracts": [*contracts]}
        rows = await (await conn.execute(_SQL["due"], params)).fetchall()
        letters = [
            _Letter(row, contracts[_contract(row)], row["attempt"] + 1)
            for row in rows
            if not await self._wait_while_off(conn, row)
        ]
        for letter in letters:
            silent_until = timedelta(seconds=letter.tool.timeout_s + _SILENCE_S)
            await conn.execute(_SQL["take"], {"call_key": letter.row["call_key"], "pause": silent_until})
        return letters

    async def _wait_while_off(self, conn: Connection, row: DictRow) -> bool:
        """What somebody has switched off is not sent; it is looked at again, and no attempt is counted."""
        names: list[tuple[Scope, str]] = [("workflow", row["workflow"]), ("tool", row["tool"])]
        runs: list[tuple[Scope, str]] = [("run", str(row["run_id"])), ("run", str(row["case_id"]))]
        off = await which_is_off(conn, [*names, *runs], tenant=row["tenant"])
        if off:
            await conn.execute(_SQL["postpone"], {"call_key": row["call_key"], "pause": _WHILE_OFF})
        return off is not None

    def _contracts(self) -> dict[str, AnyTool]:
        """Tools that can be sent from here, by name and version: others are another deployment's."""
        return {f"{tool.name}@{tool.version}": tool for w in self.catalog.values() for tool in w.policy.callable_tools}

    async def _deliver(self, letter: _Letter) -> None:
        with of_tenant(letter.row["tenant"]):
            await self._send(letter)

    async def _send(self, letter: _Letter) -> None:
        tool, row = letter.tool, letter.row
        if letter.number > 1 and row["attempt_age_s"] > tool.key_retention_s:
            said = f"not delivered within {tool.key_retention_s:g} s, for which repeats of its key are dropped"
            await self._close(letter, Ending("unknown", error={"detail": said}))
            return
        sending = Sending(row["idempotency_key"], send_by=math.inf, behalf=_behalf(row))
        try:
            async with self.database.reading() as conn:
                await require_rights(conn, row["requester"], tenant=row["tenant"], scopes=tool.scopes)
            reply = await try_once(tool, tool.request.model_validate(row["args"]), sending, self.systems)
        except (RightsMissing, ToolRefused) as error:
            await self._close(letter, Ending("unknown" if letter.doubtful else "refused", error=as_json(error)))
        except ToolError as error:
            await self._keep_trying(letter, error)
        else:
            await self._close(letter, Ending("done", reply.model_dump(mode="json")))

    async def _keep_trying(self, letter: _Letter, error: GatehouseError) -> None:
        doubtful = letter.doubtful or isinstance(error, ToolOutcomeUnknown)
        said: JsonObject = as_json(error) | {"may_have_acted": doubtful}
        pause = timedelta(seconds=min(_LONGEST_PAUSE_S, 2.0 ** min(letter.number, 16)))
        params: dict[str, Any] = {"call_key": letter.row["call_key"], "attempt": letter.number, "pause": pause}
        async with self.database.transaction() as conn:
            await conn.execute(_SQL["keep_trying"], params | {"error": Jsonb(said)})

    async def _close(self, letter: _Letter, ending: Ending) -> None:
        async with self.database.transaction() as conn:
            await ledger.close(conn, _subject(letter.row), letter.attempt, ending)


def _behalf(row: DictRow) -> OnBehalf:
    who = (row["requester"], row["tenant"], row["actor"], row["version"], str(row["run_id"]))
    return OnBehalf(*who, row["call_key"], row["action_digest"] or row["args_hash"])


def _contract(row: DictRow) -> str:
    return f"{row['tool']}@{row['tool_version']}"


def _subject(row: DictRow) -> Subject:
    return Subject(str(row["thread_id"]), str(row["run_id"]), f"agent:{row['workflow']}")
