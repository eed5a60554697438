"""What the work rests on: workflows, the seal, keys, and whether something is stuck."""

from collections import Counter
from collections.abc import Iterator

from contracts.errors import ConfigurationError, SealBroken, StageGone
from engine.access.addresses import is_loopback
from engine.access.keys import list_keys
from engine.catalog.catalog import Catalog, load_catalog
from engine.catalog.registry import remarks
from engine.catalog.versions import require_standing_stages
from engine.credentials.references import reveal
from engine.opening import find_registry
from engine.operations.doctor.finding import Finding
from engine.operations.stuck import find_stuck
from engine.runs.threads import newest_thread
from engine.settings import Settings
from engine.store.database import Connection
from engine.store.seal import SealedSerializer, existing_seal_key
from engine.store.server import sample_value


def examine_registry(settings: Settings) -> tuple[Finding, Catalog | None]:
    """Whether the workflows load, and the workflows."""
    try:
        registry = find_registry(settings)
        catalog = load_catalog(registry, routes={}, queues=settings.queue_overrides())
    except ConfigurationError as error:
        return Finding(
            "workflows", "fail", error.detail, error.hint or "Mend the workflow; nothing is served before."
        ), None
    loaded = f"Loaded: {', '.join(sorted(catalog))}."
    if unused := remarks(registry):
        return Finding("workflows", "warn", f"{loaded} {' '.join(unused)}", f"Take it out of {registry.name}."), catalog
    return Finding("workflows", "ok", loaded), catalog


async def examine_stored_work(
    conn: Connection, settings: Settings, catalog: Catalog | None, *, tenant: str
) -> list[Finding]:
    """What is stored and waits to be gone on with; expects this version's schema."""
    found = [await _seal(conn, settings), await _keys(conn, settings)]
    if catalog is not None:
        found.append(await _stages(conn, catalog))
    stuck = Counter(item["kind"].replace("_", " ") for item in await find_stuck(conn, tenant=tenant))
    return [*found, *_stuck(stuck)]


async def _seal(conn: Connection, settings: Settings) -> Finding:
    try:
        key = existing_seal_key(reveal(settings.seal_key), settings.home)
    except ConfigurationError as error:
        return Finding("seal", "fail", error.detail, error.hint)
    thread = await newest_thread(conn)
    stored = await sample_value(conn, str(thread["id"])) if thread else None
    if thread is None or stored is None:
        says = "Nothing is stored yet" + ("." if key else ", and the key is made at the first start.")
        return Finding("seal", "ok", says)
    do = "Set GATEHOUSE_SEAL_KEY to the key of the installation that wrote it, on every server and worker."
    if key is None:
        return Finding("seal", "fail", "Sealed state is stored, and there is no key here.", do)
    try:
        SealedSerializer(key, tenant=thread["tenant"], thread_id=str(thread["id"])).loads_typed(stored)
    except SealBroken as error:
        return Finding("seal", "fail", f"The key does not open what is stored: {error.detail}", do)
    return Finding("seal", "ok", "The key opens what is stored.")


async def _keys(conn: Connection, settings: Settings) -> Finding:
    live = [key for key in await list_keys(conn) if not key["revoked_at"]]
    roles = Counter(role for key in live for role in key["roles"])
    says = (
        f"{len(live)} live: {', '.join(f'{n} {role}' for role, n in sorted(roles.items()))}."
        if live
        else "There are none"
    )
    make = "gatehouse keys create NAME --role operator"
    if not live and not is_loopback(settings.host):
        return Finding(
            "keys", "fail", f"{says}, and {settings.host} is open to others; the server refuses to start.", make
        )
    if not live:
        return Finding("keys", "warn", f"{says}: whoever is on this machine may call, and nobody may approve.", make)
    if "reviewer" not in roles:
        return Finding(
            "keys", "warn", f"{says} Nobody may approve.", "gatehouse keys create NAME --role reviewer --approves ROLE"
        )
    return Finding("keys", "ok", says)


async def _stages(conn: Connection, catalog: Catalog) -> Finding:
    try:
        await require_standing_stages(conn, catalog)
    except StageGone as error:
        return Finding("waiting cases", "fail", error.detail, error.hint)
    return Finding("waiting cases", "ok", "Every stage at which a case stands is there.")


def _stuck(stuck: Counter[str]) -> Iterator[Finding]:
    unknown = stuck.pop("unknown effect", 0)
    if unknown:
        says = f"Of {unknown} effect(s) nobody knows whether they happened."
        yield Finding("effects", "warn", says, "Somebody finds out and says so: gatehouse effects list")
    else:
        yield Finding("effects", "ok", "The outcome of every effect is known.")
    if stuck:
        says = f"Does not move: {', '.join(f'{n} {kind}' for kind, n in sorted(stuck.items()))}."
        yield Finding("runs", "warn", says, "See which and why: gatehouse runs stuck")
    else:
        yield Finding("runs", "ok", "Nothing is stuck.")
