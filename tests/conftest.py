"""A real Postgres, a real server in its own process, and people with keys. One of each for the whole session."""

import asyncio
import json
import os
import shutil
import signal
import sys
import tempfile
import time
import uuid
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest

from commands.serving import free_port
from engine.access.keys import create_key
from engine.opening import open_database
from engine.settings import Settings, read_settings
from engine.store import embedded
from engine.store.migrate import migrate
from engine.store.scope import across_tenants, of_tenant
from tests.cases import close_clients
from tests.nursery import NURSERY, Forked
from tests.outside import Outside, outside_at

ROOT = Path(__file__).parent.parent
TRIALS = ROOT / "tests" / "registry" / "langgraph.json"
SEAL_KEY = "ab" * 32
TEMPORAL = os.environ.get("GATEHOUSE_TEMPORAL_ADDRESS", "")
"""A server that the tests marked `temporal` may use; read before a developer's own configuration is taken away."""

_MIGRATED = "migrated"
"""A database that is copied for each that a test wants: copying is ten times as fast as migrating."""
LOOKS = across_tenants("tests look at everything", tenant="default")


def pytest_configure() -> None:
    # A developer's own configuration must not leak into the tests.
    for name in list(os.environ):
        if name.startswith(("GATEHOUSE_", "LANGSMITH_", "LANGCHAIN_", "OPENAI_")) or name == "DATABASE_URL":
            del os.environ[name]
    # Tests look at what everybody has; requests and workers say anew for whom they work, in this process, too.
    LOOKS.__enter__()


@pytest.fixture(scope="session")
def folder() -> Iterator[Path]:
    """A folder that the unprivileged user of the embedded Postgres can reach, too."""
    path = Path(tempfile.mkdtemp(prefix="gatehouse-test-"))
    path.chmod(0o755)
    yield path
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture(scope="session")
def postgres(folder: Path) -> Iterator[str]:
    """Address of a running cluster's default database."""
    dsn = embedded.start(folder / "home", notify=lambda _: None).dsn
    with psycopg.connect(dsn, autocommit=True) as conn:
        conn.execute(f"CREATE DATABASE {_MIGRATED}")
    asyncio.run(migrate(_beside(dsn, _MIGRATED)))
    yield dsn
    embedded.stop(folder / "home")


@contextmanager
def fresh_database(postgres: str) -> Iterator[str]:
    """A database of its own with the schema in it, dropped at the end."""
    with _database(postgres, _MIGRATED) as dsn:
        yield dsn


@contextmanager
def empty_database(postgres: str) -> Iterator[str]:
    """A database of its own with nothing in it, dropped at the end."""
    with _database(postgres, "template1") as dsn:
        yield dsn


@contextmanager
def _database(postgres: str, template: str) -> Iterator[str]:
    name = f"test_{uuid.uuid4().hex[:12]}"
    with psycopg.connect(postgres, autocommit=True) as conn:
        conn.execute(f'CREATE DATABASE "{name}" TEMPLATE {template}')
        yield _beside(postgres, name)
        conn.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


def _beside(dsn: str, name: str) -> str:
    return f"{dsn.rsplit('/', 1)[0]}/{name}"


@pytest.fixture(scope="session")
def dsn(postgres: str) -> Iterator[str]:
    """The database that the session's server uses."""
    with fresh_database(postgres) as dsn:
        yield dsn


@dataclass(frozen=True)
class Site:
    """Where a test's processes keep their things."""

    dsn: str
    home: Path
    worlds: Path
    registry: Path = ROOT / "langgraph.json"
    systems: Mapping[str, str] = field(default_factory=dict)
    """Addresses of outside systems that are not in the worlds."""

    def environment(self, **more: str) -> dict[str, str]:
        """Environment of a process at this site."""
        ours = {"DATABASE_URL": self.dsn, "GATEHOUSE_HOME": str(self.home), "GATEHOUSE_SEAL_KEY": SEAL_KEY}
        offered = {"GATEHOUSE_REGISTRY": str(self.registry), "GATEHOUSE_SYSTEMS": json.dumps(dict(self.systems))}
        quick = {"GATEHOUSE_LEASE_S": "3", "GATEHOUSE_SWEEP_EVERY_S": "1", "GATEHOUSE_FAILED_ATTEMPTS": "1000000"}
        patient = {"GATEHOUSE_BREAKER_FAILURES": "1000", "GATEHOUSE_MODEL_BREAKER_FAILURES": "1000"}
        return dict(os.environ) | ours | offered | quick | patient | more

    def settings(self, **more: Any) -> Settings:
        """The same for an engine in this process."""
        ours = {
            "DATABASE_URL": self.dsn,
            "home": self.home,
            "seal_key": SEAL_KEY,
            "lease_s": 3.0,
            "breaker_failures": 1000,
            "model_breaker_failures": 1000,
        }
        return read_settings(**ours | {"registry": self.registry, "systems": dict(self.systems)} | more)


