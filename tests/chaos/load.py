"""Callers who keep a number of runs under way, and go on when the server or its database is away."""

import asyncio
import contextlib
import uuid
from dataclasses import dataclass, field

import httpx
import psycopg

from tests.chaos.rig import Rig

_OPEN = "SELECT count(*) FROM run WHERE status IN ('pending', 'running')"
_PAUSE_S = 0.2


@dataclass
class Load:
    """Submits cases of `effects` effects each until `runs` are accepted, with about `at_a_time` of them open."""

    rig: Rig
    runs: int
    effects: int = 4
    at_a_time: int = 32
    accepted: set[str] = field(default_factory=set)
    """Ids of runs that the server said it accepted."""

    async def submit(self, stop: asyncio.Event) -> None:
        """Until everything is accepted or `stop` is set."""
        headers = {"x-api-key": self.rig.people.ada}
        async with httpx.AsyncClient(base_url=self.rig.url, headers=headers, timeout=10) as http:
            while not stop.is_set() and len(self.accepted) < self.runs:
                missing = min(self.at_a_time - await asyncio.to_thread(self.open_runs), self.runs - len(self.accepted))
                await asyncio.gather(*(self._submit_one(http) for _ in range(missing)))
                await asyncio.sleep(_PAUSE_S)

    def open_runs(self) -> int:
        """Runs that have not ended; as many as there may be while nobody can tell."""
        with contextlib.suppress(psycopg.OperationalError), self.rig.connect() as conn:
            row = conn.execute(_OPEN).fetchone()
            return int(str(row[0])) if row else 0
        return self.at_a_time

    async def _submit_one(self, http: httpx.AsyncClient) -> None:
        # A case whose answer is lost may have been accepted: it is never sent again under the same name.
        value = {"case": uuid.uuid4().hex, "effects": self.effects}
        with contextlib.suppress(httpx.TransportError):
            thread = await http.post("/threads", json={})
            if thread.is_success:
                path = f"/threads/{thread.json()['thread_id']}/runs"
                run = await http.post(path, json={"assistant_id": "counting", "input": value})
                if run.is_success:
                    self.accepted.add(run.json()["run_id"])
