"""A case as an example of a dataset: what goes in, what has to come of it, what it is. Masked."""

import json
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import JsonValue

from contracts.approval import JsonObject
from contracts.errors import ConfigurationError
from evals.case_files import CaseFolder
from evals.recording.masking import REDACTION, masked

_OURS = uuid.uuid5(uuid.NAMESPACE_URL, "gatehouse:evals")


@dataclass(frozen=True)
class Example:
    """One case. Its id follows from its name and the dataset's, so that the same case is the same example."""

    id: uuid.UUID
    inputs: JsonObject
    outputs: JsonObject
    metadata: JsonObject

    def as_json(self) -> JsonObject:
        """A line of a dataset in LangSmith's JSON lines."""
        return {"id": str(self.id), "inputs": self.inputs, "outputs": self.outputs, "metadata": self.metadata}


def examples_of(folders: Sequence[CaseFolder], dataset: str) -> list[Example]:
    """The cases as examples, without secrets, card numbers and IBANs. What models replied stays here."""
    return [_example(folder, dataset) for folder in folders]


def write_lines(file: Path, lines: Sequence[JsonObject]) -> None:
    """One JSON object a line. Raises `ConfigurationError` for a place that cannot be written."""
    text = "".join(f"{json.dumps(line, ensure_ascii=False, sort_keys=True)}\n" for line in lines)
    write_text(file, text)


def write_text(file: Path, text: str) -> None:
    """Raises `ConfigurationError` for a place that cannot be written."""
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
    except OSError as error:
        raise ConfigurationError(f"{file.name} cannot be written: {error.strerror}.") from error


def _example(folder: CaseFolder, dataset: str) -> Example:
    case = folder.case
    inputs = case.model_dump(mode="json", include={"input", "context", "requester", "opened_on"}, exclude_defaults=True)
    answers: list[JsonValue] = [answer.model_dump(mode="json", exclude_defaults=True) for answer in case.answers]
    outputs = case.expect.model_dump(mode="json", exclude_defaults=True)
    about: JsonObject = {"case": folder.name, "workflow": folder.workflow, "title": case.title, "kind": case.kind}
    about |= {"words_from": case.words_from, "redaction": REDACTION}
    return Example(
        id=uuid.uuid5(_OURS, f"{dataset}/{folder.workflow}/{folder.name}"),
        inputs=masked({"workflow": folder.workflow, **inputs, "answers": answers}),
        outputs=masked(outputs),
        metadata=masked(about),
    )
