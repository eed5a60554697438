"""The folder of the embedded PostgreSQL: where it lies, whether it may be opened, and how a new one is made."""

import hashlib
import os
import secrets
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from contracts.errors import ConfigurationError, DataFolderRefused
from engine.store.postgres_binaries import Account, Binaries, find_account, reaches, run

ROLE = DATABASE = "gatehouse"
SHARED = Path("/var/lib/gatehouse")


@dataclass(frozen=True)
class Cluster:
    """`home` is the folder that the user named; `data` lies in it unless `account` cannot reach it there."""

    home: Path
    data: Path
    account: Account | None

    @property
    def log(self) -> Path:
        return self.home / "postgres.log"

    @property
    def port_file(self) -> Path:
        return self.home / "postgres.port"

    @property
    def password_file(self) -> Path:
        return self.home / "postgres.password"

    @property
    def location_file(self) -> Path:
        return self.home / "postgres.location"

    @property
    def in_use_file(self) -> Path:
        return self.home / "postgres.in-use"

    def dsn(self, port: int, database: str = DATABASE) -> str:
        password = quote(read(self.password_file), safe="")
        return f"postgresql://{ROLE}:{password}@127.0.0.1:{port}/{database}"


def locate(home: Path) -> Cluster:
    """Find the cluster of `home`, or the place for a new one; changes nothing. `home` is absolute and exists."""
    inside = Cluster(home, home / "postgres", find_account(home / "postgres"))
    recorded = read(inside.location_file)
    if recorded:
        if not Path(recorded).is_dir():
            raise DataFolderRefused(
                f"{str(inside.location_file)!r} says that the cluster is in {recorded!r}, and there is no such folder; "
                "to create one would hide that the data is gone",
                hint=f"Bring {recorded!r} back, or delete postgres.location to start with an empty cluster.",
            )
        return Cluster(home, Path(recorded), find_account(Path(recorded)))
    if _occupied(inside.data) or reaches(inside.account, home):
        return inside
    data = SHARED / hashlib.sha256(os.fsencode(home)).hexdigest()[:12] / "postgres"
    return Cluster(home, data, find_account(data))


def check(cluster: Cluster, found: Binaries) -> bool:
    """Whether there is a cluster to open; False means that one may be created here.

    Raises DataFolderRefused, and has changed nothing, if what is there cannot be opened with `found`.
    """
    if not _occupied(cluster.data):
        return False
    _check_version(cluster.data, found)
    if not read(cluster.password_file):
        raise DataFolderRefused(
            f"{str(cluster.data)!r} is a cluster, but its password file {str(cluster.password_file)!r} "
            "is missing or empty, so nobody can log in",
            hint=f"Bring the password file back from a backup, or move {str(cluster.data)!r} away to start empty.",
        )
    if cluster.account and not reaches(cluster.account, cluster.data.parent):
        raise DataFolderRefused(
            f"{str(cluster.data)!r} is a cluster, but user {cluster.account.name!r}, who has to run PostgreSQL "
            "because root may not, cannot enter the folders above it",
            hint="Let that user pass through those folders, or move the whole data folder to where it can.",
        )
    return True


def create(cluster: Cluster, programs: Binaries, notify: Callable[[str], None]) -> None:
    """Make a new cluster; it appears at `cluster.data` complete or not at all."""
    place = cluster.data.parent
    staging = place / f"postgres.new-{os.getpid()}"
    notify(f"Creating a PostgreSQL {programs.version} cluster in {cluster.data}")
    _remove_leftovers(place)
    staging.mkdir(mode=0o700)
    try:
        # A password that is there already may belong to a cluster that was only moved away.
        password = read(cluster.password_file) or secrets.token_urlsafe(32)
        write_private(staging / "password", password)
        _hand_over(staging, cluster.account)
        _initdb(programs, staging, cluster.account)
        write_private(cluster.password_file, password)
        (staging / "data").replace(cluster.data)
        _sync(place)
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def prepare_place(cluster: Cluster, notify: Callable[[str], None]) -> None:
    """Make the folder around `cluster.data` where that is not `home`; parent folders are never opened for it."""
    place, account = cluster.data.parent, cluster.account
    if account is None or place == cluster.home:
        return
    notify(f"User {account.name!r} cannot enter {cluster.home}: the cluster is kept in {cluster.data}")
    for folder in (SHARED, place):
        if not folder.exists():
            folder.mkdir(exist_ok=True)
            folder.chmod(0o755)  # whatever our umask is, the account has to pass
    if not reaches(account, place):
        raise ConfigurationError(
            f"User {account.name!r}, who has to run PostgreSQL because root may not, can enter neither "
            f"{str(cluster.home)!r} nor {str(place)!r}",
            hint="Choose a data folder that this user can reach, or set DATABASE_URL to a PostgreSQL of yours.",
        )


