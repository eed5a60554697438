"""The outside system: it keeps what really happened, and loses requests and answers as it is told to."""

import json
from collections import Counter
from dataclasses import dataclass, field
from typing import Literal

import httpx
import psycopg

Mood = Literal["fails", "acts and fails", "is away", "refuses", "worker dies", "acts and worker dies"]
Happened = tuple[str, int]
"""Case and number."""


@dataclass
class OutsideCounter:
    """What is sent to `/additions` happens once for each key, what is sent to `/presses` each time."""

    happened: Counter[Happened] = field(default_factory=Counter)
    keys: Counter[str] = field(default_factory=Counter)
    """How often something happened under each idempotency key."""
    moods: list[Mood] = field(default_factory=list)
    """What is done with the next requests; after that it acts and answers."""

    def answer(self, request: httpx.Request) -> httpx.Response:
        order, key = json.loads(request.content), request.headers["idempotency-key"]
        mood = self.moods.pop(0) if self.moods else None
        if mood is None or mood.startswith("acts"):
            self._act(order, key, repeats=request.url.path == "/presses")
        match mood:
            case None:
                return httpx.Response(200, json={**order, "times": self.keys[key]})
            case "fails" | "acts and fails":
                return httpx.Response(500)
            case "refuses":
                return httpx.Response(422, text="no")
            case "is away":
                raise httpx.ConnectError("refused")
            case "worker dies" | "acts and worker dies":
                raise psycopg.OperationalError("the worker is gone")

    def _act(self, order: dict[str, object], key: str, *, repeats: bool) -> None:
        if repeats or key not in self.keys:
            self.happened[str(order["case"]), int(str(order["number"]))] += 1
            self.keys[key] += 1

    def client(self) -> httpx.AsyncClient:
        return httpx.AsyncClient(transport=httpx.MockTransport(self.answer), base_url="http://counter")
