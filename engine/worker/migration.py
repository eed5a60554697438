"""Moves cases from the version they are pinned to to the loaded one, where they would go on as what was asked about."""

from dataclasses import dataclass

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import CheckpointTuple

from contracts.approval import JsonObject
from contracts.errors import GatehouseError, InvalidRequest, NotCompatible, StageGone, ToolNotGranted, VersionChanged
from contracts.event import Event
from contracts.policy import Verdict
from engine.approvals.model import ApprovalRequest
from engine.approvals.requests import action_of, live_of_thread
from engine.audit import audit
from engine.catalog.catalog import Catalog
from engine.catalog.versions import manifest_of, require_not_stopped
from engine.catalog.workflow import Workflow
from engine.gateway.facts import host_facts
from engine.gateway.ledger import consumed_approvals
from engine.policies.cedar import USUAL_MODE
from engine.policies.kinds import MODE
from engine.runs import pins
from engine.runs.dispatch import Dispatcher
from engine.runs.model import Run
from engine.runs.runs import get_run
from engine.store.database import Connection, Database
from engine.store.seal import SealedSerializer
from engine.worker.rehearsal import ForgetfulSaver, ask_again, waits_for
from engine.worker.resume import require_stages

_AUTOMATIC = "what it waits for is unchanged, and GATEHOUSE_VERSION_CHANGE is migrate-compatible"


@dataclass(frozen=True)
class Move:
    """From which version to which, who wants it and why."""

    source: str
    to: str
    by: str
    reason: str


@dataclass(frozen=True)
class Refused:
    """A run that was not moved, and why."""

    run_id: str
    code: str
    why: str


@dataclass(frozen=True)
class Moved:
    """What became of a part of the cases that stood on a version."""

    run_ids: tuple[str, ...]
    refused: tuple[Refused, ...]
    next: int | None
    """Where the next part begins; None when this was the last one."""


@dataclass(frozen=True)
class Migrator:
    """Cases between versions. `automatic`: whether those that are compatible are moved without being asked for."""

    database: Database
    catalog: Catalog
    dispatcher: Dispatcher
    seal_key: bytes
    automatic: bool

    async def require_loaded(self, run_id: str) -> None:
        """The case of this run can go on under the loaded version, having been moved to it if need be.

        Raises `VersionChanged`.
        """
        async with self.database.reading() as conn:
            leg = await pins.newest_leg(conn, run_id)
        workflow = self.catalog[leg.workflow]
        if leg.version == workflow.version:
            return
        if not self.automatic:
            raise _changed(leg, workflow)
        try:
            await self.migrate(leg, Move(leg.version, workflow.version, "system", _AUTOMATIC))
        except (NotCompatible, StageGone) as error:
            raise _changed(leg, workflow, because=error) from error

    async def require_loaded_where_it_stands(self, thread_id: str) -> None:
        """The same for a thread whose last run was stopped and not ended, if it was."""
        async with self.database.reading() as conn:
            leg = await pins.parked_leg(conn, thread_id)
        if leg:
            await self.require_loaded(leg.id)

    async def adopt(self, run: Run) -> Run:
        """The claimed run under the loaded version: one that has not begun starts there, others as settings say.

        Raises `VersionChanged`, `VersionDrained`: then the run is left to a worker with its version. `InvalidRequest`
        when its input does not fit the loaded workflow.
        """
        workflow = self.catalog[run.workflow]
        saved = await self._saver(run).aget_tuple(_config(run))
        begun = _has_begun(run, saved)
        if not begun:
            async with self.database.transaction() as conn:
                await require_not_stopped(conn, workflow, tenant=run.tenant)
            workflow.require_input(run.input or {})
        elif not self.automatic:
            raise _changed(run, workflow)
        else:
            try:
                await self._require_compatible(run, workflow)
            except (NotCompatible, StageGone) as error:
                raise _changed(run, workflow, because=error) from error
        async with self.database.transaction() as conn:
            moved = await pins.repin_claimed(conn, run, workflow.version, begun=begun)
            reason = _AUTOMATIC if begun else "it has not begun"
            await audit.append(conn, run.subject("system"), Event.RUN_MIGRATED, _said(run, workflow, reason))
        return moved

    async def migrate(self, run: Run, move: Move) -> None:
        """Move a case that waits, or that no worker holds; its new version must be loaded.

        Raises `NotCompatible` naming what would be otherwise, `StageGone`, `VersionChanged` when the case went on
        meanwhile.
        """
        workflow = self.catalog[run.workflow]
        if run.version != move.source:
            raise NotCompatible(f"Run {run.id} is pinned to {run.version!r}, not to {move.source!r}.")
        if move.to != workflow.version:
            raise NotCompatible(
                f"Version {move.to!r} of {workflow.name!r} is not loaded here; {workflow.version!r} is.",
                hint="Ask a server that has it.",
            )
        if run.status == "running":
            raise NotCompatible(f"Run {run.id} is under way.", hint="Wait until it parks or ends, then try again.")
        await self._require_compatible(run, workflow)
        async with self.database.transaction() as conn:
            if await pins.repin(conn, run, move.to, self.dispatcher) is None:
                raise VersionChanged(f"The case of run {run.id} went on meanwhile.", hint="Try again.")
            await audit.append(conn, run.subject(move.by), Event.RUN_MIGRATED, _said(run, workflow, move.reason))

    async def migrate_part(self, move: Move, *, tenant: str, after: int = 0, limit: int = 200) -> Moved:
        """Move a part of a tenant's cases, one transaction each; the others say why not. Raises `NotFound`."""
        async with self.database.transaction() as conn:
            await manifest_of(conn, move.source)
            rows = await pins.standing_on(conn, move.source, tenant=tenant, after=after, limit=limit)
        moved: list[str] = []
        refused: list[Refused] = []
        for row in rows:
            async with self.database.transaction() as conn:
                run = await get_run(conn, str(row["id"]), tenant=tenant)
            try:
                await self.migrate(run, move)
                moved.append(run.id)
            except GatehouseError as error:
                refused.append(Refused(run.id, error.code, error.detail))
        return Moved(tuple(moved), tuple(refused), rows[-1]["seq"] if len(rows) == limit else None)

    async def _require_compatible(self, run: Run, workflow: Workflow) -> None:
        """What the case waits for would be asked in the same words, and what was approved is the same action."""
        saver, config = self._saver(run), _config(run)
        saved = await saver.aget_tuple(config)
        if saved is None or not _has_begun(run, saved):
            return
        stands_at = saver.stands_at | set(run.stands_at)
        require_stages(run, workflow, stands_at)
        await self._require_same_stages(run, workflow, stands_at)
        await self._require_same_actions(run, workflow)
        shown = waits_for(saved)
        if shown and await ask_again(self.database, saver, workflow, run, config) != shown:
            raise NotCompatible(f"Run {run.id} would ask something else under version {workflow.version}.")

    async def _require_same_stages(self, run: Run, workflow: Workflow, stands_at: set[str]) -> None:
        async with self.database.transaction() as conn:
            before = (await manifest_of(conn, run.version)).get("stages")
        after = workflow.manifest.get("stages")
        if not isinstance(before, dict) or not isinstance(after, dict):
            return
        for stage in sorted(stands_at):
            if before.get(stage) != after.get(stage):
                raise NotCompatible(
                    f"The stage {stage!r}, at which run {run.id} stands, was {before.get(stage)} and is"
                    f" {after.get(stage)}."
                )

    async def _require_same_actions(self, run: Run, workflow: Workflow) -> None:
        async with self.database.transaction() as conn:
            live, consumed = await live_of_thread(conn, run.thread_id), await consumed_approvals(conn, run.thread_id)
            for request in live:
                if request.id not in consumed:
                    await _require_same_action(conn, run, workflow, request)

    def _saver(self, run: Run) -> ForgetfulSaver:
        serde = SealedSerializer(self.seal_key, tenant=run.tenant, thread_id=run.thread_id)
        return ForgetfulSaver(self.database, serde)


