"""Whose rows a transaction sees: those of one tenant, or, where code says so by name, those of all."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from functools import lru_cache

import psycopg
from psycopg import sql
from psycopg.rows import DictRow

APP_ROLE = "gatehouse_app"
"""Whom the application is in the database: it owns nothing and is bound by row-level security."""

READER_ROLE = "gatehouse_reader"
"""Whom tools that only read are: it may look at the records of tools, and change nothing."""

SET_SCOPE = "SELECT set_config('gatehouse.tenant', %s, true), set_config('gatehouse.across', %s, true)"


@dataclass(frozen=True)
class Scope:
    """What the policies of the tables are told of a transaction."""

    tenant: str
    """Whose rows are seen, and whose a row is where its statement does not say."""
    across: bool = False
    """Whether rows of all tenants are seen."""

    @property
    def settings(self) -> tuple[str, str]:
        """Parameters of `SET_SCOPE`."""
        return self.tenant, "on" if self.across else ""


_SCOPE: ContextVar[Scope | None] = ContextVar("gatehouse_scope", default=None)


def scope() -> Scope:
    """The present scope. Raises `RuntimeError` where nobody has said for whom this task works."""
    now = _SCOPE.get()
    if now is None:
        raise RuntimeError(
            "nobody has said for which tenant this task works: `of_tenant` does, or `across_tenants` by name"
        )
    return now


def has_scope() -> bool:
    """Whether somebody has said for whom this task works."""
    return _SCOPE.get() is not None


def enter_tenant(tenant: str) -> None:
    """From here on this task, and what it starts, works for one tenant, as a request does once its caller is known."""
    _SCOPE.set(Scope(tenant))


@contextmanager
def of_tenant(tenant: str) -> Iterator[None]:
    """The block, and the tasks that it starts, work for one tenant."""
    with _within(Scope(tenant)):
        yield


@contextmanager
def across_tenants(why: str, *, tenant: str = "") -> Iterator[None]:
    """The block sees rows of all tenants, for the reason `why`; what it writes for none in particular is `tenant`'s.

    Every use stands in a list of tests/house/test_tenancy.py. Where it writes for a tenant, go on in `of_tenant`.
    """
    if not why:
        raise ValueError("to look across tenants takes a reason")
    with _within(Scope(tenant, across=True)):
        yield


@contextmanager
def nobody() -> Iterator[None]:
    """The block works for no tenant until somebody says for which, whatever the task around it did."""
    with _within(None):
        yield


@contextmanager
def _within(scope: Scope | None) -> Iterator[None]:
    token = _SCOPE.set(scope)
    try:
        yield
    finally:
        _SCOPE.reset(token)


@lru_cache(maxsize=1024)
def beginning(scope: Scope, begin: str = "BEGIN", *, role: str = "") -> str:
    """The statements that begin a transaction of this scope, to be sent together; with `role`, they take it, too."""
    tenant = sql.Literal(scope.tenant).as_string(None)
    takes = [f"SET LOCAL ROLE {role}"] if role else []
    across = ["SET LOCAL gatehouse.across = 'on'"] if scope.across else []
    return "; ".join([begin, *takes, f"SET LOCAL gatehouse.tenant = {tenant}", *across])


async def narrow(conn: psycopg.AsyncConnection[DictRow], tenant: str) -> None:
    """The rest of a transaction that found its work across tenants works for one of them."""
    await conn.execute(SET_SCOPE, Scope(tenant).settings)
