"""Carries out a transactional call: rows of our own Postgres, in one transaction with the call's ledger row."""

import asyncio
from collections.abc import Mapping
from typing import NoReturn

import psycopg
from pydantic import JsonValue, ValidationError

from contracts.errors import ToolError, ToolNotGranted, ToolUnavailable
from contracts.tool import Call, Reply, Request, Tool
from engine.gateway.records import HeldRecords
from engine.gateway.sending import reply_invalid
from engine.store.database import Connection

_TRIES = 3


class _NoTransport:
    """An effect outside would not be undone with the transaction."""

    async def __call__(
        self,
        method: str,
        path: str,
        *,
        body: JsonValue | Mapping[str, JsonValue] = None,
        query: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> NoReturn:
        raise ToolNotGranted(f"A transactional tool reaches no outside system; it tried {method} {path}.")


async def act(
    conn: Connection, tool: Tool[Request, Reply], request: Request, *, key: str, tenant: str
) -> Reply | ToolError:
    """Run the tool inside `conn`'s transaction; what it did is undone when it fails, and then the error is returned.

    Any other error than a tool's passes through and undoes the whole transaction.
    """
    call = Call(key, _NoTransport(), HeldRecords(conn, tenant, tool.system))
    for tries in range(1, _TRIES + 1):
        try:
            async with conn.transaction(), asyncio.timeout(tool.timeout_s):
                return await tool.run(request, call)
        except ToolError as error:
            return error
        except ValidationError as error:
            return reply_invalid(tool, error)
        except TimeoutError:
            return ToolUnavailable(f"{tool.name!r} took longer than {tool.timeout_s:g} s; it changed nothing.")
        except psycopg.errors.DeadlockDetected as error:
            if tries == _TRIES:
                return ToolUnavailable(f"{tool.name!r} met others at the same records; it changed nothing: {error}")
    raise AssertionError("the last try returns")
