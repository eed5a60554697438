"""Routes: who is told of what, in which shape; where they lead is a secret that only the configuration holds."""

import re
import unicodedata
from collections.abc import Sequence
from typing import Annotated, Literal, Self, get_args

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator, model_validator

from contracts.errors import WebhookRefused
from engine.credentials.references import is_reference
from engine.store.database import Connection
from engine.store.sql import load_queries
from engine.webhooks.targets import parse

_SQL = load_queries(__file__)

Kind = Literal["requested", "warned", "breached", "escalated", "decided", "expired", "alarm"]
Shape = Literal["json", "slack", "email"]
KINDS: tuple[Kind, ...] = get_args(Kind)
_ADDRESS = re.compile(r"[^\s@,;<>\"]+@[^\s@,;<>\"]+")


class Route(BaseModel):
    """One way to reach people."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Annotated[
        str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,39}$", description="How it is called; nothing else is stored.")
    ]
    url: SecretStr = Field(description="Where it leads: an address of http or https. Kept as a secret.")
    shape: Shape = Field("json", description="`json`, `slack` (Block Kit) or `email` (for an e-mail gateway).")
    queues: tuple[str, ...] = Field((), description="The queues it hears of; none named: every queue.")
    events: tuple[Kind, ...] = Field(KINDS, min_length=1, description="What it hears of; by default everything.")
    tenant: str = Field("default", min_length=1, description="Whose requests it hears of.")
    to: tuple[str, ...] = Field((), description="Whom an e-mail goes to; for `email` only.")

    @field_validator("url")
    @classmethod
    def _absolute(cls, value: SecretStr) -> SecretStr:
        if is_reference(value.get_secret_value()):
            return value
        try:
            parse(value.get_secret_value())
        except WebhookRefused:  # its text could show a part of the address
            raise ValueError("this is no absolute address of http or https without a password") from None
        return value

    @field_validator("to")
    @classmethod
    def _addresses(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for address in value:
            printable = not any(unicodedata.category(sign).startswith("C") for sign in address)
            if not (printable and len(address) <= 254 and _ADDRESS.fullmatch(address)):
                raise ValueError(f"{address!r} is no address of a mailbox")
        return value

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if (self.shape == "email") != bool(self.to):
            raise ValueError("a route of the shape email names whom it goes to (`to`), and no other does")
        return self


async def register_routes(conn: Connection, routes: Sequence[Route]) -> None:
    """Have exactly these routes told from now on, by every process: without their addresses, which each one knows."""
    await conn.execute(_SQL["forget_others"], {"names": [route.name for route in routes]})
    for route in sorted(routes, key=lambda route: route.name):  # in one order, for several start at a time
        params = {"name": route.name, "tenant": route.tenant}
        lists = {"queues": list(route.queues), "events": list(route.events)}
        await conn.execute(_SQL["register"], params | lists)


async def routes_for(conn: Connection, kind: Kind, *, tenant: str, queue: str) -> list[str]:
    """Names of the routes that want to hear of this."""
    params = {"event": kind, "tenant": tenant, "queue": queue}
    return [row["name"] for row in await (await conn.execute(_SQL["routes_for"], params)).fetchall()]
