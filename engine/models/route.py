"""Which model answers for an alias, by configuration."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import ceil
from urllib.parse import urlsplit, urlunsplit

import httpx
from langchain_core.language_models.chat_models import BaseChatModel
from langchain_openai import ChatOpenAI
from pydantic import JsonValue, SecretStr

from contracts.approval import JsonObject
from contracts.errors import ConfigurationError, ModelUnavailable
from engine.credentials.references import reveal
from engine.models.settings import Api


@dataclass(frozen=True)
class Price:
    """What a model costs: units of the currency for a million tokens, which is millionths of it for one."""

    currency: str
    read: float
    written: float

    def cost(self, *, read: int, written: int) -> int:
        """In millionths of a unit, rounded up."""
        return ceil(read * self.read + written * self.written)


@dataclass(frozen=True)
class Route:
    """One OpenAI-compatible model. `timeout_s` covers one attempt."""

    model: str
    api_key: SecretStr
    base_url: str | None = None
    temperature: float | None = 0.0
    timeout_s: float = 60.0
    price: Price | None = None
    name: str = ""
    region: str = ""
    residency: tuple[str, ...] = ()
    """Further regions, and the classes of data, whose data it may see."""
    api: Api = "chat"
    parameters: Mapping[str, JsonValue] = field(default_factory=dict)
    """Further members of every request's body."""
    max_concurrent: int = 0
    """Calls under way at a time, of one process; 0: any number."""
    stream: bool = False
    """Whether replies come in pieces."""

    @property
    def label(self) -> str:
        """How it is called in records."""
        return self.name or self.model

    def public(self) -> JsonObject:
        """What is part of a workflow's version: no key, and of the address nothing that may hold one.

        What is as it was before routes had more to say is left out: versions that cases are pinned to stand.
        """
        shown: JsonObject = {
            "model": self.model,
            "base_url": _public(self.base_url),
            "temperature": self.temperature,
        }
        more: JsonObject = {"api": self.api, "parameters": dict(self.parameters), "region": self.region}
        return shown | {name: value for name, value in more.items() if value not in ("", "chat", {})}


def _public(address: str | None) -> str | None:
    if not address:
        return None
    parts = urlsplit(address)
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))


def chat_model(route: Route, http: httpx.AsyncClient, *, max_tokens: int) -> BaseChatModel:
    """The client for a route. It never retries: the model gateway does. Raises `ModelUnavailable` without its key.

    `http` is ours because the library's default client is cached and breaks on the next event loop.
    """
    try:
        key = SecretStr(reveal(route.api_key))
    except ConfigurationError as error:
        raise ModelUnavailable(f"{route.model!r} was not asked. {error.detail}", hint=error.hint) from None
    return ChatOpenAI(
        model=route.model,
        api_key=key,
        base_url=route.base_url,
        temperature=route.temperature,
        timeout=route.timeout_s,
        max_completion_tokens=max_tokens,
        max_retries=0,
        # Said outright: with some models and tools the library changes over by itself.
        use_responses_api=route.api == "responses",
        # The provider of the responses API keeps what was said unless it is told not to.
        store=False if route.api == "responses" else None,
        # With an address of one's own the library asks for no usage otherwise, and a streamed call would cost nothing.
        stream_usage=True,
        extra_body=dict(route.parameters) or None,
        http_async_client=http,
    )
