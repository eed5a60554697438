"""Where a webhook may go: http and https to public addresses, and to what the operator allows. Checked twice."""

import asyncio
import ipaddress
import socket
from collections.abc import Iterable
from dataclasses import dataclass

import httpx

from contracts.errors import ConfigurationError, WebhookRefused

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

_LOOK_UP_S = 3.0
_LONGEST_URL = 2048
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True)
class Targets:
    """What is allowed beside public addresses: names of hosts, and networks."""

    hosts: frozenset[str] = frozenset()
    networks: tuple[Network, ...] = ()

    @classmethod
    def of(cls, allowed: Iterable[str]) -> "Targets":
        """From names, addresses and networks (`10.0.0.0/8`). Raises `ConfigurationError` for what is none of these."""
        hosts: set[str] = set()
        networks: list[Network] = []
        for item in allowed:
            try:
                networks.append(ipaddress.ip_network(item.strip("[]")))
            except ValueError as error:
                if "/" in item or not item:
                    raise ConfigurationError(f"GATEHOUSE_WEBHOOK_ALLOW: {item!r} is no host and no network.") from error
                hosts.add(_name(item))
        return cls(frozenset(hosts), tuple(networks))

    async def require_allowed(self, url: str) -> None:
        """Raises `WebhookRefused` for a URL to which nothing would be sent."""
        parsed = parse(url)
        await self.addresses(parsed.host, parsed.port or _PORTS[parsed.scheme])

    async def addresses(self, host: str, port: int) -> list[str]:
        """The addresses of a host. Raises `WebhookRefused` unless each of them is allowed."""
        try:
            async with asyncio.timeout(_LOOK_UP_S):
                found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError, TimeoutError) as error:
            raise WebhookRefused(f"The webhook's host {host!r} cannot be found.") from error
        addresses = [*dict.fromkeys(str(entry[4][0]) for entry in found)]
        if _name(host) not in self.hosts:
            for address in addresses:
                self.require_address(address, host)
        return addresses

    def require_address(self, address: str, host: str) -> None:
        """Raises `WebhookRefused` unless the address is public, or the operator allows it or the host by name."""
        means = _means(ipaddress.ip_address(address.partition("%")[0]))
        allowed = any(means in network for network in self.networks if network.version == means.version)
        if not (allowed or _name(host) in self.hosts or _is_public(means)):
            raise WebhookRefused(
                f"The webhook's host {host!r} is not on the public internet.",
                hint="An operator can allow it: GATEHOUSE_WEBHOOK_ALLOW lists hosts and networks.",
            )


def parse(url: str) -> httpx.URL:
    """An absolute http or https URL without credentials. Raises `WebhookRefused`."""
    try:
        parsed = httpx.URL(url)
    except (httpx.InvalidURL, TypeError) as error:
        raise WebhookRefused(f"The webhook is not a URL: {error}.") from error
    if parsed.scheme not in _PORTS or not parsed.host:
        raise WebhookRefused("A webhook is an absolute URL of http or https.")
    if parsed.userinfo:
        raise WebhookRefused("A webhook's URL carries no password.", hint="Check the signature instead.")
    if len(url) > _LONGEST_URL:
        raise WebhookRefused(f"A webhook's URL has at most {_LONGEST_URL} characters.")
    return parsed


def _name(host: str) -> str:
    return host.lower().rstrip(".")


def _means(address: Address) -> Address:
    """The IPv4 address inside an IPv6 one, where there is one: a tunnel or a translator would send it there."""
    if isinstance(address, ipaddress.IPv4Address):
        return address
    inside = address.ipv4_mapped or address.sixtofour or (address.teredo[1] if address.teredo else None)
    if inside is None and address in _NAT64:
        inside = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return inside or address


def _is_public(address: Address) -> bool:
    hidden = address.is_multicast or address.is_reserved or address.is_unspecified
    site = isinstance(address, ipaddress.IPv6Address) and address.is_site_local
    return address.is_global and not hidden and not site
