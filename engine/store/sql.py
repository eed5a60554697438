"""Loads a room's `queries.sql`: statements that start with `-- name: …`."""

import re
from pathlib import Path
from typing import LiteralString, cast

_NAME = re.compile(r"^-- name: (\w+)\s*$", re.MULTILINE)


def load_queries(room: str) -> dict[str, LiteralString]:
    """Return the statements in the `queries.sql` beside the module file `room` (pass `__file__`), by name."""
    parts = _NAME.split(Path(room).with_name("queries.sql").read_text())
    # Text of the repository, not of a caller: that is what LiteralString stands for in psycopg's signatures.
    return {name: cast(LiteralString, text.strip()) for name, text in zip(parts[1::2], parts[2::2], strict=True)}
