"""The sandbox: the outside systems as deterministic fakes, and the replies recorded for the eval cases."""

from pathlib import Path

import httpx

from evals.worlds.sandbox import open_worlds

_CASES = Path(__file__).parent.parent / "evals" / "cases"


def sandbox_clients(path: Path) -> dict[str, httpx.AsyncClient]:
    """A client for each fake system, over the SQLite file `path`; several processes may share it."""
    worlds = open_worlds(path)
    return {
        name: httpx.AsyncClient(
            transport=httpx.ASGITransport(app, raise_app_exceptions=False), base_url=f"http://{name}"
        )
        for name, app in worlds.items()
    }


def sandbox_recordings() -> list[Path]:
    """Every file of recorded replies that ships with the project."""
    return sorted(_CASES.glob("*/*/calls.jsonl"))