async def _require_same_action(conn: Connection, run: Run, workflow: Workflow, request: ApprovalRequest) -> None:
    """An approval covers what was seen: the same call in the same form, which the loaded policy would not forbid."""
    try:
        host = await host_facts(conn, run, workflow, request.tool, request.args)
        host |= {MODE: request.host.get(MODE, USUAL_MODE)}  # a lower mode is no other policy
        judged = workflow.judge(request.tool, request.args, request.facts, host)
    except (InvalidRequest, ToolNotGranted) as error:
        raise NotCompatible(f"The call of {request.tool!r} in request {request.id} is not one any more.") from error
    if action_of(run, judged.call, version=request.version).digest() != request.action_digest:
        raise NotCompatible(f"{request.tool!r} has another contract than when request {request.id} was shown.")
    if _is_stricter(judged.verdict, request):
        raise NotCompatible(
            f"Policy judges request {request.id} otherwise now: {judged.verdict.type}"
            f" {judged.verdict.quorum.said()} ({judged.verdict.rule})."
        )


def _is_stricter(verdict: Verdict, request: ApprovalRequest) -> bool:
    match verdict.type:
        case "allow":
            return False
        case "deny":
            return True
        case "require_approval":
            return request.verdict != "require_approval" or verdict.quorum != request.quorum


def _has_begun(run: Run, saved: CheckpointTuple | None) -> bool:
    """Whether the run, or the case it goes on with, has left a checkpoint."""
    return run.kind != "input" or (saved is not None and saved.metadata.get("run_id") == run.id)


def _config(run: Run) -> RunnableConfig:
    return {"configurable": {"thread_id": run.thread_id, "checkpoint_ns": ""}}


def _said(run: Run, workflow: Workflow, reason: str) -> JsonObject:
    return {"from": run.version, "to": workflow.version, "reason": reason}


def _changed(run: Run, workflow: Workflow, because: GatehouseError | None = None) -> VersionChanged:
    why = f" {because.detail}" if because else ""
    return VersionChanged(
        f"The case of run {run.id} is pinned to version {run.version} of {workflow.name!r}; loaded is"
        f" {workflow.version}.{why}",
        hint=f"An operator moves it: gatehouse versions migrate {run.id} --from {run.version} --to {workflow.version}."
        " Or ask a server that has its version.",
        facts={"pinned": run.version, "loaded": workflow.version},
    )
