"""API keys: `gh_<id>_<secret>`, kept as SHA-256, carrying roles."""

import hashlib
import hmac
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, get_args

import psycopg
from psycopg.rows import DictRow
from pydantic import JsonValue

from contracts.errors import AlreadyExists, Forbidden, InvalidRequest, NotFound, Unauthenticated
from contracts.event import Event
from engine.audit import audit
from engine.store.database import Connection
from engine.store.scope import narrow
from engine.store.sql import load_queries

Role = Literal["caller", "reviewer", "operator", "author", "auditor"]
"""`caller` starts cases, `reviewer` decides, `operator` runs it all; `author` reads versions, `auditor` everything."""
ROLES: tuple[Role, ...] = get_args(Role)
WATCHING: frozenset[str] = frozenset({"reviewer", "operator", "auditor"})
"""Roles that may look at what others asked for."""

_SQL = load_queries(__file__)


@dataclass(frozen=True)
class Principal:
    """Who makes a request."""

    name: str
    """`key:<name>`, or `<issuer>:<subject>` of a token: what stands in audit records."""
    roles: frozenset[str]
    approver_roles: frozenset[str]
    """Roles of approval policies, as in `finance`, that this reviewer holds."""
    tenant: str
    scopes: frozenset[str] | None = None
    """Scopes of tools that calls in this name may use, `<system>:*` for all of a system's; None: no limit."""

    @property
    def watches(self) -> bool:
        """Whether the principal may look at what others asked for."""
        return bool(self.roles & WATCHING)

    def require(self, role: Role) -> None:
        """Raises `Forbidden` unless the principal has `role`; an operator may also call."""
        if role in self.roles or (role == "caller" and "operator" in self.roles):
            return
        raise Forbidden(
            f"{self.name!r} has the roles {sorted(self.roles)}; this needs {role!r}.",
            hint=f"Use a key made with: gatehouse keys create NAME --role {role}",
        )

    def require_party(self, requester: str) -> None:
        """Raises `Forbidden` unless the principal is `requester` or may look at what others asked for."""
        if self.name != requester and not self.watches:
            raise Forbidden(
                f"{self.name!r} did not request this and is neither reviewer, operator nor auditor.",
                hint="Ask whoever requested it, or use a key made with: gatehouse keys create NAME --role operator",
            )


@dataclass(frozen=True)
class KeyLimits:
    """What a key may not outlive, and what calls in its name may use."""

    expires_at: datetime | None = None
    scopes: frozenset[str] | None = None
    """None: no limit."""


LOCAL = Principal("local", frozenset({"caller"}), frozenset(), "default")
"""A caller on this machine while no key exists at all."""


async def create_key(
    conn: Connection,
    name: str,
    roles: Iterable[str],
    approver_roles: Iterable[str] = (),
    limits: KeyLimits = KeyLimits(),  # it is frozen
    tenant: str = LOCAL.tenant,
) -> str:
    """Make a key of a tenant and return it: it is shown once and cannot be read back. Who may do so is on the machine.

    Raises `InvalidRequest` for an unknown role, `AlreadyExists` for a taken name.
    """
    roles = sorted(set(roles))
    if not roles or (unknown := sorted(set(roles) - set(ROLES))):
        raise InvalidRequest(
            f"A key needs at least one of the roles {list(ROLES)}; got {roles}.",
            facts={"unknown": unknown if roles else []},
        )
    key_id, secret, approves = secrets.token_hex(4), secrets.token_urlsafe(32), sorted(set(approver_roles))
    row = {
        "id": key_id,
        "name": name,
        "sha": _sha256(secret),
        "roles": roles,
        "approver_roles": approves,
        "expires_at": limits.expires_at,
        "tenant": tenant,
        "scopes": None if limits.scopes is None else sorted(limits.scopes),
    }
    try:
        await conn.execute(_SQL["insert_key"], row)
    except psycopg.errors.UniqueViolation as error:
        raise AlreadyExists(
            f"There is a key named {name!r} already.", hint="Choose another name; revoked names are not used again."
        ) from error
    said: dict[str, JsonValue] = {"name": name, "roles": [*roles], "approves": [*approves], "tenant": tenant}
    said["expires_at"] = limits.expires_at.isoformat() if limits.expires_at else None
    said["scopes"] = None if limits.scopes is None else [*sorted(limits.scopes)]
    await audit.append_to(conn, f"key:{key_id}", LOCAL.name, Event.KEY_CREATED, said)
    return f"gh_{key_id}_{secret}"


async def authenticate(conn: Connection, key: str) -> Principal:
    """Whose key this is. Raises `Unauthenticated` without saying which part was wrong."""
    prefix, _, rest = key.partition("_")
    key_id, _, secret = rest.partition("_")
    row = await (await conn.execute(_SQL["key_by_id"], {"id": key_id})).fetchone() if prefix == "gh" else None
    stored = bytes(row["secret_sha256"]) if row else bytes(32)
    # Compared in every case, so that the time taken does not tell whether the id exists.
    if not hmac.compare_digest(stored, _sha256(secret)) or row is None:
        raise Unauthenticated(
            "The API key is not valid: unknown, expired or revoked.",
            hint="Send it as the header 'x-api-key'. Make one with: gatehouse keys create NAME --role caller",
        )
    return principal_in(row | {"name": f"key:{row['name']}"})


async def principal_of(conn: Connection, name: str, *, tenant: str) -> Principal:
    """What the principal of this name may do now, for work that was asked for earlier.

    Raises `Forbidden` when its key has been revoked or has expired, or when it is blocked or has long not signed in.
    """
    if name == LOCAL.name and not await any_keys(conn):
        return LOCAL
    row = await (await conn.execute(_SQL["by_name"], {"name": name, "tenant": tenant})).fetchone()
    if row is None:
        raise Forbidden(f"{name!r} has no valid key any more, or may not sign in.")
    return principal_in(row)


def principal_in(row: DictRow) -> Principal:
    """The principal that a row with its name, tenant and rights is about."""
    scopes = None if row["scopes"] is None else frozenset(row["scopes"])
    return Principal(row["name"], frozenset(row["roles"]), frozenset(row["approver_roles"]), row["tenant"], scopes)


async def list_keys(conn: Connection) -> list[DictRow]:
    """Every key with its roles and dates, never its secret."""
    return await (await conn.execute(_SQL["list_keys"])).fetchall()


async def revoke_key(conn: Connection, key: str) -> str:
    """End the key with this id or name at once; returns its name. Raises `NotFound`.

    The transaction works for the key's tenant from then on.
    """
    row = await (await conn.execute(_SQL["revoke_key"], {"key": key})).fetchone()
    if row is None:
        raise NotFound(f"There is no live key {key!r}.", hint="See: gatehouse keys list")
    await narrow(conn, row["tenant"])
    await audit.append_to(conn, f"key:{row['id']}", LOCAL.name, Event.KEY_REVOKED, {"name": row["name"]})
    return str(row["name"])


async def any_keys(conn: Connection) -> bool:
    """Whether authentication is configured."""
    row = await (await conn.execute(_SQL["count_keys"])).fetchone()
    return bool(row and row["keys"])


def _sha256(secret: str) -> bytes:
    return hashlib.sha256(secret.encode()).digest()
