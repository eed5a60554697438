"""What can be configured of models, as settings hold it."""

from collections import Counter
from collections.abc import Sequence
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue, SecretStr, field_validator

Api = Literal["chat", "responses"]
_OURS = frozenset(("model", "messages", "input", "stream", "tools", "tool_choice", "response_format", "text"))


class ModelSettings(BaseModel):
    """One route of an alias: a model behind an OpenAI-compatible endpoint."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    model: str
    name: str = Field("", description="Of this route; empty: the model, with its region behind an @.")
    base_url: str | None = None
    api_key: SecretStr = SecretStr("none")
    api: Api = Field("chat", description="Which of the two ways of asking: chat completions or responses.")
    temperature: float | None = Field(0.0, description="null for models that take none.")
    parameters: dict[str, JsonValue] = Field({}, description="Further members of every request's body.")
    timeout_s: float = Field(60.0, gt=0, description="Seconds for one attempt.")
    max_concurrent: int = Field(0, ge=0, description="Calls under way at a time, of one process; 0: any number.")
    stream: bool = Field(False, description="Whether replies come in pieces: then the time to the first is recorded.")
    region: str = Field("", description="Where the data is processed, as in GATEHOUSE_REGIONS.")
    residency: list[str] = Field([], description="Further regions, and the data classes, whose data it may see.")
    currency: str = Field(
        "", pattern=r"^([A-Z]{3})?$", description="Of its price; empty: that of the price list, where it has the model."
    )
    read_price: float = Field(0, ge=0, description="Units of the currency for a million tokens that it reads.")
    written_price: float = Field(0, ge=0, description="The same for those that it writes.")

    @property
    def label(self) -> str:
        """How the route is called in records."""
        return self.name or (f"{self.model}@{self.region}" if self.region else self.model)

    @field_validator("parameters")
    @classmethod
    def _of_nobody_else(cls, value: dict[str, JsonValue]) -> dict[str, JsonValue]:
        if ours := sorted(set(value) & _OURS):
            raise ValueError(f"{ours[0]!r} is set by the gateway")
        return value


class ExperimentSettings(BaseModel):
    """Another route of an alias, which a share of the runs asks first."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(min_length=1, description="Which runs are in it follows from their id and this name.")
    share: float = Field(0.5, gt=0, lt=1, description="Of all runs.")
    route: ModelSettings


class ShadowSettings(BaseModel):
    """A second model of an alias: it is asked beside the first, and its reply only recorded."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    per_day: int = Field(100, ge=1, description="How often at most, in a tenant; that is a budget of its own.")
    route: ModelSettings


def wrapped(value: object) -> object:
    """One route as a list of one, by alias; anything else is left to whoever validates it."""
    if not isinstance(value, dict):
        return value
    return {alias: routes if isinstance(routes, list) else [routes] for alias, routes in value.items()}


def require_names(alias: str, routes: Sequence[ModelSettings]) -> None:
    """Raises ValueError for an alias without a route, and for two routes that nobody could tell apart."""
    if not routes:
        raise ValueError(f"alias {alias!r} has no route")
    if twice := [name for name, times in Counter(route.label for route in routes).items() if times > 1]:
        raise ValueError(f"two routes of alias {alias!r} are called {twice[0]!r}; give one of them a `name`")
