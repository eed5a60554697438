"""What workers do beside carrying runs, as the configuration wants it: deliver, tell, forget."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from engine.audit.anchors import FileAnchor
from engine.audit.notary import Notary
from engine.audit.sealing import Periods, Sealing, periods
from engine.audit.signing import audit_signer
from engine.catalog.catalog import Catalog
from engine.credentials.references import reveal
from engine.gateway.outbox import Outbox
from engine.gateway.systems import Systems
from engine.models.routing import Routing
from engine.notifications.shapes import Address
from engine.opening import sender_of
from engine.operations.watchman import Watchman
from engine.reasoning.exports import Exports, Sink
from engine.reasoning.pages import Traced
from engine.reasoning.retention import TraceTerms
from engine.runs.dispatch import Dispatcher, WorkingDispatcher
from engine.settings import Settings
from engine.store.database import Database
from engine.webhooks.delivery import Courier
from engine.worker.canaries import Lures
from engine.worker.errands import Errand
from engine.worker.janitor import Janitor, Keep

_CANARIES_EVERY_S = 60.0
_ALARMS_EVERY_S = 60.0


def errands_of(
    settings: Settings,
    database: Database,
    catalog: Catalog,
    systems: Systems,
    dispatcher: Dispatcher,
    notary: Notary,
) -> list[Errand]:
    """The errands of one worker."""
    often_s = settings.sweep_every_s
    outbox = Outbox(database, catalog, systems)
    sealing = Sealing(database, notary.signer, periods_of(settings, catalog), notary)
    errands = [
        Errand("webhooks", courier_of(settings, database).deliver_due, often_s),
        Errand("outbox", outbox.deliver_due, often_s),
        Errand("orphans of the outbox", outbox.hand_over_orphans, 60 * often_s),
        Errand("checkpoints of the audit trail", notary.look, often_s),
        Errand("retention", janitor_of(settings, database, dispatcher, sealing).clean, settings.retention_every_s),
    ]
    if settings.alarm_error_rate or settings.alarm_cost:
        watch = Watchman(database, settings.alarm_error_rate, settings.alarm_cost)
        errands.append(Errand("alarms", watch.look, _ALARMS_EVERY_S))
    if settings.canaries_per_day:
        lures = Lures(database, catalog, settings.canaries_per_day, _CANARIES_EVERY_S)
        errands.append(Errand("canaries", lures.put_some, _CANARIES_EVERY_S))
    return errands


@asynccontextmanager
async def open_exports(settings: Settings, database: Database, catalog: Catalog) -> AsyncIterator[Exports | None]:
    """Who sends traces elsewhere, if anywhere; what waits at the end of the block is still sent, for a while."""
    sinks: list[Sink] = []
    if settings.langsmith_url:
        from engine.reasoning.sampled import Sampled  # noqa: PLC0415  # slow to import, and seldom wanted

        key = reveal(settings.langsmith_api_key)
        sinks.append(Sampled(settings.langsmith_url, key, settings.langsmith_project, settings.langsmith_share))
    if settings.otlp_url:
        from engine.reasoning.telemetry import Telemetry  # noqa: PLC0415  # the same

        sinks.append(Telemetry(settings.otlp_url, {n: reveal(value) for n, value in settings.otlp_headers.items()}))
    exports = Exports(database, _within_borders(settings, catalog), sinks) if sinks else None
    try:
        yield exports
    finally:
        if exports:
            await exports.close()


def _within_borders(settings: Settings, catalog: Catalog) -> Callable[[Traced, str], bool]:
    """A copy crosses no border that a model call would not."""
    routing = Routing({}, settings.regions)
    tags = {"langsmith": settings.langsmith_residency, "otlp": settings.otlp_residency}
    return lambda of, sink: routing.border(of.tenant, catalog[of.workflow].policy.data_class).lets(tags[sink])


def notary_of(settings: Settings, database: Database) -> Notary:
    """Who makes and anchors checkpoints of the audit trail."""
    signer = audit_signer(reveal(settings.audit_key), settings.audit_old_keys, settings.home)
    anchor = FileAnchor(settings.audit_anchors or settings.home / "anchors")
    return Notary(database, signer, anchor, settings.audit_checkpoint_every_s)


def courier_of(settings: Settings, database: Database) -> Courier:
    """Who sends webhooks."""
    return Courier(
        database=database,
        sender=sender_of(settings),
        routes={route.name: Address(route) for route in settings.notify or ()},
        public_url=settings.public_url,
        attempts=settings.webhook_attempts,
        retry_s=settings.webhook_retry_s,
    )


def periods_of(settings: Settings, catalog: Catalog) -> Periods:
    """How long the audit trail of each workflow is kept. Raises `ConfigurationError` where that is too short."""
    risky = {name: workflow.risk == "high" for name, workflow in catalog.items()}
    return periods(settings.audit_keep_days, settings.audit_keep_days_of, risky)


def janitor_of(
    settings: Settings, database: Database, dispatcher: Dispatcher, sealing: Sealing | None = None
) -> Janitor:
    """Who forgets what nobody needs any more, wake-ups among it."""
    keep = Keep(
        checkpoints=settings.retention_checkpoints,
        resting_s=settings.retention_resting_s,
        events_s=settings.retention_events_s,
        webhooks_s=settings.retention_webhooks_s,
        ephemeral_s=settings.retention_ephemeral_s,
        traces=TraceTerms(settings.trace_share, settings.retention_traces_s),
    )
    old_jobs = dispatcher.forget_dead if isinstance(dispatcher, WorkingDispatcher) else None
    return Janitor(database, keep, old_jobs, sealing)
