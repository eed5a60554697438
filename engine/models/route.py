"""Which model answers for an alias, by configuration."""

from dataclasses import dataclass
from math import ceil
from urllib.parse import urlsplit, urlunsplit

import httpx
from langchain_core.language_models.chat_models import BaseChatModel
from langchain_openai import ChatOpenAI
from pydantic import SecretStr

from contracts.approval import JsonObject
from contracts.errors import ConfigurationError, ModelUnavailable
from engine.credentials.references import reveal


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
    temperature: float = 0.0
    timeout_s: float = 60.0
    price: Price | None = None

    def public(self) -> JsonObject:
        """What is part of a workflow's version: no key, and of the address nothing that may hold one."""
        return {"model": self.model, "base_url": _public(self.base_url), "temperature": self.temperature}


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
        use_responses_api=False,
        http_async_client=http,
    )
