"""How notices look where they go, and routes that cannot be: hostile text stays text, and no address is shown."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from contracts.approval import JsonObject
from contracts.errors import ConfigurationError
from engine.notifications.routes import Route
from engine.notifications.shapes import Address, plain
from engine.settings import read_settings

SLACK = "https://hooks.example.com/services/T0/B0/s3cr3t"
HOSTILE = "<!channel> <https://evil.example|click>\r\nBcc: all@x\u202egnp.exe & <script>alert(1)</script>\x00\u2028*b*"


def notice(summary: str = "Pay 250 EUR back", **more: str) -> JsonObject:
    data: JsonObject = {
        "event": "requested",
        "request_id": "r-1",
        "summary": summary,
        "queue": "refunds",
        "role": "finance",
        "due_at": "2026-11-02T09:30:00.000+00:00",
        "expires_at": None,
        "url": "/approvals/r-1",
        **more,
    }
    return {"type": "approval.requested", "timestamp": "2026-11-02T09:00:00.000+00:00", "data": data}


def sent(shape: str, summary: str = "Pay 250 EUR back", base: str = "https://gate.example/") -> dict[str, Any]:
    to = ["fin@example.com"] if shape == "email" else []
    route = Route.model_validate({"name": "x", "url": SLACK, "shape": shape, "to": to})
    return Address(route).body(notice(summary), base)


def strings(value: object) -> list[str]:
    if isinstance(value, dict):
        return [text for each in value.values() for text in strings(each)]
    if isinstance(value, list):
        return [text for each in value for text in strings(each)]
    return [value] if isinstance(value, str) else []


def test_slack_gets_blocks_with_one_button_that_opens_and_nothing_that_acts() -> None:
    body = sent("slack")

    buttons = [element for block in body["blocks"] if block["type"] == "actions" for element in block["elements"]]
    assert [(button["type"], button["url"]) for button in buttons] == [("button", "https://gate.example/approvals/r-1")]
    assert {*buttons[0]} == {"type", "text", "url"}, "nothing that Slack would send back"
    assert body["text"] == "A decision is wanted: Pay 250 EUR back"
    assert "*For*\nfinance" in strings(body)


def test_slack_reads_nothing_into_a_hostile_summary() -> None:
    body = sent("slack", HOSTILE)

    read = [body["text"], *(field["text"] for block in body["blocks"] for field in block.get("fields", []))]
    assert not any(re.search(r"<[!@#h]", text) for text in read)
    assert "&lt;!channel&gt;" in body["text"]
    shown = next(block["text"] for block in body["blocks"] if block["type"] == "section" and "text" in block)
    assert (shown["type"], shown["emoji"]) == ("plain_text", False)
    assert body["unfurl_links"] is False


def test_a_mail_keeps_a_hostile_summary_in_its_place() -> None:
    body = sent("email", HOSTILE)

    assert {*body} == {"to", "subject", "text", "html"}
    assert "\n" not in body["subject"]
    assert "\r" not in body["subject"]
    assert "Bcc: all@x" in body["text"].splitlines()[2], "on the line of the summary, not one of its own"
    assert "<script>" not in body["html"]
    assert "&lt;script&gt;" in body["html"]
    assert body["to"] == ["fin@example.com"]


@pytest.mark.parametrize("shape", ["json", "slack", "email"])
def test_nothing_that_hides_or_turns_text_is_sent(shape: str) -> None:
    signs = "".join(strings(sent(shape, HOSTILE + "\u2066\u200b\u061c\ufeff")))

    assert not re.search("[\x00\r\u2028\u202e\u2066\u200b\u061c\ufeff]", signs)


def test_plain_text_is_one_short_line() -> None:
    assert plain("a\n\tb\u202ec") == "a b c"
    assert len(plain("x" * 500)) == 200


@pytest.mark.parametrize("shape", ["slack", "email"])
def test_without_a_public_address_there_is_no_link(shape: str) -> None:
    assert "/approvals/r-1" not in json.dumps(sent(shape, base=""))


@pytest.mark.parametrize(
    ("route", "says"),
    [
        ({"url": "ftp://x/s3cr3t"}, "no absolute address"),
        ({"url": "https://me:s3cr3t@x/"}, "no absolute address"),
        ({"url": "https://x:s3cr3t/"}, "no absolute address"),
        ({"url": SLACK, "shape": "pager"}, "shape"),
        ({"url": SLACK, "events": ["paid"]}, "events.0"),
        ({"url": SLACK, "shape": "email"}, "whom it goes to"),
        ({"url": SLACK, "to": ["a@b.example"]}, "no other does"),
        ({"url": SLACK, "shape": "email", "to": ["a@b.example\r\nBcc: c@d.example"]}, "no address of a mailbox"),
        ({"url": SLACK, "shape": "email", "to": ["a@b.example, c@d.example"]}, "no address of a mailbox"),
        ({"url": SLACK, "secret": "s3cr3t"}, "secret"),
        ({}, "url"),
    ],
)
def test_a_route_that_cannot_be_is_named_and_its_address_is_not(
    route: dict[str, Any], says: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GATEHOUSE_NOTIFY", json.dumps([{"name": "night-shift"} | route]))

    with pytest.raises(ConfigurationError, match="route 'night-shift'") as refused:
        read_settings()

    assert says in refused.value.detail
    assert "s3cr3t" not in str(refused.value) + repr(refused.value.__cause__)


def test_routes_share_no_name_and_their_addresses_are_secrets() -> None:
    one = {"name": "a", "url": SLACK}
    with pytest.raises(ConfigurationError, match="'a' stands there twice"):
        read_settings(notify=[one, one])

    settings = read_settings(notify=[one])

    assert SLACK in settings.secrets().values()
    assert SLACK not in repr(settings)


def test_routes_can_stand_in_a_file_of_secrets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "GATEHOUSE_NOTIFY").write_text(json.dumps([{"name": "a", "url": SLACK}]))
    monkeypatch.setenv("GATEHOUSE_SECRETS_DIR", str(tmp_path))

    assert [route.name for route in read_settings().notify or ()] == ["a"]
