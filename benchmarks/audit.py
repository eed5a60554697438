"""How fast the audit trail is verified, beside bare SHA-256 over the same bytes: `python -m benchmarks.audit`."""

import argparse
import asyncio
import hashlib
import json
import secrets
import shutil
import tempfile
import time
import uuid
from pathlib import Path

from pydantic import JsonValue

from benchmarks.costs import cluster_in
from benchmarks.measuring import Row
from benchmarks.report import machine, show
from contracts.event import Event
from engine.audit import checkpoints
from engine.audit.audit import Subject, append
from engine.audit.evidence import Evidence
from engine.audit.signing import audit_signer
from engine.audit.verify import verify
from engine.store import vault
from engine.store.database import Database
from engine.store.migrate import migrate
from engine.store.scope import of_tenant

_OF_A_CASE = 25


async def measure(dsn: str, home: Path, *, records: int, repeats: int) -> list[Row]:
    """Rows of the best of `repeats`, each of them with its floor taken right behind it."""
    await migrate(dsn)
    vault.install(secrets.token_bytes(32))
    database = Database(dsn, size=4)
    await database.open()
    try:
        written_s = await _fill(database, records)
        signer = audit_signer("", (), home)
        while True:
            async with database.transaction() as conn:
                if await checkpoints.take(conn, signer) is None:
                    break
        rounds = [await _round(database, Evidence(signer.ring)) for _ in range(repeats)]
    finally:
        await database.close()
    verify_s, floor_s, count = min(rounds)
    return [
        {
            "records": count,
            "written_per_s": round(count / written_s),
            "verified_per_s": round(count / verify_s),
            "floor_per_s": round(count / floor_s),
            "of_the_floor": round(floor_s / verify_s, 3),
            "wanted_per_s": 50_000,
            "met": count / verify_s >= 50_000,
        }
    ]


async def _round(database: Database, evidence: Evidence) -> tuple[float, float, int]:
    async with database.snapshot() as conn:
        began = time.perf_counter()
        found = await verify(conn, evidence=evidence)
        verify_s = time.perf_counter() - began
        rows = await (await conn.execute("SELECT prev, canon FROM audit_record", binary=True)).fetchall()
    if not found.intact:
        raise RuntimeError(f"the trail is broken: {found.findings[0]}")
    texts = [row["prev"] + row["canon"] for row in rows]
    began = time.perf_counter()
    for text in texts:
        hashlib.sha256(text).digest()
    return verify_s, time.perf_counter() - began, found.records


async def _fill(database: Database, records: int) -> float:
    """Cases of 25 records with sealed payloads, as the billing dispute leaves them; how long it took."""
    began = time.perf_counter()
    for _ in range(records // _OF_A_CASE):
        async with database.transaction() as conn:
            case = Subject(str(uuid.uuid4()), str(uuid.uuid4()), "agent:billing_dispute")
            for number in range(_OF_A_CASE):
                await append(conn, case, Event.CALL_FINISHED, _data(number))
    return time.perf_counter() - began


def _data(number: int) -> dict[str, JsonValue]:
    return {"call_key": uuid.uuid4().hex, "attempt": number, "result": {"text": "x" * 350}, "state": "done"}


def main() -> None:
    """Measure on a Postgres of its own, and tell."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--records", type=int, default=100_000, help="how many are verified")
    parser.add_argument("--repeats", type=int, default=3, help="how often; the best counts")
    parser.add_argument("--json", action="store_true", help="output for programs")
    asked = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="gatehouse-bench-"))
    folder.chmod(0o755)
    with cluster_in(folder / "home") as cluster:
        dsn = cluster.database("audit")
        with of_tenant("default"):
            rows = asyncio.run(measure(dsn, cluster.home, records=asked.records, repeats=asked.repeats))
    shutil.rmtree(folder, ignore_errors=True)
    if asked.json:
        print(json.dumps({"audit": rows, "machine": machine()}, indent=2))
    else:
        show({"verifying the audit trail": rows}, machine())


if __name__ == "__main__":
    main()
