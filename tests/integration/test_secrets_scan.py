"""Whole cases whose credentials everything outside repeats: none lies anywhere afterwards, a planted one is found."""

import asyncio
import json
import logging
import secrets
from collections.abc import AsyncIterator, Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from cli import app
from engine.credentials.redactor import KNOWN, Redactor
from engine.operations.secrets_scan import Hit, Searched, scan
from engine.store.seal import SealedSerializer
from engine.traces.logs import JsonLines
from tests.conftest import SEAL_KEY, TRIALS, Site, fresh_database
from tests.engines import TENANT, Bench, bench_on
from tests.stubs.served import served

KEY = bytes.fromhex(SEAL_KEY)


class _Talkative(BaseHTTPRequestHandler):
    """Repeats the credential that it is sent: in a reply, in a refusal, in a header, in what is no JSON."""

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
        said = self.headers["authorization"]
        status, body = 200, {"case": f"{asked['case']} {said}", "number": asked["number"], "times": 1}
        if "refused" in asked["case"]:
            status, body = 403, {"error": f"{said} may not do that"}
        if "broken" in asked["case"]:
            status = 500
        self.send_response(status)
        self.send_header("x-said", said)
        self.end_headers()
        self.wfile.write(json.dumps(body).encode() if "garbled" not in asked["case"] else said.encode())

    def log_message(self, *args: Any) -> None:
        pass


@pytest.fixture
def talkative() -> Iterator[str]:
    with served(_Talkative) as url:
        yield url


@pytest.fixture
def canary(monkeypatch: pytest.MonkeyPatch) -> str:
    token = f"canary-{secrets.token_urlsafe(24)}"
    monkeypatch.setenv("SHOP_TOKEN", token)
    return token


@pytest.fixture
async def bench(postgres: str, folder: Path, talkative: str, canary: str) -> AsyncIterator[Bench]:
    with fresh_database(postgres) as dsn:
        site = Site(dsn, folder / "bench", folder / "unused", TRIALS, {"counter": talkative})
        async with bench_on(site, system_tokens={"counter": "secret://env/SHOP_TOKEN"}) as bench:
            yield bench


@pytest.fixture
def log(folder: Path) -> Iterator[Path]:
    """What is logged meanwhile, as a server writes it."""
    path, root = folder / f"{secrets.token_hex(4)}.log", logging.getLogger()
    lines = logging.FileHandler(path)
    lines.setFormatter(JsonLines(()))
    root.addHandler(lines)
    yield path
    root.removeHandler(lines)
    lines.close()


async def hits_of(bench: Bench, canary: str, *files: Path) -> tuple[Hit, ...]:
    async with bench.engine.database.transaction() as conn:
        return (await scan(conn, Searched({"the token": canary}), KEY, files)).hits


async def cases_played(bench: Bench, canary: str) -> list[str | None]:
    """Cases in which everything outside repeats the token, and one whose stage raises it."""
    ledgers = [bench_for(bench, "ledger") for _ in CASES]
    ends = [await one.played({"case": case}) for one, case in zip(ledgers, CASES, strict=True)]
    failed = await bench_for(bench, "fails").played({"message": f"it said {canary}"})
    logging.getLogger("gatehouse.tests").error("it said %s", canary, exc_info=ValueError(canary))
    return [run.status for run in (*ends, failed)]


CASES = ("fine", "refused", "garbled")


def bench_for(bench: Bench, workflow: str) -> Bench:
    return Bench(bench.engine, bench.wake_ups, bench.worlds, workflow)


async def test_no_secret_lies_anywhere_after_whole_cases(bench: Bench, canary: str, log: Path) -> None:
    statuses = await cases_played(bench, canary)
    stored = await bench.rows("SELECT result ->> 'case' AS said FROM effect WHERE tool = 'counter.add'")

    assert statuses[-1] == "error"
    assert "fine Bearer [token]" in {row["said"] for row in stored}, "the reply was kept, but for what it repeated"
    assert "[secret]" in await asyncio.to_thread(log.read_text)
    assert await hits_of(bench, canary, log) == ()


