"""What a thread has asked of people, and which of it an answer is about."""

from pydantic import JsonValue

from contracts.errors import AmbiguousResume, BypassRefused, GateOpen, NothingToResume
from engine.approvals.model import ApprovalRequest
from engine.approvals.questions import Question, questions_of_thread
from engine.approvals.requests import asked_of_thread
from engine.gateway.outcomes import Effect, parked_effects
from engine.store.database import Connection

Asked = ApprovalRequest | Question | Effect


async def asked_on(conn: Connection, thread_id: str) -> list[Asked]:
    """Everything that the thread ever asked, whether it still waits for it or not."""
    parked = await parked_effects(conn, thread_id)
    return [*await asked_of_thread(conn, thread_id), *await questions_of_thread(conn, thread_id), *parked]


async def require_no_open_gate(conn: Connection, thread_id: str, *, command: object = None) -> None:
    """Raises `GateOpen` naming what the thread waits for; `BypassRefused` where a command would move past it."""
    for item in await asked_on(conn, thread_id):
        if _waits(item):
            if command:
                raise BypassRefused(
                    "A run that waits takes neither `update` nor `goto`: they can move it past its gate.",
                    hint="Send `command.resume` alone, or cancel the run and start the case again.",
                )
            what = "a decision" if isinstance(item, ApprovalRequest) else "an answer"
            if isinstance(item, Effect):
                what = "somebody to find out what became of an effect"
            raise GateOpen(
                f"Thread {thread_id} waits for {what}; new input or another state would walk around it.",
                hint="Answer with command.resume, or cancel the run first.",
                facts={"interrupt_id": item.interrupt_id, "stage": item.stage},
            )


def answered(asked: list[Asked], value: JsonValue) -> list[tuple[Asked, JsonValue]]:
    """What a resume answers, and with what: a map by interrupt id, or a plain value for the only thing ever asked.

    Raises `NothingToResume`, `AmbiguousResume`.
    """
    if isinstance(value, dict) and value and all(_is_interrupt_id(key) for key in value):
        by_id = {item.interrupt_id: item for item in asked if item.interrupt_id}
        if unknown := [interrupt_id for interrupt_id in value if interrupt_id not in by_id]:
            raise NothingToResume(f"The thread has no interrupt {unknown[0]}.")
        return [(by_id[interrupt_id], answer) for interrupt_id, answer in value.items()]
    if not asked:
        raise NothingToResume("The thread waits for nothing.", hint="Look at GET /threads/{id}/state.")
    if len(asked) > 1:
        raise AmbiguousResume(
            "The thread has asked more than once, and the answer does not say which request it is for.",
            hint='Send {"resume": {"<interrupt id>": …}} with the id of the interrupt that you were shown.',
            facts={"interrupts": [{"id": i.interrupt_id, "waits": _waits(i)} for i in asked]},
        )
    return [(asked[0], value)]


def _waits(item: Asked) -> bool:
    return item.waits if isinstance(item, Effect) else item.status in ("pending", "open")


def _is_interrupt_id(key: str) -> bool:
    return len(key) == 32 and all(c in "0123456789abcdef" for c in key)
