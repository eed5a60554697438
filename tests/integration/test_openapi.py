"""The OpenAPI document says what the server does: Schemathesis sends what fits it and what does not, as every caller.

For a longer run raise `EXAMPLES`, give `st run` another seed, or let its coverage phase also send what does not fit:
`--mode negative` takes two minutes a caller and has found nothing but numbers that are taken for booleans.
"""

import os
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import httpx
import pytest

from tests.conftest import ROOT, People

EXAMPLES = 1
LEFT_OUT = ("/threads/{thread_id}/stream", "/threads/{thread_id}/stream/events", "/health/ready", "/switches")
"""Streams that end when the reader leaves, what says 503 on a busy machine, and what would stop this tenant."""
CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
    "unsupported_method",
    "ignored_auth",
)


@pytest.mark.parametrize("who", ["nobody", "ada", "fin", "olu"])
def test_every_route_answers_as_the_document_says(trial_url: str, trial_people: People, who: str) -> None:
    key = [] if who == "nobody" else ["--header", f"x-api-key: {getattr(trial_people, who)}"]

    told = schemathesis(trial_url, *key, "--phases", "fuzzing", "--max-examples", str(EXAMPLES), checks=CHECKS)

    assert told.returncode == 0, told.stdout[-6000:] + told.stderr[-2000:]


def test_every_route_takes_each_value_that_the_document_allows(trial_url: str, trial_people: People) -> None:
    key = ["--header", f"x-api-key: {trial_people.olu}", "--generation-with-security-parameters", "false"]
    checks = ("positive_data_acceptance", *CHECKS[:5])

    told = schemathesis(trial_url, *key, "--phases", "coverage", "--mode", "positive", checks=checks)

    assert told.returncode == 0, told.stdout[-6000:] + told.stderr[-2000:]


def schemathesis(url: str, *how: str, checks: Sequence[str]) -> subprocess.CompletedProcess[str]:
    always = ["--seed", "1", "--request-timeout", "10", "--no-shrink", "--generation-database", "none"]
    left_out = [word for path in LEFT_OUT for word in ("--exclude-path", path)]
    command = [str(Path(sys.executable).with_name("st")), "--config-file", "tests/schemathesis.toml", "run"]
    return subprocess.run(
        [*command, f"{url}/openapi.json", *always, "--warnings", "off", "--checks", ",".join(checks), *left_out, *how],
        cwd=ROOT,
        env=dict(os.environ) | {"SCHEMATHESIS_HOOKS": "tests.openapi_hooks", "NO_COLOR": "1"},
        capture_output=True,
        text=True,
        timeout=120,
    )


async def test_every_route_that_knows_its_caller_says_so(trial_url: str) -> None:
    async with httpx.AsyncClient(base_url=trial_url) as client:
        document = (await client.get("/openapi.json")).json()
    operations = [(path, operation) for path, methods in document["paths"].items() for operation in methods.values()]

    unknown = {path for path, operation in operations if "security" not in operation}
    silent = {path for path, operation in operations if "security" in operation and not _refusals(operation) >= {401}}

    open_to_all = {"/.well-known/jwks.json", "/health/live", "/health/ready", "/info", "/metrics", "/ok"}
    assert unknown == open_to_all | {"/inbound/{workflow}", "/hooks/{sender_id}"}
    assert silent == set()
    assert all(_refusals(operation) >= {503} for _, operation in operations)


async def test_the_page_of_the_document_is_made_of_what_this_server_has(trial_url: str) -> None:
    async with httpx.AsyncClient(base_url=trial_url) as client:
        page = (await client.get("/docs")).text
        needed = re.findall(r"""(?:src|href)="([^"]+)"|url: '([^']+)'""", page)
        answers = [await client.get(link or document) for link, document in needed]

    assert len(answers) == 4, page
    assert [answer.status_code for answer in answers] == [200] * 4
    assert {answer.url.host for answer in answers} == {httpx.URL(trial_url).host}


async def test_every_route_says_in_its_heading_what_it_is_for(trial_url: str) -> None:
    async with httpx.AsyncClient(base_url=trial_url) as client:
        document = (await client.get("/openapi.json")).json()

    headings = [operation["summary"] for methods in document["paths"].values() for operation in methods.values()]

    assert [heading for heading in headings if not heading.endswith(".")] == []


def _refusals(operation: dict[str, dict[str, dict[str, object]]]) -> set[int]:
    """Statuses that are answered with problems."""
    answers = operation["responses"]
    return {int(status) for status, said in answers.items() if "application/problem+json" in said.get("content", {})}  # type: ignore[operator]