def adopt(cluster: Cluster) -> None:
    """Give data that root owns (a restored backup) to the account, and record where it lies if not in `home`."""
    if cluster.account and cluster.data.stat().st_uid != cluster.account.uid:
        _hand_over(cluster.data, cluster.account)
    if cluster.data.parent != cluster.home and not read(cluster.location_file):
        write_private(cluster.location_file, str(cluster.data))
    cluster.password_file.chmod(0o600)


def read(path: Path) -> str:
    """The stripped text of a small file; empty if there is none."""
    return path.read_text(encoding="utf-8").strip() if path.is_file() else ""


def private(path: str, flags: int) -> int:
    """An `opener` for `open`: a file that it creates belongs to us alone, whatever our umask is."""
    return os.open(path, flags, 0o600)


def write_private(path: Path, text: str) -> None:
    """Replace a small file, durably and in one step, readable by its owner only."""
    partial = path.with_name(f"{path.name}.new-{os.getpid()}")
    partial.unlink(missing_ok=True)
    with open(partial, "x", encoding="utf-8", opener=private) as file:
        file.write(text + "\n")
        file.flush()
        os.fsync(file.fileno())
    partial.replace(path)
    _sync(path.parent)


def _occupied(folder: Path) -> bool:
    return folder.exists() and not (folder.is_dir() and next(folder.iterdir(), None) is None)


def _check_version(data: Path, found: Binaries) -> None:
    major = read(data / "PG_VERSION")
    if not major:
        entries = sorted(entry.name for entry in data.iterdir())[:5] if data.is_dir() else ["(it is a file)"]
        raise DataFolderRefused(
            f"{str(data)!r} is not empty and no PostgreSQL cluster: it has no PG_VERSION, but {', '.join(entries)}",
            hint="Move that content away, or choose another data folder.",
        )
    if major != str(found.major):
        raise DataFolderRefused(
            f"{str(data)!r} was written by PostgreSQL {major}, and PostgreSQL {found.version} in "
            f"{str(found.folder)!r} cannot read the files of another major version",
            hint=f"Move the data with pg_upgrade or pg_dump, set DATABASE_URL to a PostgreSQL {major} that serves it, "
            "or choose another data folder.",
        )


def _initdb(programs: Binaries, staging: Path, account: Account | None) -> None:
    options = ["-U", ROLE, f"--pwfile={staging / 'password'}", "--auth-host=scram-sha-256"]
    options += ["--auth-local=scram-sha-256", "--encoding=UTF8", "--data-checksums", "--no-instructions", "--locale=C"]
    if programs.major >= 17:  # before, C.UTF-8 depended on what the operating system has
        options += ["--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
    ended = run([programs.folder / "initdb", "-D", staging / "data", *options], account)
    if ended.returncode != 0:
        last_lines = "\n".join((ended.stdout + ended.stderr).splitlines()[-10:])
        raise ConfigurationError(
            f"initdb could not make a cluster in {str(staging)!r}:\n{last_lines}",
            hint="Look for a full or read-only disk, choose another data folder, or set DATABASE_URL.",
        )


def _hand_over(folder: Path, account: Account | None) -> None:
    if account is None:
        return
    # Bottom up: a hand-over that was cut off is seen by the owner of the top folder, and repeated.
    for parent, _, files in os.walk(folder, topdown=False):
        for name in files:
            os.chown(Path(parent) / name, account.uid, account.gid, follow_symlinks=False)
        os.chown(parent, account.uid, account.gid, follow_symlinks=False)


def _remove_leftovers(place: Path) -> None:
    for leftover in place.glob("postgres*.new-*"):
        pid = leftover.name.rpartition("-")[2]
        # In a container the starter before us may have had our own pid.
        if pid.isdigit() and (int(pid) == os.getpid() or not _is_alive(int(pid))):
            shutil.rmtree(leftover, ignore_errors=True)


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
