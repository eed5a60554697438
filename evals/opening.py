"""Opens the engine for evals: one engine, a database that is thrown away, no model, no network."""

import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

from engine.credentials.references import reveal
from engine.models.recording import Recordings
from engine.settings import Settings, read_settings
from engine.store import embedded
from engine.wiring import Engine, open_engine
from engine.worker.dispatchers import InlineDispatcher

# Nobody needs these cases after a power cut: waiting for the disk would be most of their time.
_NO_FLUSH = "?options=-c%20synchronous_commit%3Doff"


@asynccontextmanager
async def open_for_evals() -> AsyncIterator[Engine]:
    """The engine on `DATABASE_URL`, else on a Postgres of its own that is gone afterwards.

    Raises what `open_engine` raises.
    """
    with _home() as home, _database(home) as settings:
        async with open_engine(
            settings, notify=_unheard, dispatcher=InlineDispatcher(), recordings=Recordings()
        ) as engine:
            yield engine


def dsn_of(engine: Engine) -> str:
    """The one address that is connected to."""
    address = engine.settings.database_url
    return reveal(address) if address else ""


@contextmanager
def _home() -> Iterator[Path]:
    home = Path(tempfile.mkdtemp(prefix="gatehouse-evals-"))
    # PostgreSQL does not run as root: its account has to pass through here.
    home.chmod(0o711)
    try:
        yield home
    finally:
        shutil.rmtree(home, ignore_errors=True)


@contextmanager
def _database(home: Path) -> Iterator[Settings]:
    quiet = {"home": home, "model": "", "models": {}, "recordings": [], "stand_ins": False, "systems": {}}
    # Cases with a failing tool stand beside each other: none is to find a breaker that another one opened.
    quiet |= {"breaker_failures": 1_000_000, "model_breaker_failures": 1_000_000}
    settings = _without_models(read_settings(**quiet))
    if settings.database_url:
        yield settings
        return
    server = embedded.start(home, notify=_unheard)
    try:
        yield _without_models(read_settings(**quiet, DATABASE_URL=f"{server.dsn}{_NO_FLUSH}"))
    finally:
        embedded.stop(home)
        if home not in server.data.parents:  # where its account could not reach our temporary folder
            shutil.rmtree(server.data.parent, ignore_errors=True)


def _without_models(settings: Settings) -> Settings:
    """Members of an object are merged with those of the environment, and routes would be part of versions."""
    return settings.model_copy(update={"models": {}, "model_experiments": {}, "model_shadows": {}, "systems": {}})


def _unheard(sentence: str) -> None:
    """Surprises about a database that nobody will see again."""
