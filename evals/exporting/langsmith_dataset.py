"""Puts examples into a new dataset of LangSmith: they are all that is sent. No trace, nothing of the environment."""

import json
from collections.abc import Sequence
from typing import Any

import requests
from langsmith import Client
from langsmith.schemas import ExampleCreate
from langsmith.utils import LangSmithError
from urllib3 import Retry

from contracts.errors import ConfigurationError, ExportFailed
from evals.exporting.examples import Example

_TIMEOUT_MS = (2_000, 10_000)
_INFO = {"instance_flags": {"dataset_examples_multipart_enabled": True}}
"""What the endpoint can do: asked for, it would be one more request."""
_FAILURES = (LangSmithError, requests.RequestException, ValueError, LookupError)
"""What its client raises, also over an answer that is none."""


def upload(url: str, key: str, dataset: str, examples: Sequence[Example]) -> int:
    """How many were taken. Raises `ExportFailed`, and `ConfigurationError` for a dataset that is there already."""
    client = Client(
        url, api_key=key, info=_INFO, timeout_ms=_TIMEOUT_MS, retry_config=Retry(total=0), auto_batch_tracing=False
    )
    made: list[ExampleCreate | dict[str, Any]] = [
        {"id": one.id, "inputs": one.inputs, "reference_outputs": one.outputs, "metadata": one.metadata}
        for one in examples
    ]
    try:
        _require_new(client, dataset)
        taken = client.create_examples(dataset_id=_created(client, dataset), examples=made)
    except _FAILURES as error:
        # Without its text: it may quote what was sent, and the answer of whoever is there.
        raise ExportFailed(
            f"LangSmith did not take the dataset {dataset!r}: {type(error).__name__}.",
            hint="Check GATEHOUSE_LANGSMITH_URL and its key. A part of it may be there: take another name next time.",
        ) from error
    finally:
        client.close()
    return int(dict(taken)["count"])


def _require_new(client: Client, dataset: str) -> None:
    found = client.request_with_retries("GET", "/datasets", params={"name": dataset})
    if found.json():
        raise ConfigurationError(
            f"LangSmith has a dataset {dataset!r} already, and nothing is written over it.",
            hint="Give this one another name: --dataset NAME.",
        )


def _created(client: Client, dataset: str) -> str:
    """The id of the new dataset. The client's own way would add what it finds out about this machine."""
    said = json.dumps({"name": dataset, "data_type": "kv", "description": "Cases of Gatehouse's evals."})
    headers = {"Content-Type": "application/json"}
    answer = client.request_with_retries("POST", "/datasets", request_kwargs={"data": said, "headers": headers})
    return str(answer.json()["id"])
