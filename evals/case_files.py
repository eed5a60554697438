"""Finds cases on disk and reads them: `cases/<workflow>/<name>/`, and there `case.yaml` and traffic of the case."""

import json
from collections.abc import Collection
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import TypeAdapter, ValidationError

from contracts.errors import ConfigurationError, InvalidEvalFile
from engine.models.recording import Recording
from evals.case import Case
from evals.tool_traffic import Answered

CASE, CALLS, TOOLS = "case.yaml", "calls.jsonl", "tools.jsonl"


@dataclass(frozen=True)
class CaseFolder:
    """One case as it lies on disk."""

    workflow: str
    name: str
    folder: Path
    case: Case
    recordings: tuple[Recording, ...]
    answered: tuple[Answered, ...] | None = None
    """What outside systems have answered; None: worlds answer."""

    @property
    def calls_file(self) -> Path:
        return self.folder / CALLS

    @property
    def files(self) -> list[Path]:
        """All that the case consists of."""
        return [file for name in (CASE, CALLS, TOOLS) if (file := self.folder / name).exists()]


def read_cases(root: Path, workflow: str, only: Collection[str] = ()) -> list[CaseFolder]:
    """The workflow's cases by name, or those named in `only`.

    Raises `InvalidEvalFile` naming file and field, `ConfigurationError` for one that is missing.
    """
    folders = sorted(path for path in (root / workflow).glob("*") if path.is_dir())
    if missing := sorted(set(only) - {path.name for path in folders}):
        raise ConfigurationError(
            f"The workflow {workflow!r} has no case {missing[0]!r}.",
            hint=f"Cases are the folders in {root.name}/{workflow}.",
        )
    return [read_case(path, workflow) for path in folders if not only or path.name in only]


def read_case(folder: Path, workflow: str) -> CaseFolder:
    """One case. Raises `InvalidEvalFile` naming the file and the field."""
    where = f"{workflow}/{folder.name}"
    case = _case(_text(folder / CASE, where), f"{where}/{CASE}")
    recordings = _lines(_text(folder / CALLS, where), f"{where}/{CALLS}", Recording)
    answered = None
    if (folder / TOOLS).exists():
        answered = _lines(_text(folder / TOOLS, where), f"{where}/{TOOLS}", Answered)
    return CaseFolder(workflow, folder.name, folder, case, recordings, answered)


def _text(file: Path, where: str) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except OSError as error:
        raise InvalidEvalFile(f"{where} has no readable {file.name}: {error.strerror}.") from error
    except UnicodeDecodeError as error:
        raise InvalidEvalFile(f"{where}/{file.name} is no text: {error.reason} at byte {error.start}.") from error


def _case(text: str, where: str) -> Case:
    try:
        return Case.model_validate(yaml.safe_load(text))
    except yaml.YAMLError as error:
        raise InvalidEvalFile(f"{where} is not YAML: {error}") from error
    except ValidationError as error:
        raise InvalidEvalFile(_listed(where, error)) from error


_Line = TypeVar("_Line", Recording, Answered)
_READS: dict[type, TypeAdapter[Any]] = {of: TypeAdapter(of) for of in (Recording, Answered)}
_AGAIN = "Bring it back from version control, or record the case again."
_CALLED: dict[type, str] = {Recording: "A recording", Answered: "An answer of a tool"}


def _lines(text: str, where: str, of: type[_Line]) -> tuple[_Line, ...]:
    return tuple(_line(line, f"{where}:{number}", of) for number, line in enumerate(text.splitlines(), start=1))


def _line(line: str, where: str, of: type[_Line]) -> _Line:
    try:
        found = json.loads(line)
    except ValueError as error:
        raise InvalidEvalFile(f"{where} is not JSON: {error}.", hint=_AGAIN) from error
    known = {field.name for field in fields(of)}
    if isinstance(found, dict) and (unknown := [name for name in found if name not in known]):
        raise InvalidEvalFile(f"{where}: {unknown[0]}: {_CALLED[of]} has no such field.", hint=_AGAIN)
    try:
        read: _Line = _READS[of].validate_python(found)
    except ValidationError as error:
        raise InvalidEvalFile(_listed(where, error), hint=_AGAIN) from error
    return read


def _listed(where: str, error: ValidationError) -> str:
    """Every problem with its field, on lines of their own."""
    problems = error.errors(include_url=False, include_input=False)
    return "\n".join(f"{where}: {'.'.join(map(str, e['loc'])) or 'the file'}: {e['msg']}" for e in problems)
