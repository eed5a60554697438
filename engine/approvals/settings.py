"""What can be configured of review queues, as settings hold it."""

from pydantic import BaseModel, ConfigDict, Field, field_validator

from contracts.policy import Hours
from engine.approvals.hours import problems_of


class QueueSettings(BaseModel):
    """Terms of a queue that count instead of those in the policies; what is left out is as they say."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    target_s: int | None = Field(None, gt=0)
    warn_s: int | None = Field(None, ge=0)
    breach_s: int | None = Field(None, ge=0)
    hours: Hours | None = None
    capacity: int | None = Field(None, ge=0)
    oldest_s: int | None = Field(None, ge=0)

    @field_validator("hours")
    @classmethod
    def _possible(cls, value: Hours | None) -> Hours | None:
        if problems := list(problems_of(value)) if value else []:
            raise ValueError(f"it {problems[0]}")
        return value
