"""What a run of cases has done so far, so that one that was interrupted goes on where it was."""

import fcntl
import hashlib
import json
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from evals.case_files import CaseFolder
from evals.run import Result

FILE = ".unfinished.jsonl"
"""Beside the cases. It is there while a run is under way, and after one that did not get to its end."""
_RESULT: TypeAdapter[Result] = TypeAdapter(Result)
_ROOMS = ("contracts", "engine", "evals")
_WEIGHTY = ("state", "kept")
"""Of an observation, what nobody reads once it is judged."""

Version = Callable[[str], str]
"""The version of a workflow by its name."""


class Kept:
    """Results of the run before, by case and turn, and where those of this one go."""

    def __init__(self, results: dict[str, Result], file: Any, mark: Callable[[CaseFolder], str]) -> None:
        self._results = results
        self._file = file
        self._mark = mark
        self.found = 0

    def take(self, folder: CaseFolder, turn: int) -> Result | None:
        """What the case did in this turn, if it did it with the same files and the same code."""
        result = self._results.get(f"{self._mark(folder)}:{turn}")
        self.found += result is not None
        return result

    def add(self, folder: CaseFolder, result: Result) -> None:
        """Keep a result at once: whoever is killed now has lost the case under way and no other."""
        if self._file is None:
            return
        said = _RESULT.dump_python(result, mode="json")
        for name in _WEIGHTY:
            del said["observation"][name]
        line = json.dumps({"mark": f"{self._mark(folder)}:{result.turn}", "result": said}, ensure_ascii=False)
        self._file.write(f"{line}\n")
        self._file.flush()


@contextmanager
def kept(evals: Path, version: Version, *, fresh: bool) -> Iterator[Kept]:
    """Results that are kept in the folder `evals` until all of this ends without an error; `fresh` forgets older ones.

    While another run goes on there, nothing is read or kept: each would take the other's for its own.
    """

    def mark(folder: CaseFolder) -> str:
        return _mark(folder, version(folder.workflow))

    path = evals / FILE
    try:
        file = path.open("a+", encoding="utf-8")
    except OSError:  # a folder that may only be read
        yield Kept({}, None, mark)
        return
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield Kept({}, None, mark)
            return
        if fresh:
            file.truncate(0)
        file.seek(0)
        yield Kept(dict(_read(file)), file, mark)
        path.unlink(missing_ok=True)


def _read(lines: Iterable[str]) -> Iterator[tuple[str, Result]]:
    for line in lines:
        try:
            said = json.loads(line)
            yield said["mark"], _RESULT.validate_python(said["result"])
        except (ValueError, KeyError, TypeError, ValidationError):
            continue  # the line under way when the run was killed, or one of another version: that case runs again


def _mark(folder: CaseFolder, version: str) -> str:
    """Changes with the case, the workflow and everything that runs and judges it."""
    own = hashlib.sha256(f"{folder.workflow}/{folder.name} {version} {_code()}".encode())
    for file in folder.files:
        own.update(file.read_bytes())
    return own.hexdigest()


@cache
def _code() -> str:
    root, found = Path(__file__).parent.parent, hashlib.sha256()
    for room in _ROOMS:
        for folder, folders, names in os.walk(root / room):
            folders[:] = sorted(name for name in folders if name not in ("__pycache__", "cases", "baselines"))
            for name in sorted(names):
                if name.endswith((".py", ".sql", ".yaml")):
                    found.update((Path(folder) / name).read_bytes())
    return found.hexdigest()
