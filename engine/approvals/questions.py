"""Questions to the requester: asked by a clarification interrupt, answered once."""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from contracts.errors import AlreadyDecided, Forbidden
from contracts.event import Event
from engine.access.keys import Principal
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
    """Register the question that a clarification interrupt shows; expects the transaction that saves it."""
    row = {
        "id": str(uuid.uuid4()),
        "tenant": run.tenant,
        "thread_id": run.thread_id,
        "run_id": run.id,
        "workflow": run.workflow,
        "stage": value["stage"],
        "interrupt_id": interrupt_id,
        "question": value["question"],
    }
    if await (await conn.execute(_SQL["ask_question"], row)).fetchone():
        await audit.append(conn, run.subject(), Event.QUESTION_ASKED, {"question": value["question"]})


async def questions_of_thread(conn: Connection, thread_id: str) -> list[Question]:
    """Every question the thread has asked, oldest first."""
    rows = await (await conn.execute(_SQL["questions_of_thread"], {"thread_id": thread_id})).fetchall()
    names = Question.__dataclass_fields__
    return [Question(**{n: str(row[n]) if n in ("id", "run_id") else row[n] for n in names}) for row in rows]


async def answers_of_case(conn: Connection, case_id: str) -> list[str]:
    """What the requester, or an operator for them, has answered in a case, oldest first."""
    rows = await (await conn.execute(_SQL["answers_of_case"], {"case_id": case_id})).fetchall()
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
