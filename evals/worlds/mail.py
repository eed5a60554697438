"""The world's mail system: whatever is handed in twice is sent twice."""

from pydantic import BaseModel, ConfigDict
from starlette.applications import Starlette

from evals.worlds.serving import Answer, Desk, Incoming, receipt_id, record_effect, refusal
from evals.worlds.store import Rows


class Letter(BaseModel):
    model_config = ConfigDict(extra="forbid")

    account_id: str
    to: str
    subject: str
    body: str
    case_ref: str


def mail_world(desk: Desk) -> Starlette:
    return Starlette(routes=[desk.route("mail.send_reply", "POST", "/messages", _send)])


def _send(rows: Rows, incoming: Incoming) -> Answer:
    letter = Letter.model_validate(incoming.body)
    if letter.to.endswith(".invalid"):  # RFC 2606: never a real address
        return refusal(422, f"cannot deliver to {letter.to!r}")
    key = incoming.idempotency_key
    earlier = len(rows.all("effect_by_key", kind="message", idempotency_key=key))
    message_id = receipt_id("MS", f"{key}/{earlier}")
    return record_effect(
        rows, "message", incoming, {"message_id": message_id, "to": letter.to, "case_ref": letter.case_ref}
    )
