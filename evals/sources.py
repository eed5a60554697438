"""What a baseline was accepted with: the words of each prompt, a digest of the rest of the workflow, and of each case.

By it a run finds the cases that something has changed for, and shows how a prompt has changed.
"""

import difflib
import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

import rfc8785
from pydantic import TypeAdapter, ValidationError

from contracts.errors import ConfigurationError
from engine.catalog.prompt import Prompt
from engine.catalog.workflow import Workflow
from evals.case_files import CaseFolder

_DEPLOYED = {"prompts", "routes"}
"""Members of a manifest that say nothing of a case: prompts count one by one, and no model is asked."""


@dataclass(frozen=True)
class Sources:
    """Of one workflow."""

    prompts: Mapping[str, str] = field(default_factory=dict)
    """The system text of each, with its limits."""
    rest: str = ""
    """SHA-256 of the manifest without its prompts."""
    cases: Mapping[str, str] = field(default_factory=dict)
    """SHA-256 of the files of each case."""


_SOURCES: TypeAdapter[Sources] = TypeAdapter(Sources)


def file_beside(baseline: Path) -> Path:
    """Where the sources of a baseline stand."""
    return baseline.with_suffix(".sources.json")


def sources_of(workflow: Workflow, folders: Iterable[CaseFolder]) -> Sources:
    """As they are now."""
    rest = {name: value for name, value in workflow.manifest.items() if name not in _DEPLOYED}
    return Sources(
        prompts={name: _text(prompt) for name, prompt in workflow.prompts.items()},
        rest=hashlib.sha256(rfc8785.dumps(rest)).hexdigest(),
        cases={folder.name: _files(folder) for folder in folders},
    )


def read_sources(file: Path) -> Sources | None:
    """None where a baseline was accepted before there were any. Raises `ConfigurationError` for what are none."""
    if not file.exists():
        return None
    try:
        return _SOURCES.validate_json(file.read_bytes())
    except ValidationError as error:
        hint = "Write it anew: gatehouse eval run --accept."
        raise ConfigurationError(f"{file.name} does not say what a baseline was accepted with.", hint=hint) from error


def write_sources(file: Path, sources: Sources) -> None:
    """One line for each, in one order, so that `git diff` reads well."""
    said = json.dumps(asdict(sources), indent=1, sort_keys=True, ensure_ascii=False)
    file.write_text(said + "\n", encoding="utf-8")


def changed(accepted: Sources | None, now: Sources, folders: Iterable[CaseFolder]) -> list[CaseFolder]:
    """The cases for which something is not as it was accepted: their files, the workflow, a prompt that they ask."""
    if accepted is None or accepted.rest != now.rest:
        return list(folders)
    prompts = {name for name in now.prompts if accepted.prompts.get(name) != now.prompts[name]}
    return [
        folder
        for folder in folders
        if accepted.cases.get(folder.name) != now.cases[folder.name]
        or prompts & {recording.stage for recording in folder.recordings}
    ]


def prompt_diff(accepted: Sources | None, now: Prompt) -> list[str]:
    """How the prompt differs from the accepted one, line by line; empty where it does not or nobody knows."""
    before = accepted.prompts.get(now.name) if accepted else None
    if before is None:
        return []
    lines = difflib.unified_diff(before.splitlines(), _text(now).splitlines(), n=0, lineterm="")
    return [line for line in lines if not line.startswith(("---", "+++", "@@"))]


def _text(prompt: Prompt) -> str:
    return f"model: {prompt.alias}, max_tokens: {prompt.max_tokens}\n{prompt.system}"


def _files(folder: CaseFolder) -> str:
    found = hashlib.sha256()
    for file in folder.files:
        found.update(file.read_bytes())
    return found.hexdigest()
