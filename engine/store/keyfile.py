"""Keys that are made once and kept in a file of the data folder, readable by its owner alone."""

import contextlib
import os
import secrets
import tempfile
from collections.abc import Callable
from pathlib import Path


def read_or_make(path: Path, write: Callable[[bytes], str]) -> str:
    """The text in `path` (mode 0600); at first use it is what `write` makes of 32 random bytes.

    Of several processes that make it at once one wins, and nobody sees half of it.
    """
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile("w", dir=path.parent, prefix=f".{path.name}.") as file:
            file.write(write(secrets.token_bytes(32)))
            file.flush()
            os.fsync(file.fileno())
            with contextlib.suppress(FileExistsError):
                os.link(file.name, path)
    return path.read_text().strip()
