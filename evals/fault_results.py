"""Accepted faults at stages: what each came to, and the version of workflow, prompts and cases it was found with."""

import hashlib
import json
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path

import rfc8785
from pydantic import BaseModel, ConfigDict, ValidationError

from contracts.errors import ConfigurationError
from engine.catalog.workflow import Workflow
from evals.case_files import CaseFolder
from evals.fault_matrix import Found
from evals.faulting import Borne, cells_of
from evals.sources import sources_of


class AcceptedFaults(BaseModel):
    """One file."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    of: str
    """SHA-256 over the workflow without its routes, its prompts, and the cases that carried the faults."""
    cells: tuple[Found, ...]

    def lacks(self, workflow: Workflow, folders: Sequence[CaseFolder]) -> str:
        """Why they say nothing about the workflow as it is now; empty where they do."""
        if self.of != _mark(workflow, folders, {cell.case for cell in self.cells}):
            return "it has changed since its faults were accepted"
        needed = {(cell.stage, cell.of, cell.name, cell.kind) for cell in cells_of(workflow, ())}
        if missing := sorted(needed - {(cell.stage, cell.of, cell.name, cell.fault) for cell in self.cells}):
            stage, _, name, fault = missing[0]
            return f"{len(missing)} of {len(needed)} faults were not tried, as {fault} of {name} at {stage}"
        broken = [cell for cell in self.cells if not cell.borne]
        return f"{len(broken)} of {len(needed)} faults are not borne" if broken else ""


def file_of(evals: Path, workflow: str) -> Path:
    return evals / "baselines" / f"{workflow}.faults.json"


def read_accepted_faults(file: Path) -> AcceptedFaults | None:
    """None where none were accepted. Raises `ConfigurationError` for a file that holds something else."""
    if not file.exists():
        return None
    try:
        return AcceptedFaults.model_validate_json(file.read_bytes())
    except ValidationError as error:
        hint = "Write it anew: gatehouse eval faults --accept"
        raise ConfigurationError(f"{file.name} holds no accepted faults.", hint=hint) from error


def accept_faults(file: Path, workflow: Workflow, folders: Sequence[CaseFolder], done: Iterable[Borne]) -> None:
    """Keep what came of each fault, one a line, so that `git diff` reads well."""
    cells = [one.as_json() for one in done]
    mark = _mark(workflow, folders, {str(cell["case"]) for cell in cells})
    lines = ",\n".join(f"  {json.dumps(cell, ensure_ascii=False)}" for cell in cells)
    file.write_text(f'{{\n "of": "{mark}",\n "cells": [\n{lines}\n ]\n}}\n', encoding="utf-8")


def _mark(workflow: Workflow, folders: Iterable[CaseFolder], carriers: Collection[str]) -> str:
    sources = sources_of(workflow, folders)
    cases = {name: sha256 for name, sha256 in sources.cases.items() if name in carriers}
    return hashlib.sha256(rfc8785.dumps([sources.rest, dict(sources.prompts), cases])).hexdigest()
