"""The only place where objects are made and joined."""

import asyncio
import os
import socket
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from functools import cached_property

import httpx
from langgraph.runtime import RunControl

from contracts.errors import ConfigurationError
from engine.access.entrance import Entrance
from engine.audit.notary import Notary
from engine.catalog.catalog import Catalog
from engine.catalog.registry import remarks
from engine.catalog.versions import left_behind, register_versions, require_standing_stages
from engine.configured import catalog_of, models_of, terms_of
from engine.credentials.references import reveal
from engine.gateway.limits import controls_with
from engine.gateway.systems import Systems
from engine.limits.callers import Callers
from engine.models.recording import Recordings
from engine.notifications.routes import register_routes
from engine.opening import Notify, credentials_of, find_lock, find_registry, open_database, open_entrance, sealing_key
from engine.operations.readiness import Vitals
from engine.runs.dispatch import Dispatcher, WorkingDispatcher
from engine.runs.events import Notices
from engine.settings import Settings
from engine.store.database import Database
from engine.store.scope import across_tenants
from engine.upkeep import errands_of, notary_of, open_exports
from engine.webhooks.targets import Targets
from engine.worker.advance import Carrier
from engine.worker.answers import Answers
from engine.worker.dispatchers import TemporalAt, open_dispatcher
from engine.worker.edits import Editor
from engine.worker.intake import Intake
from engine.worker.lease import Lease
from engine.worker.migration import Migrator
from engine.worker.state import StateReader
from engine.worker.told import LateTeller
from engine.worker.worker import Worker


@dataclass(frozen=True)
class Engine:
    """The engine's rooms, joined and open."""

    settings: Settings
    database: Database
    entrance: Entrance
    catalog: Catalog
    dispatcher: Dispatcher
    notices: Notices
    states: StateReader
    teller: LateTeller
    intake: Intake
    answers: Answers
    migrator: Migrator
    editor: Editor
    carrier: Carrier
    notary: Notary
    vitals: Vitals = field(default_factory=Vitals)

    @cached_property
    def callers(self) -> Callers:
        """Who may send how many requests."""
        return Callers(self.database, self.settings.requests_per_minute, self.settings.tenant_requests_per_minute)


@asynccontextmanager
async def open_engine(
    settings: Settings,
    *,
    notify: Notify,
    dispatcher: Dispatcher | None = None,
    recordings: Recordings | None = None,
    serves: bool = True,
) -> AsyncIterator[Engine]:
    """Everything but the worker and the HTTP door. Evals pass their own recordings, and may try what nobody has locked.

    An operator's command, which does not serve, leaves the schema alone and opens also where a loaded graph lacks a
    stage at which cases wait: it may be what mends that.

    Raises `ConfigurationError`, `StageGone`, `StoreUnavailable`, `MigrationRefused`, `DataFolderRefused`.
    """
    catalog = catalog_of(settings, locked=serves and recordings is None)
    async with AsyncExitStack() as stack:
        database = await stack.enter_async_context(open_database(settings, notify, migrates=serves))
        if serves:
            await _take_up(settings, database, catalog, notify)
        if dispatcher is None:
            dispatcher = await stack.enter_async_context(open_dispatcher(database, _temporal(settings)))
        http, terms = await stack.enter_async_context(httpx.AsyncClient()), terms_of(settings)
        key = await sealing_key(settings)
        states = StateReader(database, catalog, key)
        migrator = Migrator(database, catalog, dispatcher, key, automatic=settings.migrates_compatible)
        intake = Intake(database, catalog, dispatcher, states, migrator, Targets.of(settings.webhook_allow))
        notices = await stack.enter_async_context(_notices(database))
        yield Engine(
            settings=settings,
            database=database,
            entrance=await stack.enter_async_context(open_entrance(settings, database, http)),
            catalog=catalog,
            dispatcher=dispatcher,
            notices=notices,
            states=states,
            teller=LateTeller(database, states),
            intake=intake,
            answers=Answers(database, catalog, dispatcher, states, migrator),
            migrator=migrator,
            notary=await asyncio.to_thread(notary_of, settings, database),
            editor=Editor(database, catalog, key),
            carrier=Carrier(
                database=database,
                dispatcher=dispatcher,
                notices=notices,
                catalog=catalog,
                intake=intake,
                migrator=migrator,
                systems=await stack.enter_async_context(_systems(settings, http)),
                models=await stack.enter_async_context(models_of(settings, recordings, http, terms)),
                controls=controls_with(terms),
                seal_key=key,
                lease=Lease(settings.lease_s),
                hold_s=settings.hold_s,
                name=f"{socket.gethostname()}:{os.getpid()}",
                control=RunControl(),
                exports=await stack.enter_async_context(open_exports(settings, database, catalog)),
            ),
        )


async def _take_up(settings: Settings, database: Database, catalog: Catalog, notify: Notify) -> None:
    """The cases that stand can go on; `notify` hears of those of other versions, and of what is ignored."""
    with across_tenants("cases of all tenants go on under these versions"):
        async with database.transaction() as conn:
            await register_versions(conn, catalog)
            await require_standing_stages(conn, catalog)
            said = await left_behind(conn, catalog)
            if settings.notify is not None:
                await register_routes(conn, settings.notify)
    for sentence in (*said, *remarks(find_registry(settings))):
        notify(sentence)


@asynccontextmanager
async def running_worker(engine: Engine) -> AsyncIterator[Worker]:
    """A worker that is drained at the end of the block."""
    if not isinstance(engine.dispatcher, WorkingDispatcher):
        raise ConfigurationError("This engine's wake-ups reach no worker.")
    settings = engine.settings
    worker = Worker(
        engine.carrier,
        engine.dispatcher,
        errands_of(settings, engine.database, engine.catalog, engine.carrier.systems, engine.dispatcher, engine.notary),
        concurrency=settings.concurrency,
        sweep_every_s=settings.sweep_every_s,
    )
    worker.start()
    engine.vitals.worker = worker
    try:
        yield worker
    finally:
        await worker.stop()


@asynccontextmanager
async def _systems(settings: Settings, http: httpx.AsyncClient) -> AsyncIterator[Systems]:
    credentials = await asyncio.to_thread(credentials_of, settings, http)
    systems = Systems(settings.systems, settings.system_tokens, credentials)
    systems.lock = find_lock(settings)
    try:
        yield systems
    finally:
        await systems.close()


@asynccontextmanager
async def _notices(database: Database) -> AsyncIterator[Notices]:
    notices = Notices(database)
    notices.start()
    try:
        yield notices
    finally:
        await notices.stop()


def _temporal(settings: Settings) -> TemporalAt | None:
    if settings.dispatcher == "procrastinate":
        return None
    key = reveal(settings.temporal_api_key)
    place = (settings.temporal_address, settings.temporal_namespace, settings.temporal_queue)
    return TemporalAt(*place, key, lease_s=settings.lease_s)
