"""Webhooks at the doors: refused where they may not go, seen and sent again by operators alone."""

import json
import uuid
from typing import Any

import httpx
import pytest
from typer.testing import CliRunner

from cli import app
from tests.conftest import People, Site


async def ask(url: str, key: str, method: str, path: str, body: Any = None) -> tuple[int, Any]:
    async with httpx.AsyncClient(base_url=url, headers={"x-api-key": key}, timeout=30) as http:
        reply = await http.request(method, path, json=body)
    return reply.status_code, reply.json()


@pytest.mark.parametrize(
    "target", ["http://127.0.0.1:2024/x", "http://[::1]/", "http://169.254.169.254/latest", "ftp://example.org/", "x"]
)
@pytest.mark.parametrize("path", ["/runs", "/runs/wait"])
async def test_a_webhook_to_somewhere_inside_is_refused_and_nothing_is_begun(
    trial_url: str, trial_people: People, target: str, path: str
) -> None:
    _, thread = await ask(trial_url, trial_people.ada, "POST", "/threads", {})
    runs = f"/threads/{thread['thread_id']}/runs"
    body = {"assistant_id": "three_stages", "input": {"text": "a"}, "webhook": target}

    status, problem = await ask(trial_url, trial_people.ada, "POST", runs + path.removeprefix("/runs"), body)
    _, begun = await ask(trial_url, trial_people.ada, "GET", runs)

    assert (status, problem["code"], begun) == (422, "webhook_refused", [])


@pytest.mark.parametrize(("who", "expected"), [("ada", 403), ("fin", 403), ("olu", 200)])
async def test_operators_alone_see_what_became_of_webhooks(
    trial_url: str, trial_people: People, who: str, expected: int
) -> None:
    key = getattr(trial_people, who)

    seen, _ = await ask(trial_url, key, "GET", "/webhooks?status=all")
    again, _ = await ask(trial_url, key, "POST", f"/webhooks/{uuid.uuid4()}/retry")

    assert (seen, again) == (expected, 404 if expected == 200 else 403)


async def test_webhooks_by_command(
    trial_url: str, trial_site: Site, trial_people: People, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in trial_site.environment(GATEHOUSE_URL=trial_url, GATEHOUSE_API_KEY=trial_people.olu).items():
        monkeypatch.setenv(name, value)

    listed = CliRunner().invoke(app, ["webhooks", "list", "--status", "all", "--json"])
    retried = CliRunner().invoke(app, ["webhooks", "retry", str(uuid.uuid4())])
    shown = [CliRunner().invoke(app, ["webhooks", "secret"]).stdout for _ in range(2)]

    assert (listed.exit_code, retried.exit_code) == (0, 2)
    assert isinstance(json.loads(listed.stdout), list)
    assert shown[0].startswith("whsec_")
    assert shown[0] == shown[1]
