"""What tests do over the LangGraph API, as any client would."""

from pathlib import Path
from typing import Any

from langgraph_sdk import get_client
from langgraph_sdk.client import LangGraphClient

from evals.worlds.newcomer import open_account
from evals.worlds.sandbox import effects_of
from evals.worlds.store import Store

TWICE = "I was charged twice for the same thing at Corner Shop."
GRAPH = "billing_dispute"
_numbers = iter(range(1, 10_000))


_open: list[LangGraphClient] = []


def client_of(url: str, key: str) -> LangGraphClient:
    """A client that is closed at the end of the test."""
    _open.append(get_client(url=url, api_key=key))
    return _open[-1]


async def close_clients() -> None:
    while _open:
        await _open.pop().aclose()


def new_account(worlds: Path, *, amount_cents: int) -> str:
    """An account of its own with a duplicate of this amount, so that tests do not meet on one."""
    account_id = f"AC-{70_000_000 + next(_numbers)}"
    store = Store(worlds)
    open_account(store, account_id, amount_cents=amount_cents)
    store.close()
    return account_id


def refunds_of(worlds: Path, account_id: str) -> list[int]:
    """Amounts, in cents, that were really paid back."""
    return [int(str(r["amount_cents"])) for r in effects_of(worlds).refunds if r["account_id"] == account_id]


async def parked_case(client: LangGraphClient, worlds: Path, *, amount_cents: int = 25_000) -> tuple[str, str, Any]:
    """A dispute that waits for finance: `(thread id, account id, interrupt)`."""
    account_id = new_account(worlds, amount_cents=amount_cents)
    thread = await client.threads.create()
    claim = {"complaint": TWICE, "account_id": account_id}
    result: Any = await client.runs.wait(thread["thread_id"], GRAPH, input=claim)
    return thread["thread_id"], account_id, result["__interrupt__"][0]
