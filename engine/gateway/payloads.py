"""What people send who found out what became of an effect, read into a resolution."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError

from contracts.approval import JsonObject
from contracts.errors import InvalidDecision
from engine.gateway.outcomes import Resolution


class ResolutionBody(BaseModel):
    """`happened` with the lost reply as `result`, `did_not_happen`, or `abort`: it is not tried again."""

    model_config = ConfigDict(extra="forbid")

    outcome: Literal["happened", "did_not_happen", "abort"]
    result: JsonObject | None = None
    note: str = Field("", max_length=1000, pattern=r"^[^\x00]*$")

    def resolution(self) -> Resolution:
        return Resolution(self.outcome, self.result, self.note)


def read_resolution(value: JsonValue) -> Resolution:
    """What a resume carries. Raises `InvalidDecision` with the schema."""
    try:
        return ResolutionBody.model_validate(value).resolution()
    except ValidationError as error:
        problems = [f"{'.'.join(map(str, e['loc'])) or 'the answer'}: {e['msg']}" for e in error.errors()]
        raise InvalidDecision(
            f"This does not say what became of the effect: {'; '.join(problems)}",
            facts={"response_schema": ResolutionBody.model_json_schema()},
        ) from error
