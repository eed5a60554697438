"""Where webhooks may go: nothing inside, however it is written, unless an operator allows it."""

from typing import Any

import pytest

from contracts.errors import ConfigurationError, WebhookRefused
from engine.webhooks.targets import Targets

INSIDE = [
    "127.0.0.1",
    "127.8.8.8",
    "10.1.2.3",
    "172.16.0.1",
    "192.168.1.1",
    "169.254.169.254",
    "100.64.0.1",
    "0.0.0.0",
    "224.0.0.1",
    "255.255.255.255",
    "240.0.0.1",
    "192.0.2.1",
    "198.18.0.1",
    "::1",
    "::",
    "fe80::1",
    "fe80::1%eth0",
    "fc00::1",
    "fd12:3456::1",
    "fec0::1",
    "ff02::1",
    "2001:db8::1",
    "::ffff:127.0.0.1",
    "::ffff:10.0.0.1",
    "2002:7f00:1::",
    "64:ff9b::7f00:1",
    "64:ff9b::a9fe:a9fe",
    "64:ff9b:1::1",
    "2001:0:4136:e378:8000:63bf:3fff:fdd2",
]
OUTSIDE = ["93.184.215.14", "1.1.1.1", "2606:4700:4700::1111", "64:ff9b::101:101"]


@pytest.mark.parametrize("address", INSIDE)
def test_an_address_inside_is_refused(address: str) -> None:
    with pytest.raises(WebhookRefused, match="not on the public internet"):
        Targets().require_address(address, "hooks.example.org")


@pytest.mark.parametrize("address", OUTSIDE)
def test_a_public_address_is_allowed(address: str) -> None:
    Targets().require_address(address, "hooks.example.org")


@pytest.mark.parametrize(
    "url",
    [
        "",
        "hooks",
        "/path",
        "ftp://example.org/",
        "file:///etc/passwd",
        "javascript:alert(1)",
        "http://",
        "http:///path",
        "https://user:secret@example.org/",
        "https://example.org:99999/",
        "https://exa mple.org/",
        "https://example.org/" + "x" * 2050,
        "http://127.0.0.1:2024/runs",
        "http://localhost:2024/",
        "http://LOCALHOST./",
        "http://2130706433/",
        "http://0x7f.1/",
        "http://0177.0.0.1/",
        "http://127.1/",
        "http://[::1]/",
        "http://[::ffff:127.0.0.1]/",
        "http://[::ffff:7f00:1]:80/",
        "http://does-not-exist.invalid/",
        "http://" + "a" * 300 + ".example/",
    ],
)
async def test_a_url_to_nowhere_or_inside_is_refused(url: str) -> None:
    with pytest.raises(WebhookRefused):
        await Targets.of(["10.0.0.0/8"]).require_allowed(url)


@pytest.mark.parametrize(
    ("allowed", "url"),
    [
        ("127.0.0.0/8", "http://127.0.0.1:9/x"),
        ("127.0.0.1", "http://127.0.0.1:9/x"),
        ("localhost", "http://LocalHost:9/x"),
        ("::1", "http://[::1]:9/x"),
        ("[::1]", "http://[::1]:9/x"),
        ("127.0.0.0/8", "http://[::ffff:127.0.0.1]/x"),
    ],
)
async def test_what_an_operator_allows_is_reached(allowed: str, url: str) -> None:
    await Targets.of([allowed]).require_allowed(url)


@pytest.mark.parametrize("allowed", ["", "10.0.0.0/99", "10.0.0.1/8", "a/b"])
def test_what_is_no_host_and_no_network_is_a_mistake(allowed: str) -> None:
    with pytest.raises(ConfigurationError, match="WEBHOOK_ALLOW"):
        Targets.of([allowed])


async def test_a_name_that_means_one_address_inside_among_others_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    async def found(self: Any, host: str, port: int, **_: Any) -> list[Any]:
        return [(2, 1, 6, "", (address, port)) for address in ("1.1.1.1", "10.0.0.1")]

    monkeypatch.setattr("asyncio.base_events.BaseEventLoop.getaddrinfo", found)

    with pytest.raises(WebhookRefused):
        await Targets().addresses("two-faced.example.org", 443)
