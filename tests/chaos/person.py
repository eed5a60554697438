"""The person to whom unknown outcomes go: reads what is listed, looks in the outside system, says what happened."""

from dataclasses import dataclass
from typing import Any

import httpx

from tests.chaos.rig import Rig

_UNKNOWN = "SELECT call_key FROM effect WHERE state = 'unknown'"


@dataclass(frozen=True)
class Doubts:
    """Effects of unknown outcome when everything had come to rest."""

    happened: int
    """How many turned out to have happened."""
    did_not: int
    hidden: list[str]
    """Keys of those that nobody was shown."""


def find_out(rig: Rig) -> Doubts:
    """Settle every effect that is listed as unknown by what the outside system has counted."""
    with rig.connect() as conn:
        unknown = {str(row[0]) for row in conn.execute(_UNKNOWN).fetchall()}
    counted, happened = rig.outside.counted(), 0
    with httpx.Client(base_url=rig.url, headers={"x-api-key": rig.people.olu}, timeout=30) as http:
        listed = _listed(http)
        for effect in listed:
            times = counted[effect["args"]["case"], effect["args"]["number"]]
            happened += bool(times)
            result = {"outcome": "happened", "result": {**effect["args"], "times": times}}
            found = result if times else {"outcome": "did_not_happen"}
            http.post(f"/effects/{effect['key']}/resolve", json=found).raise_for_status()
    return Doubts(happened, len(listed) - happened, sorted(unknown - {effect["key"] for effect in listed}))


def _listed(http: httpx.Client) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    while True:
        page = http.get("/effects", params={"state": "unknown", "limit": 500, "offset": len(found)})
        found += page.raise_for_status().json()
        if len(page.json()) < 500:
            return found
