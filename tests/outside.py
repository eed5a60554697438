"""The counter that the trial workflows reach: an HTTP server of its own; its count is in SQLite and survives kills.

`python -m tests.outside FILE PORT DELAY_MS` serves it; it knows nothing of contracts, tools or runs.
"""

import asyncio
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from commands.serving import free_port

_ROOT = Path(__file__).parent.parent
_TABLES = """
PRAGMA journal_mode = WAL;
CREATE TABLE IF NOT EXISTS counted (
    id INTEGER PRIMARY KEY, kind TEXT NOT NULL, "case" TEXT NOT NULL, number INTEGER NOT NULL, key TEXT NOT NULL
);
CREATE UNIQUE INDEX IF NOT EXISTS addition_once ON counted (key) WHERE kind = 'addition';
CREATE INDEX IF NOT EXISTS by_case ON counted ("case", number);
"""
LOST = "lost-"
"""Presses of cases whose name begins so are counted, and their answer is lost."""
_COUNT = 'INSERT OR IGNORE INTO counted (kind, "case", number, key) VALUES (?, ?, ?, ?)'
_ORDER = "SELECT \"case\", number FROM counted WHERE kind = 'order' AND key = ?"
_TIMES = 'SELECT count(*) FROM counted WHERE "case" = ? AND number = ?'


@dataclass(frozen=True)
class Outside:
    """A running counter."""

    url: str
    file: Path

    def counted(self) -> Counter[tuple[str, int]]:
        """How often each number of each case was counted."""
        with closing(sqlite3.connect(self.file, timeout=30)) as conn:
            rows = conn.execute('SELECT "case", number, count(*) FROM counted GROUP BY 1, 2').fetchall()
        return Counter({(case, number): times for case, number, times in rows})


@contextmanager
def outside_at(file: Path, *, delay_ms: int = 0) -> Iterator[Outside]:
    """A counter in a process of its own; it takes `delay_ms` to answer."""
    port = free_port()
    log = file.with_suffix(".log")
    with log.open("w") as out:
        arguments = [sys.executable, "-m", "tests.outside", str(file), str(port), str(delay_ms)]
        process = subprocess.Popen(arguments, cwd=_ROOT, stdout=out, stderr=out)
    url = f"http://127.0.0.1:{port}"
    try:
        _wait_until_up(url, log)
        yield Outside(url, file)
    finally:
        process.kill()
        process.wait(timeout=30)


def counter_app(file: Path, *, delay_ms: int = 0) -> Starlette:
    """The counter over `file`: `POST /additions` counts once for each key, `POST /presses` and
    `POST /orders` for each request; `GET /orders` looks up what was ordered under a key."""
    conn = sqlite3.connect(file, isolation_level=None, check_same_thread=False)
    conn.executescript(_TABLES)

    async def count(request: Request, kind: str) -> Response:
        # Half of the time before the effect and half after it, so that who dies meanwhile leaves either behind.
        await asyncio.sleep(delay_ms / 2000)
        order = await request.json()
        case, number, key = order["case"], order["number"], request.headers["idempotency-key"]
        conn.execute(_COUNT, (kind, case, number, key))
        (times,) = conn.execute(_TIMES, (case, number)).fetchone()
        await asyncio.sleep(delay_ms / 2000)
        return JSONResponse({"case": case, "number": number, "times": times})

    async def addition(request: Request) -> Response:
        return await count(request, "addition")

    async def press(request: Request) -> Response:
        reply = await count(request, "press")
        lost = (await request.json())["case"].startswith(LOST)
        return PlainTextResponse("lost on the way", 502) if lost else reply

    async def order(request: Request) -> Response:
        return await count(request, "order")

    async def find_order(request: Request) -> Response:
        row = conn.execute(_ORDER, (request.query_params["key"],)).fetchone()
        return JSONResponse({"case": row[0], "number": row[1], "times": 1} if row else None)

    async def ok(_: Request) -> Response:
        return PlainTextResponse("ok")

    post = ["POST"]
    return Starlette(
        routes=[
            Route("/ok", ok),
            Route("/additions", addition, methods=post),
            Route("/presses", press, methods=post),
            Route("/orders", order, methods=post),
            Route("/orders", find_order),
        ]
    )


def _wait_until_up(url: str, log: Path) -> None:
    for _ in range(200):
        try:
            if httpx.get(f"{url}/ok", timeout=2).is_success:
                return
        except httpx.TransportError:
            time.sleep(0.05)
    raise AssertionError(f"no counter answers at {url}: {log.read_text()[-2000:]}")


if __name__ == "__main__":
    served = counter_app(Path(sys.argv[1]), delay_ms=int(sys.argv[3]))
    uvicorn.run(served, host="127.0.0.1", port=int(sys.argv[2]), log_level="warning")
