"""References to secrets: `secret://env/NAME`, `secret://file/PATH`. Read at use, never where they are configured."""

import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from pydantic import SecretStr

from contracts.errors import ConfigurationError, SecretMissing
from engine.credentials.redactor import KNOWN

_PREFIX = "secret://"
_LARGEST = 65_536


class Source(Protocol):
    """Where secrets of one kind of reference come from; a vault is one more of these."""

    def read(self, name: str) -> str:
        """The secret as it is now. Raises `SecretMissing` naming `name`, never a value."""
        ...


class Environment:
    """`secret://env/NAME`: a variable of the process."""

    def read(self, name: str) -> str:
        if value := os.environ.get(name):
            return value
        raise SecretMissing(f"The variable {name!r} is not set or empty.", hint="Set it where this process is started.")


class Files:
    """`secret://file/PATH`: the content of a file, read again when the file has changed."""

    def __init__(self) -> None:
        self._read: dict[str, tuple[tuple[int, int, int], str]] = {}
        self._lock = threading.Lock()

    def read(self, name: str) -> str:
        # Mounted secrets are exchanged by renaming a link: the file behind it has another inode then.
        path = Path(f"/{name}")
        try:
            found = path.stat()
            mark = (found.st_mtime_ns, found.st_size, found.st_ino)
            with self._lock:
                known = self._read.get(name)
            if known and known[0] == mark:
                return known[1]
            value = path.read_text().strip() if found.st_size <= _LARGEST else ""
        except (OSError, UnicodeDecodeError) as error:
            said = f"The file {str(path)!r} cannot be read: {type(error).__name__}."
            raise SecretMissing(said, hint="Mount it, and let this process's user read it.") from None
        if not value:
            raise SecretMissing(f"The file {str(path)!r} is empty or larger than {_LARGEST} bytes.")
        with self._lock:
            self._read[name] = (mark, value)
        return value


SOURCES: dict[str, Source] = {"env": Environment(), "file": Files()}
"""By the part of a reference behind `secret://`."""


def is_reference(text: str) -> bool:
    """Whether it names a secret instead of being one."""
    return text.startswith(_PREFIX)


def reveal(written: SecretStr | str) -> str:
    """The secret that was configured, or that the reference names, as it is now; kept out of everything from then on.

    Raises `SecretMissing` naming the reference, `ConfigurationError` for a reference of an unknown kind.
    """
    text = written.get_secret_value() if isinstance(written, SecretStr) else written
    if not is_reference(text):
        KNOWN.learn(text)
        return text
    kind, _, name = text.removeprefix(_PREFIX).partition("/")
    if kind not in SOURCES or not name:
        raise ConfigurationError(
            f"{_PREFIX}{kind}/… is no reference to a secret.",
            hint=f"There are: {', '.join(f'{_PREFIX}{known}/…' for known in sorted(SOURCES))}.",
        )
    try:
        value = SOURCES[kind].read(name)
    except SecretMissing as error:
        raise SecretMissing(f"{text} cannot be resolved. {error.detail}", hint=error.hint) from None
    KNOWN.learn(value)
    return value


def revealing(written: SecretStr | str) -> Callable[[], str]:
    """`reveal` for whoever asks for the secret each time that it is used."""
    return lambda: reveal(written)
