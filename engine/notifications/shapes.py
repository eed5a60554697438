"""How a notice looks where it goes: our own JSON, Slack's Block Kit, or an e-mail for a gateway. Pure."""

import html
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass

from pydantic import JsonValue

from contracts.approval import JsonObject
from contracts.errors import ConfigurationError, WebhookRefused
from engine.credentials.references import reveal
from engine.notifications.routes import Route

_LONGEST = 200
_SAID: dict[str, str] = {
    "requested": "A decision is wanted",
    "warned": "A decision is due soon",
    "breached": "A decision is overdue",
    "escalated": "A decision was escalated",
    "decided": "A request was decided",
    "expired": "A request expired, which means rejected",
    "alarm": "An alarm",
    "test": "A test message",
}
_HIDDEN = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
"""Categories of characters that break lines, turn the direction of text, or do not show at all."""


@dataclass(frozen=True)
class Address:
    """Where a route leads, and what is sent there."""

    route: Route

    @property
    def url(self) -> str:
        try:
            return reveal(self.route.url)
        except ConfigurationError as error:
            raise WebhookRefused(f"The address of route {self.route.name!r} is missing. {error.detail}") from None

    def body(self, payload: JsonObject, public_url: str) -> JsonObject:
        """The notice in the route's shape. Its link opens the request and does nothing else."""
        data = _strings(payload)
        link = f"{public_url.rstrip('/')}{data['url']}"
        match self.route.shape:
            case "json":
                shown = {"summary": data["summary"], "url": link}
                return {**payload, "data": {**_data(payload), **shown}}
            case "slack":
                return _slack(data, link)
            case "email":
                return {"to": list(self.route.to), **_mail(data, link)}


def plain(text: str) -> str:
    """One line of what shows, in the direction in which it was written, of at most 200 characters."""
    shown = "".join(" " if unicodedata.category(sign) in _HIDDEN else sign for sign in text)
    line = " ".join(shown.split())
    return line if len(line) <= _LONGEST else f"{line[: _LONGEST - 1]}…"


def _data(payload: JsonObject) -> JsonObject:
    data = payload["data"]
    return data if isinstance(data, dict) else {}


def _strings(payload: JsonObject) -> dict[str, str]:
    return {name: plain(str(value)) for name, value in _data(payload).items() if value is not None}


def _facts(data: dict[str, str]) -> Iterator[tuple[str, str]]:
    named = {
        "queue": "Queue",
        "role": "For",
        "due_at": "Due",
        "expires_at": "Expires",
        "decision": "Decision",
        "by": "By",
        "to": "To",
        "alarm": "Alarm",
        "workflow": "Workflow",
    }
    for name, label in named.items():
        if name in data and (name != "workflow" or "alarm" in data):  # of a request the queue says enough
            at = name.endswith("_at")
            yield label, f"{data[name][:16].replace('T', ' ')} UTC" if at else data[name]


def _slack(data: dict[str, str], link: str) -> JsonObject:
    said = _SAID[data["event"]]
    fields: list[JsonValue] = [_mrkdwn(f"*{label}*\n{_escaped(value)}") for label, value in _facts(data)]
    blocks: list[JsonValue] = [
        {"type": "header", "text": _plain_text(said)},
        # As plain text nothing in it is a link, a mention or a format.
        {"type": "section", "text": _plain_text(data["summary"])},
    ]
    if fields:  # Slack refuses an empty list
        blocks.append({"type": "section", "fields": fields})
    if "request_id" in data:
        blocks.append({"type": "context", "elements": [_mrkdwn(_escaped(f"Request {data['request_id']}"))]})
    if _opens(link):
        # A button with a url opens it and sends nothing back; without an interactive address there is no other.
        button: JsonObject = {"type": "button", "text": _plain_text(_opening(data)), "url": link}
        blocks.append({"type": "actions", "elements": [button]})
    text = _escaped(f"{said}: {data['summary']}")
    return {"text": text, "mrkdwn": False, "unfurl_links": False, "unfurl_media": False, "blocks": blocks}


def _opening(data: dict[str, str]) -> str:
    return "Open the request" if "request_id" in data else "Open the figures"


def _opens(link: str) -> bool:
    """Whether it leads anywhere from outside: where the server does not know its own address, it does not."""
    return link.startswith(("http://", "https://"))


def _plain_text(text: str) -> JsonObject:
    return {"type": "plain_text", "text": text, "emoji": False}


def _mrkdwn(text: str) -> JsonObject:
    return {"type": "mrkdwn", "text": text, "verbatim": True}


def _escaped(text: str) -> str:
    """The three characters that Slack reads as the beginning of something."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _mail(data: dict[str, str], link: str) -> JsonObject:
    about = [("Request", data["request_id"])] if "request_id" in data else []
    said, facts = _SAID[data["event"]], [*_facts(data), *about]
    lines = [f"{said}.", "", data["summary"], "", *(f"{label}: {value}" for label, value in facts)]
    lines += ["", link] if _opens(link) else []
    rows = "".join(f"<tr><th>{html.escape(label)}</th><td>{html.escape(value)}</td></tr>" for label, value in facts)
    paragraphs = f"<p>{html.escape(said)}.</p><p>{html.escape(data['summary'])}</p>"
    opens = f'<p><a href="{html.escape(link)}">{_opening(data)}</a></p>' if _opens(link) else ""
    return {
        "subject": plain(f"{said}: {data['summary']}"),
        "text": "\n".join(lines),
        "html": f"{paragraphs}<table>{rows}</table>{opens}",
    }
