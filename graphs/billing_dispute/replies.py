"""What models of this workflow must return. Validated at the border; the state keeps plain values."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class _Reply(BaseModel):
    model_config = ConfigDict(extra="forbid")


class IssueReply(_Reply):
    """What the customer says is wrong."""

    kind: Literal[
        "duplicate_charge",
        "unexpected_fee",
        "exchange_rate",
        "after_cancellation",
        "refund_missing",
        "unrecognised_charge",
        "dispute_with_merchant",
        "unclear",
    ]
    amount_cents: int | None = Field(None, ge=0, description="The sum they name, in minor units; null if none.")
    merchant: str = Field("", max_length=80, description="The merchant or fee they name, as on a bill; else empty.")


class FindingReply(_Reply):
    """An opinion about the dispute."""

    remedy: Literal["refund", "credit", "none"]
    goodwill_cents: int = Field(0, ge=0, description="With remedy credit: how much, in minor units.")
    reason: str = Field(min_length=1, max_length=600)
    evidence: list[str] = Field(max_length=10, description="Charge ids that the reason rests on.")


class LetterReply(_Reply):
    """A letter to the customer."""

    subject: str = Field(min_length=1, max_length=120, pattern=r"^[^\x00-\x1f\x7f]+$")
    body: str = Field(min_length=1, max_length=3000)
