"""Keys that are made once and kept in a file of the data folder, readable by its owner alone."""

import contextlib
import os
import secrets
import tempfile
from collections.abc import Callable
from pathlib import Path

from contracts.errors import ConfigurationError

_KEY_BYTES = 32


def read_or_make(path: Path, write: Callable[[bytes], str], *, instead: str) -> str:
    """The text in `path` (mode 0600); at first use it is what `write` makes of 32 random bytes.

    Of several processes that make it at once one wins, and nobody sees half of it. Raises `ConfigurationError` naming
    `instead`, the variable that can hold the text, where the file can be neither read nor made.
    """
    try:
        if not path.exists():
            _make(path, write(secrets.token_bytes(_KEY_BYTES)))
        return path.read_text().strip()
    except OSError as error:
        raise ConfigurationError(
            f"{path} can be neither read nor made: {error.strerror}.",
            hint=f"Set {instead}, as is needed on a read-only root, or let GATEHOUSE_HOME name a folder of yours.",
        ) from error


def key_of(text: str, where: str) -> bytes:
    """The 32 bytes of a key that is written as 64 hex digits. Raises `ConfigurationError` naming `where` it stands."""
    try:
        key = bytes.fromhex(text)
    except ValueError:
        key = b""
    if len(key) != _KEY_BYTES:
        said = f"{where} does not hold 64 hexadecimal digits."
        raise ConfigurationError(said, hint="Make a key with: openssl rand -hex 32")
    return key


def _make(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile("w", dir=path.parent, prefix=f".{path.name}.") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
        with contextlib.suppress(FileExistsError):
            os.link(file.name, path)


def replace_text(path: Path, text: str) -> None:
    """Put a text into `path` (mode 0600), at once or not at all."""
    with tempfile.NamedTemporaryFile("w", dir=path.parent, prefix=f".{path.name}.", delete=False) as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    Path(file.name).replace(path)
