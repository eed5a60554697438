"""What the benchmark's folder holds of its tasks, whichever domain they are of."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

from contracts.errors import ConfigurationError

Said = dict[str, Any]
"""A task as it stands in `tasks.jsonl`."""
OneTask = TypeVar("OneTask")


def tasks_in(folder: Path, read: Callable[[Said], OneTask], *, beside: Sequence[str]) -> list[OneTask]:
    """Every task of `tasks.jsonl`. Raises `ConfigurationError` naming the files that are wanted `beside` it."""
    file = folder / "tasks.jsonl"
    try:
        return [read(json.loads(line)) for line in file.read_text().splitlines()]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ConfigurationError(
            f"{file.name} in {folder.name!r} holds no tasks of this benchmark: {error!r}.",
            hint=f"Give the folder with tasks.jsonl, {', '.join(beside[:-1])} and {beside[-1]}.",
        ) from error
