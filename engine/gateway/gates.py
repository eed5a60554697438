"""The gates of one run: actions frozen, cards made from policy and contract, decisions read from their rows."""

from collections import Counter
from dataclasses import dataclass, replace
from typing import get_args

from contracts.approval import Decision, Draft, JsonObject, Proposal
from contracts.errors import InvalidRequest
from contracts.event import Event
from contracts.policy import Verdict
from contracts.tool import AnyTool, Reply, Request, Tool
from engine.approvals import requests
from engine.approvals.decisions import decision_of
from engine.approvals.model import Judged
from engine.approvals.payloads import dialects, response_schema
from engine.audit import audit
from engine.catalog.workflow import Workflow
from engine.gateway.cards import card_of
from engine.gateway.facts import host_facts
from engine.gateway.guarding import Looked, look_at, remember_untrusted
from engine.gateway.ledger import Intent
from engine.gateway.outcomes import Found, call_is_off, effect_of_approval
from engine.gateway.place import here
from engine.gateway.preview import Preview, preview_of
from engine.gateway.systems import Systems
from engine.runs.model import Run
from engine.store.database import Connection, Database
from engine.store.journal import Journal

_SUMMARY_LENGTH = 200
_EDITED = Verdict(
    "deny",
    "edited-thread",
    "The state of this thread was edited, replayed or copied from outside, so nothing that follows from it is done.",
)


@dataclass(frozen=True)
class _Asked:
    """A call that a draft proposes."""

    tool: AnyTool
    args: JsonObject
    facts: JsonObject


class RunGates:
    """`contracts.context.Gates` for one claimed run."""

    def __init__(
        self, database: Database, journal: Journal, workflow: Workflow, run: Run, *, systems: Systems | None = None
    ) -> None:
        """`systems` are asked for previews; without them there are none."""
        self._systems = systems
        self._database = database
        self._journal = journal
        self._workflow = workflow
        self._run = run
        self._ordinals: Counter[str] = Counter()

    async def freeze(self, tool: Tool[Request, Reply], draft: Draft) -> Proposal:
        """Raises `InvalidRequest` for arguments the tool refuses or a summary over 200 characters."""
        if len(draft["summary"]) > _SUMMARY_LENGTH:
            raise InvalidRequest(
                f"A summary has at most {_SUMMARY_LENGTH} characters; this has {len(draft['summary'])}."
            )
        place = here()
        key = f"{self._run.id}:{place.task_id}:{self._ordinals[place.task_id]}"
        self._ordinals[place.task_id] += 1
        queue = self._workflow.policy.queue.name
        args = self._workflow.normalise(tool.name, draft["args"]).args
        asked = _Asked(tool, args, draft["facts"])
        preview = await self._preview(asked, key)
        async with self._journal.transaction() as conn:
            found, judged = await self._judged(conn, asked)
            if not self._run.acts:
                judged = replace(judged, verdict=replace(_EDITED, inputs=judged.verdict.inputs))
            card = card_of(tool, draft, found.findings, preview.changes if preview else None)
            request = await requests.freeze(conn, self._run, judged, draft, freeze_key=key, queue=queue, card=card)
            await remember_untrusted(conn, self._run, tool, args, found)
            if preview:
                data: JsonObject = {"request_id": request.id, "tool": tool.name, "jti": preview.jti}
                await audit.append(conn, self._run.subject(), Event.CALL_PREVIEWED, data)
        return request.proposal()

    async def _judged(self, conn: Connection, asked: "_Asked") -> tuple[Looked, Judged]:
        found = await look_at(conn, self._run, self._workflow, asked.tool, asked.args)
        host = await host_facts(conn, self._run, self._workflow, asked.tool.name, asked.args, found=found)
        return found, self._workflow.judge(asked.tool.name, asked.args, asked.facts, host)

    async def _preview(self, asked: "_Asked", key: str) -> Preview | None:
        """Only for people: what policy decides by itself, and what is switched off, asks nobody outside."""
        tool, run = asked.tool, self._run
        if self._systems is None or tool.dry_run is None or not run.acts:
            return None
        async with self._database.reading() as conn:
            if await call_is_off(conn, run.id, tool.name, tenant=run.tenant):
                return None
            _, judged = await self._judged(conn, asked)
        if judged.verdict.type != "require_approval":
            return None
        intent = Intent(f"preview:{key}", here().stage, tool, asked.args)
        return await preview_of(intent, intent.on_behalf(run), self._systems)

    async def card(self, request_id: str) -> JsonObject:
        """LangChain's review payloads with our keys beside them."""
        stage = here().stage
        async with self._database.transaction() as conn:
            request = await requests.get_request(conn, request_id, tenant=self._run.tenant)
        tool, edits = self._workflow.tool(request.tool), request.quorum.needed == 1
        shown: JsonObject = {
            **dialects(request.tool, request.args, tool.summary, request_id=request.id, edits=edits),
            "response_schema": response_schema(request.tool, tool.request, edits=edits),
            "kind": "approval",
            "request_id": request.id,
            "action_digest": request.action_digest,
            "stage": stage,
            "queue": request.queue,
            "role": request.role,
            "rule": request.rule,
            "why": request.why,
        }
        return shown | request.card

    async def doubt(self, request_id: str) -> JsonObject:
        """The call, its attempts and how to say what became of it. Raises `NotFound` for one that was never begun."""
        stage = here().stage
        async with self._database.transaction() as conn:
            effect = await effect_of_approval(conn, request_id, tenant=self._run.tenant)
        tool = self._workflow.tool(effect.tool)
        shown: JsonObject = {
            "kind": "unknown_effect",
            "call_key": effect.call_key,
            "stage": stage,
            "tool": effect.tool,
            "args": effect.args,
            "idempotency_key": effect.idempotency_key,
            "attempt": effect.attempt,
            "started_at": effect.started_at.isoformat(),
            "error": effect.error,
            "summary": tool.summary,
            "undo": tool.undo,
            "outcomes": list(get_args(Found)),
            "result_schema": tool.reply.model_json_schema(),
        }
        return shown

    async def question(self, text: str, *, confirms: str = "") -> JsonObject:
        """What a clarification interrupt shows. Raises `NotFound` for a request to confirm that there is not."""
        shown: JsonObject = {"kind": "clarification", "stage": here().stage, "question": text}
        if not confirms:
            return shown
        async with self._database.reading() as conn:
            request = await requests.get_request(conn, confirms, tenant=self._run.tenant)
        action: JsonObject = {"name": request.tool, "args": request.args, "summary": request.card["summary"]}
        return shown | {"confirms": request.id, "action_digest": request.action_digest, "action": action}

    async def decision(self, request_id: str) -> Decision:
        """Read from the row, whatever the resume said. Raises `ApprovalRequired` while there is none."""
        async with self._database.transaction() as conn:
            return await decision_of(conn, request_id, tenant=self._run.tenant)
