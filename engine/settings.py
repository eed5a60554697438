"""What can be configured: environment variables, read once at start by wiring and the command line."""

import contextlib
import os
from collections import Counter
from pathlib import Path
from typing import Annotated, Any, Literal

import platformdirs
import psycopg
from psycopg.conninfo import conninfo_to_dict
from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict, SettingsError

from contracts.errors import ConfigurationError
from engine.access.issuers import IssuerSettings
from engine.approvals.settings import QueueSettings
from engine.credentials.redactor import KNOWN
from engine.credentials.references import is_reference, reveal
from engine.gateway.credentials import Placing
from engine.gateway.exchange import ExchangeSettings
from engine.models.kept_routes import FILE, KeptRoutes
from engine.models.settings import ExperimentSettings, ModelSettings, ShadowSettings, require_names, wrapped
from engine.notifications.routes import Route
from engine.traces.logs import LogFormat, LogLevel

VersionChange = Literal["refuse", "migrate-compatible"]


def _home() -> Path:
    return platformdirs.user_data_path("gatehouse")


class Settings(BaseSettings):
    """Every variable starts with GATEHOUSE_, but for DATABASE_URL. Objects are given as JSON."""

    model_config = SettingsConfigDict(env_prefix="GATEHOUSE_", frozen=True, extra="ignore", env_ignore_empty=True)

    database_url: SecretStr | None = Field(None, validation_alias="DATABASE_URL", description="Postgres to use.")
    pool_url: SecretStr | None = Field(
        None, description="The same database through a pooler by the transaction, for all but LISTEN and migrations."
    )
    read_url: SecretStr | None = Field(
        None, description="A replica of the same database: tools that only read our records look there, a little late."
    )
    secrets_dir: Path | None = Field(
        None,
        description="Folder of files named like these variables, one value in each: secrets of containers.",
    )
    home: Path = Field(
        default_factory=_home,
        description="Folder of the embedded Postgres and of generated keys.",
    )
    oidc: list[IssuerSettings] = Field(
        [],
        description="Identity providers whose access tokens are accepted beside API keys: "
        '[{"issuer": "https://id.example.org", "audience": "gatehouse", "tenant": "default"}].',
    )
    failed_attempts: int = Field(
        30,
        ge=1,
        description="How many requests with wrong credentials an address may send at once, or all who name one key; "
        "then one every two seconds.",
    )
    registry: Path = Field(Path("langgraph.json"), description="The list of workflows.")
    seal_key: SecretStr = Field(SecretStr(""), description="64 hex digits that seal checkpoints; made if missing.")
    audit_key: SecretStr = Field(
        SecretStr(""), description="64 hex digits that sign the audit trail's checkpoints; made if missing."
    )
    audit_old_keys: list[str] = Field([], description="Public keys, in hex, that signed before and are still trusted.")
    audit_anchors: Path | None = Field(
        None, description="Folder where checkpoints are kept outside the database; by default one in the home folder."
    )
    audit_checkpoint_every_s: float = Field(
        60.0, gt=0, description="Seconds between checkpoints; what is risky is in one at the next sweep."
    )
    audit_keep_days: float = Field(
        400, ge=1, description="Days for which the audit trail is kept; not below 184 where tools are of high risk."
    )
    audit_keep_days_of: dict[str, float] = Field({}, description='The same of single workflows: {"<workflow>": 800}.')
    baseline_minutes: dict[str, Annotated[float, Field(gt=0)]] = Field(
        {},
        description='Minutes that a case takes a person without the workflow: {"<workflow>": 20}.',
    )
    tenant: str = Field(
        "default", min_length=1, description="Whose runs commands see and act on when they go to the database itself."
    )
    host: str = Field("127.0.0.1", description="Address to listen on.")
    port: int = Field(2024, description="Port to listen on.")
    worker: bool = Field(True, description="Whether the server also carries runs.")
    concurrency: int = Field(10, ge=1, description="Runs that one worker carries at a time.")
    pool_size: int = Field(20, ge=4, description="Database connections of one process.")
    hold_s: float = Field(0.05, gt=0, le=60, description="Seconds that what a stage computed may wait to be written.")
    lease_s: float = Field(15.0, gt=0, description="Seconds after which a silent worker's runs are taken over.")
    sweep_every_s: float = Field(2.0, gt=0, description="Seconds between looks for lost runs and due requests.")
    dispatcher: Literal["procrastinate", "temporal"] = Field("procrastinate", description="What wakes workers.")
    temporal_address: str = Field("127.0.0.1:7233", description="Temporal's frontend, if it wakes workers.")
    temporal_namespace: str = Field("default", description="Its namespace.")
    temporal_queue: str = Field("gatehouse", description="Its task queue; each database needs one of its own.")
    temporal_api_key: SecretStr = Field(SecretStr(""), description="Its key; with one, TLS is used.")
    version_change: VersionChange = Field(
        "refuse",
        description="What becomes of a case that is pinned to another version than the loaded one: it waits for an "
        "operator who moves it, or it is moved where what it waits for is unchanged.",
    )
    queues: dict[str, QueueSettings] = Field(
        {}, description='What counts of review queues instead of the policies: {"<queue>": {"capacity": 50}}.'
    )
    max_body_bytes: int = Field(1_000_000, gt=0, description="Largest request body.")
    systems: dict[str, str] = Field({}, description='Outside systems and their addresses: {"<system>": "https://…"}.')
    exchanges: dict[str, ExchangeSettings] = Field(
        {}, description="Token endpoints (RFC 8693) by system, where a token of its own is had for each requester."
    )
    capability_key: SecretStr = Field(
        SecretStr(""), description="64 hex digits that sign the token of each call; made if missing."
    )
    capability_old_keys: list[str] = Field([], description="Public keys, in hex, that signed them before.")
    capabilities: dict[str, Placing] = Field(
        {},
        description="Where the token of a call is put, by system: `authorization`, `header` or `off`. By default it is "
        "the bearer token where the system has no other, else a header of its own.",
    )
    system_tokens: dict[str, SecretStr] = Field({}, description="Bearer tokens by system.")
    requests_per_minute: int = Field(0, ge=0, description="Requests of one caller in a minute; 0: any number.")
    tenant_requests_per_minute: int = Field(0, ge=0, description="Requests of one tenant in a minute; 0: any number.")
    alarm_refusals: int = Field(
        20, ge=0, description="Refused calls of a workflow in ten minutes that raise an alarm; 0: none does."
    )
    alarm_quarantine: bool = Field(False, description="Whether an alarm switches the workflow off that raised it.")
    alarm_error_rate: float = Field(
        0.2,
        ge=0,
        le=1,
        description="Share of a workflow's cases in an hour, 10 at least, that raises an alarm by failing; 0: never.",
    )
    alarm_cost: dict[str, Annotated[float, Field(gt=0)]] = Field(
        {}, description='Cost of models for a workflow in a day that raises an alarm, by currency: {"EUR": 50}.'
    )
    tenant_calls_per_minute: int = Field(
        0, ge=0, description="Calls of tools and models of one tenant in a minute; 0: any number."
    )
    system_calls_per_minute: dict[str, int] = Field(
        {}, description='Calls of one tenant in a minute by outside system: {"<system>": 60}.'
    )
    breaker_failures: int = Field(5, ge=1, description="Failures one after another that open a tool's circuit breaker.")
    breaker_window_s: float = Field(60.0, gt=0, description="Seconds within which they come.")
    breaker_open_s: float = Field(30.0, gt=0, description="Seconds for which it is left alone, then tried by one call.")
    model: str = Field("", description="Model that answers for every alias; empty: recordings and stand-ins.")
    model_base_url: str | None = Field(None, description="Address of an OpenAI-compatible endpoint.")
    model_api_key: SecretStr = Field(SecretStr("none"), description="Its key.")
    models: dict[str, list[ModelSettings]] = Field(
        {},
        description="Models by alias, where they differ: one object, or a list of routes that are taken in this order.",
    )
    models_file: Path | None = Field(
        None,
        description="JSON file of the same, which `gatehouse models set` writes; what GATEHOUSE_MODELS names counts "
        "over it. By default models.json in the home folder.",
    )
    model_experiments: dict[str, ExperimentSettings] = Field(
        {}, description="By alias: another route that a share of the runs asks first."
    )
    model_shadows: dict[str, ShadowSettings] = Field(
        {}, description="By alias: a second model that is asked beside the first and decides nothing."
    )
    model_deadline_s: float = Field(
        120.0, gt=0, description="Seconds for one question to a model, with every attempt, other route and repair."
    )
    model_breaker_failures: int = Field(
        3, ge=1, description="Calls given up one after another that open the circuit breaker of a model's route."
    )
    regions: dict[str, str] = Field(
        {},
        description="Region by tenant, `*` for all others: only routes of a tenant's region see its data.",
    )
    recordings: list[Path] = Field([], description="JSON-lines files of recorded replies.")
    record_to: Path | None = Field(
        None, description="A file to which each reply of a live model is added as a recording, without secrets."
    )
    stand_ins: bool = Field(True, description="Whether a workflow's rules may stand in for a missing model.")
    metrics_port: int | None = Field(
        None, description="A port of its own for /metrics and /health; a worker has no other."
    )
    metrics_open: bool = Field(
        False, description="Whether that port shows /metrics to others without an operator's key."
    )
    webhook_secret: SecretStr = Field(
        SecretStr(""), description='Signs webhooks: "whsec_" and base64 of 24 to 64 bytes; made if missing.'
    )
    webhook_allow: list[str] = Field([], description="Hosts and networks beside public addresses that webhooks reach.")
    webhook_attempts: int = Field(8, ge=1, description="How often a webhook is sent before it is given up.")
    webhook_retry_s: float = Field(5.0, gt=0, description="Pause after its first attempt; then four times as long.")
    notify: list[Route] | None = Field(
        None,
        description="Routes by which people hear of requests, a list of objects; [] ends all. Where it is not set, "
        "those that another process has set stand.",
    )
    canaries_per_day: int = Field(
        0,
        ge=0,
        le=1000,
        description="How many wrong copies of approved requests each queue of a tenant is put in a day, at most, to "
        "see whether reviewers catch them; 0: none.",
    )
    retention_every_s: float = Field(300.0, gt=0, description="Seconds between looks for what may be forgotten.")
    retention_checkpoints: int = Field(20, ge=1, description="Newest checkpoints kept of a thread that rests.")
    retention_resting_s: float = Field(86_400.0, ge=0, description="Seconds without a change after which it rests.")
    retention_events_s: float = Field(604_800.0, ge=0, description="How long stream events outlive their run.")
    retention_webhooks_s: float = Field(604_800.0, ge=0, description="How long delivered webhooks are kept.")
    retention_ephemeral_s: float = Field(3_600.0, ge=0, description="How long threads of a single run outlive it.")
    trace_share: float = Field(
        0.1,
        ge=0,
        le=1,
        description="Share of routine cases whose trace is kept as long as their audit trail.",
    )
    retention_traces_s: float = Field(
        604_800.0, ge=0, description="How long the traces of other routine cases are kept; of risk, all are."
    )
    langsmith_url: str = Field("", description="LangSmith's API, for copies of some traces; empty: none leave.")
    langsmith_api_key: SecretStr = Field(SecretStr(""), description="Its key.")
    langsmith_project: str = Field("gatehouse", description="The project there.")
    langsmith_share: float = Field(
        0.1, ge=0, le=1, description="Share of the cases whose traces are copied; those of high risk all are."
    )
    langsmith_residency: list[str] = Field(
        [],
        description="Regions and classes of data whose cases it may see. Without them it gets none of a tenant with a "
        "region, and none of a workflow with a class.",
    )
    otlp_url: str = Field("", description="Where spans go by OTLP: http://collector:4318/v1/traces; empty: nowhere.")
    otlp_residency: list[str] = Field([], description="The same for spans, which hold no content.")
    otlp_headers: dict[str, SecretStr] = Field({}, description="Headers that it wants.")
    public_url: str = Field("", description="Where callers reach this server; begins the links in webhooks.")
    log_format: LogFormat = Field("auto", description="Log lines; auto: text on a terminal, JSON elsewhere.")
    log_level: LogLevel = Field("INFO", description="The least serious log line that is written.")

    @classmethod
    def settings_customise_sources(
        cls, settings_cls: type[BaseSettings], *args: PydanticBaseSettingsSource, **named: PydanticBaseSettingsSource
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return (*args, *named.values(), KeptRoutes(settings_cls, _home()))

    @property
    def kept_routes(self) -> Path:
        """Where routes are kept that a command has set."""
        return self.models_file or self.home / FILE

    def all_models(self) -> dict[str, list[ModelSettings]]:
        """Routes by alias in their order; `*` stands for every other alias."""
        if not self.model:
            return dict(self.models)
        default = ModelSettings(model=self.model, base_url=self.model_base_url, api_key=self.model_api_key)
        return {"*": [default]} | self.models

    def queue_overrides(self) -> dict[str, dict[str, Any]]:
        """What counts instead of what policies say, by queue."""
        return {
            name: {term: value for term, value in queue if term in queue.model_fields_set}
            for name, queue in self.queues.items()
        }

    @field_validator("database_url", "pool_url", "read_url")
    @classmethod
    def _readable(cls, value: SecretStr | None) -> SecretStr | None:
        # An empty file of a secret would otherwise put the data into an embedded Postgres, in silence.
        if value is not None and is_reference(value.get_secret_value()):
            return value
        if value is not None and not value.get_secret_value():
            raise ValueError("it is there and empty")
        try:
            conninfo_to_dict(value.get_secret_value() if value else "")
        except psycopg.ProgrammingError:  # its text would show the address, which holds a password
            raise ValueError("it cannot be read; write postgresql://user:password@host:port/database") from None
        return value

    @field_validator("audit_keep_days_of")
    @classmethod
    def _at_least_a_day(cls, value: dict[str, float]) -> dict[str, float]:
        if short := [name for name, days in value.items() if days < 1]:
            raise ValueError(f"{short[0]!r} is kept for less than a day")
        return value

    @field_validator("notify", mode="before")
    @classmethod
    def _named_routes(cls, value: object) -> object:
        # What is wrong with a route is told by its name: a place in a list finds nobody.
        if not isinstance(value, list):
            return value
        routes = [_route(item, place) for place, item in enumerate(value)]
        if twice := [name for name, times in Counter(route.name for route in routes).items() if times > 1]:
            raise ValueError(f"route {twice[0]!r} stands there twice")
        return routes

    @field_validator("models", mode="before")
    @classmethod
    def _in_a_list(cls, value: object) -> object:
        return wrapped(value)

    @field_validator("models")
    @classmethod
    def _told_apart(cls, value: dict[str, list[ModelSettings]]) -> dict[str, list[ModelSettings]]:
        for alias, routes in value.items():
            require_names(alias, routes)
        return value

    @property
    def migrates_compatible(self) -> bool:
        """Whether cases move to the loaded version by themselves, where what they wait for is unchanged."""
        return self.version_change == "migrate-compatible"

    @field_validator("oidc")
    @classmethod
    def _apart(cls, value: list[IssuerSettings]) -> list[IssuerSettings]:
        for issuer in value:
            if bool(issuer.tenant) == bool(issuer.tenant_claim):
                raise ValueError(f"issuer {issuer.name!r} needs either `tenant` or `tenant_claim`")
            # One provider could otherwise let people into a tenant that trusts another.
            if len(value) > 1 and not (issuer.tenant or issuer.tenants):
                raise ValueError(f"issuer {issuer.name!r} needs `tenants`, as there are others")
        for field in ("name", "issuer"):
            if len({getattr(issuer, field) for issuer in value}) < len(value):
                raise ValueError(f"two issuers have the same `{field}`")
        return value

    def credentials(self) -> dict[str, SecretStr]:
        """Every secret that is configured, or the reference to it, by where that is done."""
        models = {
            f"GATEHOUSE_MODELS {alias}{f' {place}' if place else ''}": model.api_key
            for alias, routes in self.all_models().items()
            for place, model in enumerate(routes)
        }
        models |= {f"GATEHOUSE_MODEL_EXPERIMENTS {a}": each.route.api_key for a, each in self.model_experiments.items()}
        models |= {f"GATEHOUSE_MODEL_SHADOWS {a}": each.route.api_key for a, each in self.model_shadows.items()}
        tokens = {f"GATEHOUSE_SYSTEM_TOKENS {name}": token for name, token in self.system_tokens.items()}
        routes = {f"GATEHOUSE_NOTIFY {route.name}": route.url for route in self.notify or ()}
        own = {
            _variable(name, field): value
            for name, field in type(self).model_fields.items()
            if isinstance(value := getattr(self, name), SecretStr)
        }
        clients = {f"GATEHOUSE_EXCHANGES {name}": each.client_secret for name, each in self.exchanges.items()}
        headers = {f"GATEHOUSE_OTLP_HEADERS {name}": value for name, value in self.otlp_headers.items()}
        given = own | models | tokens | routes | clients | headers
        return {name: secret for name, secret in given.items() if secret.get_secret_value() not in ("", "none")}

    def secrets(self) -> dict[str, str]:
        """Every secret that can be read now, by where it is configured; databases' passwords by themselves, too.

        They are kept out of everything that this process stores or sends from then on.
        """
        found = {}
        for name, written in self.credentials().items():
            with contextlib.suppress(ConfigurationError):  # whoever uses it hears of it
                found[name] = reveal(written)
        for name in ("DATABASE_URL", "GATEHOUSE_POOL_URL", "GATEHOUSE_READ_URL"):
            password = str(conninfo_to_dict(found.get(name, "")).get("password") or "")
            if password:
                KNOWN.learn(password)
                found[f"{name} password"] = password
        return found


def _variable(name: str, field: FieldInfo) -> str:
    return str(field.validation_alias or f"GATEHOUSE_{name}".upper())


def _route(item: object, place: int) -> Route:
    try:
        return Route.model_validate(item)
    except ValidationError as error:
        name = item.get("name") if isinstance(item, dict) else None
        problems = [f"{'.'.join(map(str, e['loc']))} {e['msg']}".strip() for e in error.errors(include_input=False)]
        raise ValueError(f"route {name or place + 1!r}: {'; '.join(problems)}") from None


def read_settings(**overrides: object) -> Settings:
    """Settings from files of secrets, the environment over them, `overrides` on top of all.

    Raises `ConfigurationError` naming the variable.
    """
    folder = os.environ.get("GATEHOUSE_SECRETS_DIR") or None
    if folder and not Path(folder).is_dir():
        raise ConfigurationError(f"GATEHOUSE_SECRETS_DIR names {folder!r}, which is no folder.")
    try:
        return Settings(_secrets_dir=folder, **overrides)  # type: ignore[arg-type]  # pydantic validates them
    except SettingsError as error:
        raise ConfigurationError(
            f"The configuration cannot be read: {error}.", hint="Objects and lists are given as JSON."
        ) from error
    except ValidationError as error:
        problems = [f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors(include_input=False)]
        raise ConfigurationError(f"The configuration is not valid: {'; '.join(problems)}") from None
