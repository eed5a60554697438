"""Finds and opens what the configuration names: the database, brought to the present schema, the registry, a sender."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from httpx import AsyncClient

from contracts.errors import SchemaBehind
from engine.access.attempts import Attempts
from engine.access.entrance import Entrance
from engine.access.issuers import Issuers
from engine.catalog.lock import LOCK
from engine.credentials.references import reveal
from engine.gateway.capability import mint_of
from engine.gateway.credentials import Credentials
from engine.gateway.exchange import Exchanger
from engine.settings import Settings
from engine.store import embedded, vault
from engine.store.database import Database, connected
from engine.store.migrate import is_empty, migrate, missing_migrations
from engine.store.roles import require_roles
from engine.store.seal import existing_seal_key, seal_key
from engine.webhooks.sending import Sender
from engine.webhooks.signing import webhook_secret
from engine.webhooks.targets import Targets

Notify = Callable[[str], None]
"""Gets each surprise of the start as a sentence."""


def find_dsn(settings: Settings, notify: Notify) -> str:
    """DATABASE_URL, else the embedded Postgres in `settings.home`, started if need be."""
    if settings.database_url:
        return reveal(settings.database_url)
    return embedded.start(settings.home, notify=notify).dsn


@asynccontextmanager
async def open_database(settings: Settings, notify: Notify, *, migrates: bool = True) -> AsyncIterator[Database]:
    """The database, brought to the present schema; without `migrates`, raises `SchemaBehind` where it is not.

    An embedded one that has nothing in it yet is brought there by whoever comes first: nobody is at work on it.
    """
    settings.secrets()  # read before anything is written
    dsn = find_dsn(settings, notify)
    if migrates or (settings.database_url is None and await _is_empty(dsn)):
        await migrate(dsn)
    await _require_schema(dsn)
    pooler = reveal(settings.pool_url) if settings.pool_url else ""
    replica = reveal(settings.read_url) if settings.read_url else ""
    if key := await asyncio.to_thread(existing_seal_key, reveal(settings.seal_key), settings.home):
        vault.install(key)
    database = Database(dsn, size=settings.pool_size, pooler=pooler, replica=replica)
    await database.open()
    try:
        yield database
    finally:
        await database.close()


async def sealing_key(settings: Settings) -> bytes:
    """The key that seals checkpoints and, from now on, what audit records say of people; made at first use."""
    key = await asyncio.to_thread(seal_key, reveal(settings.seal_key), settings.home)
    vault.install(key)
    return key


async def find_missing_migrations(settings: Settings, notify: Notify) -> list[str]:
    """Names of the migrations that the configured database lacks; nothing is changed. Raises `StoreUnavailable`."""
    async with connected(find_dsn(settings, notify)) as conn:
        return await missing_migrations(conn)


async def _is_empty(dsn: str) -> bool:
    async with connected(dsn) as conn:
        return await is_empty(conn)


async def _require_schema(dsn: str) -> None:
    async with connected(dsn) as conn:
        if missing := await missing_migrations(conn):
            lacks = "everything of ours" if await is_empty(conn) else ", ".join(missing)
            raise SchemaBehind(f"The database lacks {lacks}.", hint="Bring it forward with: gatehouse migrate")
        await require_roles(conn)


@asynccontextmanager
async def open_entrance(settings: Settings, database: Database, http: AsyncClient) -> AsyncIterator[Entrance]:
    """The way in for API keys, and for tokens of the configured issuers, whose keys are fetched by `http`."""
    attempts = Attempts(database, at_once=settings.failed_attempts)
    try:
        yield Entrance(database, Issuers(settings.oidc, http), attempts)
    finally:
        await attempts.close()


def credentials_of(settings: Settings, http: AsyncClient) -> Credentials:
    """What is put on every request to an outside system. Raises `ConfigurationError`."""
    seed, issuer = reveal(settings.capability_key), settings.public_url or "gatehouse"
    mint = mint_of(seed, settings.home, issuer, settings.capability_old_keys)
    return Credentials(mint, Exchanger(settings.exchanges, mint, http), settings.capabilities)


def sender_of(settings: Settings) -> Sender:
    """Who signs and posts, to where the configuration allows it."""
    secret = webhook_secret(reveal(settings.webhook_secret), settings.home)
    return Sender(Targets.of(settings.webhook_allow), secret)


def find_registry(settings: Settings) -> Path:
    """The configured langgraph.json, or the one beside this installation when the working folder has none."""
    beside = Path(__file__).parent.parent / settings.registry
    return settings.registry if settings.registry.exists() else beside


def find_lock(settings: Settings) -> Path:
    """The lock file, whether or not there is one."""
    return find_registry(settings).resolve().parent / LOCK
