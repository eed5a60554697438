"""What models of this workflow must return. Validated at the border; the state keeps plain values."""

from pydantic import BaseModel, ConfigDict, Field


class RequestReply(BaseModel):
    """What somebody wants to buy. There is no field for a price to pay, an account or an approval."""

    model_config = ConfigDict(extra="forbid")

    supplier: str = Field("", max_length=80, description="The supplier as they name it, else empty.")
    item: str = Field("", max_length=120, description="The one thing they want, in their words, else empty.")
    quantity: int | None = Field(None, ge=1, le=100_000, description="How many of it; null if they do not say.")
    expected_cents: int | None = Field(None, ge=0, description="The total they expect, in minor units; null if none.")
    expected_currency: str = Field("", pattern=r"^([A-Z]{3})?$", description="Its currency as an ISO code, else empty.")
