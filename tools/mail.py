"""The mail system: replies to customers."""

from typing import Annotated

from pydantic import Field

from contracts.sink import Sink
from contracts.tool import Call, ToolModel, tool
from tools.fields import AccountId, EmailAddress


class SendRequest(ToolModel):
    account_id: AccountId
    to: EmailAddress
    # No control character: a line break in a subject starts a new mail header.
    subject: Annotated[str, Field(min_length=1, max_length=120, pattern=r"^[^\x00-\x1f\x7f]+$")]
    body: Annotated[str, Field(min_length=1, max_length=5000)]
    """Plain text."""
    case_ref: Annotated[str, Field(min_length=1, max_length=64)]
    """The case that the mail answers; customers quote it."""


class SendReceipt(ToolModel):
    message_id: str
    to: EmailAddress
    case_ref: str


@tool(
    effect="at_most_once",
    reversibility="irreversible",
    blast_radius="customer",
    scopes=("mail:send",),
    target="to",
    undo="Not possible: a sent mail cannot be called back. Send a correction.",
    sinks={
        "account_id": Sink("identifier"),
        "to": Sink("recipient"),
        "subject": Sink("content"),
        "body": Sink("content"),
        "case_ref": Sink("identifier"),
    },
    reaches="customer",
    gate_class="external_messages",
)
async def send_reply(request: SendRequest, call: Call) -> SendReceipt:
    """Send one plain-text mail to a customer.

    The mail system does not know idempotency keys: a repeated call sends a second mail. Raises `ToolRefused` for an
    address that it cannot deliver to.
    """
    return SendReceipt.model_validate(await call.send("POST", "/messages", body=request.model_dump(mode="json")))
