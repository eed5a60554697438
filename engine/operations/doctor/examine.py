"""Looks at everything, in the order in which somebody would mend it."""

from collections.abc import AsyncIterator

from contracts.errors import ConfigurationError, DataFolderRefused, StoreUnavailable
from engine.opening import Notify, find_dsn
from engine.operations.doctor.database import examine_database
from engine.operations.doctor.finding import Finding
from engine.operations.doctor.machine import examine_machine
from engine.operations.doctor.outside import examine_outside
from engine.operations.doctor.secrets_named import examine_secrets
from engine.operations.doctor.work import examine_registry, examine_stored_work
from engine.settings import Settings
from engine.store import embedded
from engine.store.database import connected


async def examine(settings: Settings, notify: Notify, *, tenant: str) -> AsyncIterator[Finding]:
    """Every finding. Nothing is changed, but that an embedded Postgres which exists is started."""
    for finding in examine_machine(settings):
        yield finding
    for finding in examine_secrets(settings):
        yield finding
    workflows, catalog = examine_registry(settings)
    yield workflows
    for finding in await examine_outside(settings, catalog):
        yield finding
    if settings.database_url is None and not embedded.exists(settings.home):
        yield Finding("database", "ok", "The embedded PostgreSQL is made at the first start; DATABASE_URL is not set.")
        return
    try:
        async with connected(find_dsn(settings, notify)) as conn:
            found = await examine_database(conn, settings)
            if all(finding.state == "ok" for finding in found if finding.check == "schema"):
                found += await examine_stored_work(conn, settings, catalog, tenant=tenant)
    except (StoreUnavailable, DataFolderRefused, ConfigurationError) as error:
        found = [Finding("database", "fail", error.detail, error.hint)]
    for finding in found:
        yield finding