@pytest.mark.controls
async def test_without_the_redactor_the_secret_lies_in_many_places(
    bench: Bench, canary: str, log: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("engine.gateway.transport._without_tokens", lambda reply: reply.content)
    for name in ("exact", "text", "prose", "exact_bytes", "in_place"):
        monkeypatch.setattr(Redactor, name, lambda self, text: text)
    await cases_played(bench, canary)
    monkeypatch.undo()

    found = {hit.where for hit in await hits_of(bench, canary, log)}

    assert {"effect.result", "effect.error", "audit_record.payload", "checkpoint_blobs.blob", str(log)} <= found


PLACES = {
    "thread.metadata": "UPDATE thread SET metadata = jsonb_build_object('a', %(canary)s::text)",
    "effect.note": "UPDATE effect SET note = %(canary)s",
    "effect.result": "UPDATE effect SET result = jsonb_build_object('a', jsonb_build_array(%(canary)s::text))",
    "run.error": "UPDATE run SET error = jsonb_build_object('detail', 'x' || %(canary)s::text || 'y')",
    "checkpoint_blobs.blob": "UPDATE checkpoint_blobs SET blob = %(sealed)s, type = %(type)s WHERE type <> 'empty'",
    "webhook.last_error": """
        INSERT INTO webhook (id, run_id, thread_id, tenant, url, payload, last_error)
        SELECT gen_random_uuid(), id, thread_id, tenant, 'http://x', '{}', %(canary)s FROM run LIMIT 1""",
}


async def found_after(bench: Bench, statement: str, planted: dict[str, Any]) -> set[str]:
    """Where the canary is found in a database that is as it was afterwards."""
    async with bench.engine.database.reading() as conn, conn.transaction(force_rollback=True):
        await conn.execute(statement, planted)  # type: ignore[arg-type]  # text of a test
        return {hit.where for hit in (await scan(conn, Searched({"c": planted["canary"]}), KEY, ())).hits}


async def test_a_planted_canary_is_found_wherever_it_lies(bench: Bench, folder: Path) -> None:
    run = await bench_for(bench, "ledger").played({"case": "fine"})
    canary = f"planted-{secrets.token_urlsafe(24)}"
    kind, sealed = SealedSerializer(KEY, tenant=TENANT, thread_id=run.thread_id).dumps_typed({"said": canary})
    path = folder / "export.json"
    path.write_bytes(b"x" * 999_990 + canary.encode() + b"y" * 10)

    planted = {"canary": canary, "sealed": sealed, "type": kind}
    found = {place: await found_after(bench, statement, planted) for place, statement in PLACES.items()}

    assert found == {place: {place} for place in PLACES}
    assert {hit.where for hit in await hits_of(bench, canary, path)} == {str(path)}


def test_the_command_tells_where_and_never_what(
    postgres: str, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    canary, key = f"canary-{secrets.token_urlsafe(24)}", "gh" + "p_" + "a1" * 18
    (tmp_path / "log").write_text(f"one line\nand {canary} and {key}\n")
    (tmp_path / "canaries").write_text(f"{canary}\nshort\n")
    with fresh_database(postgres) as dsn:
        for name, value in Site(dsn, folder / "site", folder / "unused").environment().items():
            monkeypatch.setenv(name, value)
        CliRunner().invoke(app, ["migrate"])
        words = ["audit", "secrets-scan", "--also", str(tmp_path / "canaries")]
        clean, found = (CliRunner().invoke(app, [*words, *more]) for more in ([], ["--file", str(tmp_path / "log")]))
        told = json.loads(CliRunner().invoke(app, [*words, "--file", str(tmp_path / "log"), "--json"]).stdout)

    assert (clean.exit_code, found.exit_code) == (0, 1), clean.output
    assert canary not in found.output + str(told)
    assert [hit["what"] for hit in told["hits"]] == ["canaries line 1", "GitHub token"]
    assert told["weak"] == ["canaries line 2"]
    assert canary not in KNOWN.secrets
