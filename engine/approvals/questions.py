"""Questions to the requester: asked by a clarification interrupt, answered once."""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from contracts.approval import JsonObject, says_yes
from contracts.errors import AlreadyDecided, DigestMismatch, Forbidden, NotConfirmed
from contracts.event import Event
from engine.access.keys import Principal
from engine.approvals.requests import get_request
from engine.audit import audit
from engine.runs.model import Run
from engine.runs.runs import NextLeg, get_run
from engine.runs.threads import get_thread
from engine.store.database import Connection
from engine.store.sql import load_queries

_SQL = load_queries(__file__)


@dataclass(frozen=True)
class Question:
    """One question and, once given, its answer."""

    id: str
    run_id: str
    workflow: str
    stage: str
    interrupt_id: str
    question: str
    status: str
    answer: str | None
    answered_by: str | None


async def ask_question(conn: Connection, run: Run, interrupt_id: str, value: Mapping[str, Any]) -> None:
    """Register the question that a clarification interrupt shows; expects the transaction that saves it.

    Raises `DigestMismatch` for one that would confirm another action than was frozen for this thread.
    """
    confirms = value.get("confirms")
    if confirms:
        await _require_frozen(conn, run, str(confirms), value["action_digest"])
    row = {
        "id": str(uuid.uuid4()),
        "tenant": run.tenant,
        "thread_id": run.thread_id,
        "run_id": run.id,
        "workflow": run.workflow,
        "stage": value["stage"],
        "interrupt_id": interrupt_id,
        "question": value["question"],
        "confirms": confirms,
        "action_digest": value.get("action_digest"),
    }
    if await (await conn.execute(_SQL["ask_question"], row)).fetchone():
        said: JsonObject = {"question": value["question"]}
        if confirms:
            said |= {"confirms": confirms, "action_digest": value["action_digest"], "action": value["action"]}
        await audit.append(conn, run.subject(), Event.QUESTION_ASKED, said)


async def _require_frozen(conn: Connection, run: Run, request_id: str, action_digest: str) -> None:
    request = await get_request(conn, request_id, tenant=run.tenant)
    if (request.thread_id, request.action_digest) != (run.thread_id, action_digest):
        raise DigestMismatch(f"The question shows an action that was not frozen for thread {run.thread_id}.")


async def require_confirmed(conn: Connection, run: Run, action_digest: str | None, *, tool: str) -> None:
    """Raises `NotConfirmed` unless the requester was shown exactly this action in this thread, and answered yes.

    The answer is read from its row; nothing that a state or a model says of it counts.
    """
    params = {"thread_id": run.thread_id, "action_digest": action_digest, "requester": run.requester}
    answers = await (await conn.execute(_SQL["answers_confirming"], params)).fetchall()
    if not any(says_yes(row["answer"]) for row in answers):
        raise NotConfirmed(
            f"{tool!r} wants the requester's own yes to exactly this call, and there is none.",
            hint="Ask a question that shows the frozen action, and go on when it was answered with yes.",
        )


async def questions_of_thread(conn: Connection, thread_id: str) -> list[Question]:
    """Every question the thread has asked, oldest first."""
    rows = await (await conn.execute(_SQL["questions_of_thread"], {"thread_id": thread_id})).fetchall()
    names = Question.__dataclass_fields__
    return [Question(**{n: str(row[n]) if n in ("id", "run_id") else row[n] for n in names}) for row in rows]


async def answers_of_thread(conn: Connection, thread_id: str) -> list[str]:
    """What the requester, or an operator for them, has answered on a thread, oldest first."""
    rows = await (await conn.execute(_SQL["answers_of_thread"], {"thread_id": thread_id})).fetchall()
    return [str(row["answer"]) for row in rows]


async def answer_question(
    conn: Connection,
    question: Question,
    answer: str,
    principal: Principal,
    following: NextLeg,
) -> Run:
    """Keep the answer and begin the leg that goes on with it, in one transaction.

    Raises `Forbidden` for anybody but the requester or an operator, `AlreadyDecided` for a second answer.
    """
    run = await get_run(conn, question.run_id, tenant=principal.tenant)
    if principal.name != run.requester and "operator" not in principal.roles:
        raise Forbidden(f"The question is for {run.requester!r}, who opened the case.")
    await get_thread(conn, run.thread_id, tenant=run.tenant, lock=True)
    params = {"id": question.id, "answer": answer, "by": principal.name}
    if not await (await conn.execute(_SQL["answer_question"], params)).fetchone():
        raise AlreadyDecided(f"The question was closed before ({question.status}).")
    await audit.append(
        conn, run.subject(principal.name), Event.QUESTION_ANSWERED, {"question": question.question, "answer": answer}
    )
    return await following.begin(conn, run)
