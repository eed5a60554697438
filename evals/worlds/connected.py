"""Worlds as the systems that a gateway calls: over HTTP, and over no network."""

import httpx

from engine.gateway.systems import Systems
from evals.worlds.sandbox import Worlds


def systems_of(worlds: Worlds) -> Systems:
    """A client for each world. Close it before the worlds."""
    systems = Systems({}, {})
    for name, app in worlds.items():
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        # No proxy from the environment: nothing of an eval goes over a network.
        systems.use(name, httpx.AsyncClient(transport=transport, base_url=f"http://{name}", trust_env=False))
    return systems
