"""The controls of the gateway: each may refuse a call, before anything is done or where its ledger row is opened."""

import time
from dataclasses import dataclass, field
from typing import Any, ClassVar

from contracts.errors import BudgetExceeded, BypassRefused, PolicyDenied, RightsMissing, ToolNotGranted
from engine.access.rights import covers, require_rights
from engine.approvals.questions import require_confirmed
from engine.approvals.requests import decided_by_a_person
from engine.catalog.workflow import Workflow
from engine.gateway import ledger
from engine.gateway.facts import host_facts
from engine.gateway.ledger import Counted, Ending, Intent
from engine.policies.generation import ACTING_MODES
from engine.policies.modes import mode_of
from engine.runs.model import Run
from engine.store.database import Connection


@dataclass(frozen=True)
class Asked:
    """A call that a stage asks for."""

    run: Run
    workflow: Workflow
    intent: Intent
    ends_at: float
    """When the run's time is over, in monotonic seconds."""
    seen: dict[str, Any] = field(default_factory=dict)
    """What controls found out about this call and others want to know, too."""


class Control:
    """One reason to refuse a call. What a control does not look at stays as it is here."""

    name: ClassVar[str]

    def before(self, call: Asked) -> None:
        """Looks at the call alone, before anything outside or in the database is asked. Raises to refuse."""

    async def within(self, conn: Connection, call: Asked) -> None:
        """Looks at the world, in the transaction that has opened the call's row. Raises to refuse: it is undone then.

        Asked before each attempt, and not about a call that has ended: what was done is not refused afterwards.
        """

    async def refused(self, conn: Connection, run: Run) -> None:
        """Hears that a call of the run was refused, in the transaction that records that."""

    async def after(self, conn: Connection, call: Asked, ending: Ending) -> None:
        """Hears what became of the call, in the transaction that records it."""


class GrantedToStage(Control):
    """A stage calls the tools that its graph gives it."""

    name = "granted-to-stage"

    def before(self, call: Asked) -> None:
        stage, tool = call.workflow.stages.get(call.intent.stage), call.intent.tool
        if stage is None or tool.name not in stage.tools:
            raise ToolNotGranted(
                f"Stage {call.intent.stage!r} of {call.workflow.name!r} is not allowed to call {tool.name!r}.",
                hint="Name the tool where the stage is added to the graph.",
            )


class OnlyEffectsWrite(Control):
    """Only stages that are shown as effects change anything."""

    name = "only-effects-write"

    def before(self, call: Asked) -> None:
        stage = call.workflow.stages.get(call.intent.stage)
        if call.intent.tool.writes and stage and stage.kind != "effect":
            raise ToolNotGranted(
                f"Stage {call.intent.stage!r} is of kind {stage.kind!r}; only an effect stage may write."
            )


class EditedThreadsDoNotAct(Control):
    """What follows from a state that was edited, replayed or copied changes nothing."""

    name = "edited-threads-do-not-act"

    def before(self, call: Asked) -> None:
        if call.intent.tool.writes and not call.run.acts:
            raise BypassRefused(
                "The state of this thread was edited, replayed or copied from outside; such a thread does not act.",
                hint="Start the case on a new thread.",
            )


class SecondsOfRun(Control):
    """A run has its time and no more."""

    name = "seconds-of-run"

    def before(self, call: Asked) -> None:
        if time.monotonic() > call.ends_at:
            raise BudgetExceeded(f"The run has worked for {call.workflow.policy.budget.seconds} s, its budget.")


class CallsOfCase(Control):
    """A case makes so many calls, over all its runs."""

    name = "calls-of-case"

    async def within(self, conn: Connection, call: Asked) -> None:
        limit = call.workflow.policy.budget.tool_calls
        if (await counted(conn, call)).calls > limit:  # this one counts
            raise BudgetExceeded(f"The case has made {limit} tool calls, its budget.")


class PolicyOfReads(Control):
    """A read that a rule denies is not made: by what the case's own calls have shown, before anything is read."""

    name = "policy-of-reads"

    async def within(self, conn: Connection, call: Asked) -> None:
        tool, args, workflow = call.intent.tool, call.intent.args, call.workflow
        if tool.writes or not workflow.denies_reads_of(tool.name):
            return
        host = await host_facts(conn, call.run, workflow, tool.name, args)
        verdict = workflow.judge(tool.name, args, {}, host).verdict
        if verdict.type != "allow":
            raise PolicyDenied(
                f"Policy does not allow {tool.name!r} ({verdict.rule}): {verdict.why}", facts={"rule": verdict.rule}
            )


class ConfirmedByRequester(Control):
    """What policy wants confirmed is done when the requester has seen exactly that and said yes."""

    name = "confirmed-by-requester"

    async def within(self, conn: Connection, call: Asked) -> None:
        intent = call.intent
        if intent.tool.writes and intent.tool.name in call.workflow.policy.confirmed:
            await require_confirmed(conn, call.run, intent.action_digest, tool=intent.tool.name)


async def counted(conn: Connection, call: Asked) -> Counted:
    """The calls of the case, this one included; counted once for whoever wants to know."""
    found = call.seen.get("counted")
    if not isinstance(found, Counted):
        found = call.seen["counted"] = await ledger.count_calls(conn, call.run, call.intent)
    return found


class RightsOfRequester(Control):
    """A call is made for somebody, who may have it made now: what they might when they asked is not enough."""

    name = "rights-of-requester"

    async def within(self, conn: Connection, call: Asked) -> None:
        run, needed = call.run, call.intent.tool.scopes
        if missing := [scope for scope in needed if not covers(run.options.scopes, scope)]:
            raise RightsMissing(f"The case was begun without the scopes {missing}.", facts={"missing": missing})
        await require_rights(conn, run.requester, tenant=run.tenant, scopes=needed)


class ModeOfWorkflow(Control):
    """What was frozen under a higher mode is not done under a lower one."""

    name = "mode-of-workflow"

    async def within(self, conn: Connection, call: Asked) -> None:
        if not call.intent.tool.writes:
            return
        mode = await mode_of(conn, call.workflow.name, tenant=call.run.tenant)
        if mode not in ACTING_MODES:
            raise PolicyDenied(
                f"{call.workflow.name!r} works in the mode {mode!r} now, in which it changes nothing.",
                facts={"mode": mode},
            )
        if mode == "approve_all" and not await decided_by_a_person(conn, call.intent.approval_id):
            raise PolicyDenied(
                f"{call.workflow.name!r} works in the mode {mode!r} now: a person agrees to every change, and policy"
                " alone allowed this one.",
                hint="Start the case again: it will ask.",
                facts={"mode": mode},
            )


CONTROLS: tuple[Control, ...] = (
    GrantedToStage(),
    OnlyEffectsWrite(),
    EditedThreadsDoNotAct(),
    SecondsOfRun(),
    CallsOfCase(),
    PolicyOfReads(),
    RightsOfRequester(),
    ModeOfWorkflow(),
    ConfirmedByRequester(),
)
"""Asked in this order; the first that refuses is heard."""