@pytest.fixture(scope="session")
def site(dsn: str, folder: Path) -> Site:
    return Site(dsn, folder / "site", folder / "worlds.sqlite")


@dataclass(frozen=True)
class People:
    """API keys: `ada`, `ben` call, `fin` decides for finance, `sue` for support, `rex` for nobody, `olu` operates.

    `mia` and `dan` decide as manager and as director.
    """

    ada: str
    ben: str
    fin: str
    sue: str
    rex: str
    olu: str
    mia: str
    dan: str


async def make_people(settings: Settings, mark: str = "") -> People:
    """Make the keys; `mark` keeps names apart."""
    roles: dict[str, tuple[list[str], list[str]]] = {
        "ada": (["caller"], []),
        "ben": (["caller"], []),
        "fin": (["reviewer"], ["finance"]),
        "sue": (["reviewer"], ["support"]),
        "rex": (["reviewer"], []),
        "olu": (["operator"], []),
        "mia": (["reviewer"], ["manager"]),
        "dan": (["reviewer"], ["director"]),
    }
    async with open_database(settings, lambda _: None) as database, database.transaction() as conn:
        keys = {name: await create_key(conn, name + mark, *of) for name, of in roles.items()}
    return People(**keys)


@pytest.fixture(scope="session")
def people(site: Site) -> People:
    return asyncio.run(make_people(site.settings()))


@pytest.fixture(scope="session")
def stranger(site: Site, people: People) -> str:
    """A key of another tenant that may do everything there."""

    async def make() -> str:
        with of_tenant("elsewhere"):
            async with open_database(site.settings(), lambda _: None) as database, database.transaction() as conn:
                roles = ["caller", "reviewer", "operator"]
                return await create_key(conn, "stranger", roles, ["finance"], tenant="elsewhere")

    return asyncio.run(make())


@contextmanager
def running(site: Site, *command: str, **environment: str) -> Iterator[Forked]:
    """`gatehouse <command>` at the site, ended at the end; its log is shown when it dies by itself."""
    site.home.mkdir(parents=True, exist_ok=True)
    log = site.home / f"{command[0]}-{uuid.uuid4().hex[:6]}.log"
    arguments = ["gatehouse", *command, "--sandbox", "--worlds", str(site.worlds)]
    process = NURSERY.start("cli", arguments, site.environment(**environment), log)
    try:
        yield process
    finally:
        if process.lives:
            process.signal(signal.SIGTERM)
        if process.wait() not in (0, None):
            sys.stderr.write(log.read_text()[-4000:])


def wait_until_up(url: str, path: str = "/ok") -> None:
    for _ in range(300):
        try:
            if httpx.get(f"{url}{path}", timeout=2).is_success:
                return
        except httpx.TransportError:
            time.sleep(0.1)
    raise AssertionError(f"no server answers at {url}")


@pytest.fixture(scope="session")
def url(site: Site, people: People) -> Iterator[str]:
    """Address of a server with a worker, in a process of its own."""
    port = free_port()
    with running(site, "serve", "--port", str(port)):
        wait_until_up(f"http://127.0.0.1:{port}")
        yield f"http://127.0.0.1:{port}"


@pytest.fixture(scope="session")
def outside(folder: Path) -> Iterator[Outside]:
    """The counter that trial workflows reach, in a process of its own."""
    with outside_at(folder / "counter.sqlite") as outside:
        yield outside


@pytest.fixture(scope="session")
def trial_site(postgres: str, folder: Path, outside: Outside) -> Iterator[Site]:
    """A site with a database of its own that offers the workflows of tests/registry."""
    with fresh_database(postgres) as dsn:
        home = folder / "trials"
        yield Site(dsn, home, home / "worlds.sqlite", TRIALS, {"counter": outside.url})


@pytest.fixture(scope="session")
def trial_people(trial_site: Site) -> People:
    return asyncio.run(make_people(trial_site.settings()))


@pytest.fixture(scope="session")
def trial_url(trial_site: Site, trial_people: People) -> Iterator[str]:
    """Address of a server with a worker that offers the trial workflows, in a process of its own."""
    port = free_port()
    with running(trial_site, "serve", "--port", str(port)):
        wait_until_up(f"http://127.0.0.1:{port}")
        yield f"http://127.0.0.1:{port}"


@pytest.fixture
async def http(url: str) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=url, timeout=30) as client:
        yield client


@pytest.fixture(autouse=True)
async def no_client_stays_open() -> AsyncIterator[None]:
    yield
    await close_clients()
