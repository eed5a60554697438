"""Datasets: named lists of cases over several workflows, in `evals/datasets/<name>.yaml`."""

from pathlib import Path
from typing import Annotated

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from contracts.errors import ConfigurationError
from evals.case_files import CaseFolder, read_cases


class Dataset(BaseModel):
    """What stands in the file."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    about: Annotated[str, Field(min_length=1, max_length=500)]
    cases: Annotated[dict[str, Annotated[list[str], Field(min_length=1)]], Field(min_length=1)]
    """Names of cases by workflow."""


def dataset_names(evals: Path) -> list[str]:
    return sorted(file.stem for file in (evals / "datasets").glob("*.yaml"))


def read_dataset(evals: Path, name: str) -> list[CaseFolder]:
    """Its cases in order. Raises `ConfigurationError` for a dataset or a case that is not there or cannot be read."""
    known = dataset_names(evals)
    if name not in known:
        raise ConfigurationError(
            f"There is no dataset {name!r}.",
            hint=f"They are files in evals/datasets. There are: {', '.join(known) or 'none'}.",
        )
    try:
        text = (evals / "datasets" / f"{name}.yaml").read_text(encoding="utf-8")
        dataset = Dataset.model_validate(yaml.safe_load(text))
    except yaml.YAMLError as error:
        raise ConfigurationError(f"datasets/{name}.yaml is not YAML: {error}") from error
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(map(str, first["loc"])) or "the file"
        raise ConfigurationError(f"datasets/{name}.yaml: {where}: {first['msg']}") from error
    return [
        folder for workflow, only in dataset.cases.items() for folder in read_cases(evals / "cases", workflow, only)
    ]
