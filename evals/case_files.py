"""Finds cases on disk and reads them: `cases/<workflow>/<name>/` with `case.yaml` and `calls.jsonl`."""

import json
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

import yaml
from pydantic import TypeAdapter, ValidationError

from contracts.errors import ConfigurationError
from engine.models.recording import Recording
from evals.case import Case

CASE, CALLS = "case.yaml", "calls.jsonl"


@dataclass(frozen=True)
class CaseFolder:
    """One case as it lies on disk."""

    workflow: str
    name: str
    folder: Path
    case: Case
    recordings: tuple[Recording, ...]

    @property
    def calls_file(self) -> Path:
        return self.folder / CALLS


def read_cases(root: Path, workflow: str, only: Collection[str] = ()) -> list[CaseFolder]:
    """The workflow's cases by name, or those named in `only`.

    Raises `ConfigurationError` naming the file and the field, or the case that is not there.
    """
    folders = sorted(path for path in (root / workflow).glob("*") if path.is_dir())
    if missing := sorted(set(only) - {path.name for path in folders}):
        raise ConfigurationError(
            f"The workflow {workflow!r} has no case {missing[0]!r}.",
            hint=f"Cases are the folders in {root.name}/{workflow}.",
        )
    return [read_case(path, workflow) for path in folders if not only or path.name in only]


def read_case(folder: Path, workflow: str) -> CaseFolder:
    """One case. Raises `ConfigurationError` naming the file and the field."""
    where = f"{workflow}/{folder.name}"
    case = _case(_text(folder / CASE, where), f"{where}/{CASE}")
    recordings = _recordings(_text(folder / CALLS, where), f"{where}/{CALLS}")
    return CaseFolder(workflow, folder.name, folder, case, recordings)


def _text(file: Path, where: str) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigurationError(f"{where} has no readable {file.name}: {error.strerror}.") from error


def _case(text: str, where: str) -> Case:
    try:
        return Case.model_validate(yaml.safe_load(text))
    except yaml.YAMLError as error:
        raise ConfigurationError(f"{where} is not YAML: {error}") from error
    except ValidationError as error:
        raise _invalid(where, error) from error


_RECORDING: TypeAdapter[Recording] = TypeAdapter(Recording)


def _recordings(text: str, where: str) -> tuple[Recording, ...]:
    return tuple(_recording(line, f"{where}:{number}") for number, line in enumerate(text.splitlines(), start=1))


def _recording(line: str, where: str) -> Recording:
    try:
        found = json.loads(line)
    except ValueError as error:
        raise ConfigurationError(f"{where} is not JSON: {error}.") from error
    known = Recording.__dataclass_fields__
    if isinstance(found, dict) and (unknown := [name for name in found if name not in known]):
        raise ConfigurationError(f"{where}: {unknown[0]}: A recording has no such field.")
    try:
        return _RECORDING.validate_python(found)
    except ValidationError as error:
        raise _invalid(where, error) from error


def _invalid(where: str, error: ValidationError) -> ConfigurationError:
    """Every problem with its field, on lines of their own."""
    problems = error.errors(include_url=False, include_input=False)
    listed = [f"{where}: {'.'.join(map(str, e['loc'])) or 'the file'}: {e['msg']}" for e in problems]
    return ConfigurationError("\n".join(listed))
