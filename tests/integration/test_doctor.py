"""The doctor finds what was broken on purpose, says what to do, and changes nothing."""

import json
import socket
import threading
from collections.abc import AsyncIterator, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import psycopg
import pytest
from typer.testing import CliRunner

from cli import app
from commands.serving import free_port
from engine.access.keys import create_key
from engine.operations.doctor import machine
from engine.operations.doctor.examine import examine
from engine.operations.doctor.finding import Finding
from engine.settings import read_settings
from tests.conftest import SEAL_KEY, Site, fresh_database
from tests.engines import TENANT, Bench, bench_on


@pytest.fixture(scope="module")
def place(postgres: str, folder: Path) -> Iterator[Site]:
    with fresh_database(postgres) as dsn:
        yield Site(dsn, folder / "doctor", folder / "unused")


@pytest.fixture(scope="module")
async def bench(place: Site) -> AsyncIterator[Bench]:
    async with bench_on(place) as bench:
        await bench.parked_case()
        yield bench


async def _examined(place: Site, **settings: Any) -> dict[str, Finding]:
    given = read_settings(
        **{"DATABASE_URL": place.dsn, "home": place.home, "seal_key": SEAL_KEY, "port": free_port(), **settings}
    )
    return {finding.check: finding async for finding in examine(given, lambda _: None, tenant=TENANT)}


def _failed(found: dict[str, Finding]) -> list[str]:
    return [check for check, finding in found.items() if finding.state == "fail"]


async def test_a_healthy_installation_has_nothing_that_fails(place: Site, bench: Bench) -> None:
    found = await _examined(place)

    assert _failed(found) == []
    assert found["seal"].says == "The key opens what is stored."
    assert {"python", "disk", "port", "database", "isolation", "clocks", "schema", "waiting cases"} <= set(found)


async def test_before_the_first_start_nothing_fails_and_nothing_is_made(tmp_path: Path) -> None:
    home = tmp_path / "new"
    given = read_settings(home=home, port=free_port())

    found = {finding.check: finding async for finding in examine(given, lambda _: None, tenant=TENANT)}

    assert _failed(found) == []
    assert not home.exists()


@pytest.mark.parametrize(
    ("settings", "check", "says"),
    [
        ({"seal_key": "cd" * 32}, "seal", "does not open what is stored"),
        ({"seal_key": "short"}, "seal", "64 hexadecimal digits"),
        ({"seal_key": ""}, "seal", "there is no key here"),
        ({"host": "0.0.0.0"}, "keys", "open to others"),
        ({"DATABASE_URL": "postgresql://nobody:pa55word@127.0.0.1:9/x"}, "database", "Connection refused"),
        ({"registry": Path("pyproject.toml")}, "workflows", "cannot be read as a registry"),
        ({"queues": {"nowhere": {"capacity": 5}}}, "workflows", "names the queue 'nowhere'"),
        ({"pool_size": 5000}, "connections", "0 process(es)"),
    ],
)
async def test_a_wrong_setting_is_found(
    place: Site, bench: Bench, settings: dict[str, Any], check: str, says: str
) -> None:
    found = await _examined(place, **settings)

    assert _failed(found) == [check]
    assert says in found[check].says
    assert found[check].do
    assert "pa55word" not in str(found)


@pytest.mark.parametrize(
    ("breaking", "mending", "check"),
    [
        (
            "ALTER DATABASE {db} SET default_transaction_isolation = 'serializable'",
            "ALTER DATABASE {db} RESET default_transaction_isolation",
            "isolation",
        ),
        (
            "ALTER DATABASE {db} SET synchronous_commit = 'off'",
            "ALTER DATABASE {db} RESET synchronous_commit",
            "durability",
        ),
        (
            "INSERT INTO schema_migration (number, name, sha256) VALUES (9999, 'later', '')",
            "DELETE FROM schema_migration WHERE number = 9999",
            "schema",
        ),
        (
            "UPDATE schema_migration SET sha256 = reverse(sha256) WHERE number = 1",
            "UPDATE schema_migration SET sha256 = reverse(sha256) WHERE number = 1",
            "schema",
        ),
        (
            "UPDATE run SET stands_at = '{{renamed_since}}' WHERE status = 'interrupted'",
            "UPDATE run SET stands_at = '{{approve_refund}}' WHERE status = 'interrupted'",
            "waiting cases",
        ),
    ],
)
async def test_what_is_wrong_with_the_database_is_found(
    place: Site, bench: Bench, breaking: str, mending: str, check: str
) -> None:
    name = f'"{place.dsn.rpartition("/")[2]}"'
    with psycopg.connect(place.dsn, autocommit=True) as conn:
        conn.execute(breaking.format(db=name))
        try:
            found = await _examined(place)
        finally:
            conn.execute(mending.format(db=name))

    assert _failed(found) == [check]
    assert found[check].do


async def test_what_is_stuck_is_a_warning_with_the_command_to_look(place: Site, bench: Bench) -> None:
    run, _ = await bench.parked_case()
    await bench.approve(run)
    await bench.rows("UPDATE run SET updated_at = now() - interval '1 h' WHERE status = 'pending'")

    found = await _examined(place)
    await bench.go_on()

    assert (found["runs"].state, found["runs"].says) == ("warn", "Does not move: 1 pending.")
    assert "gatehouse runs stuck" in found["runs"].do


async def test_a_port_of_another_program_fails_and_our_own_does_not(place: Site, bench: Bench, url: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        other = await _examined(place, port=taken.getsockname()[1])
    ours = await _examined(place, port=int(url.rpartition(":")[2]))

    assert other["port"].state == "fail"
    assert (ours["port"].state, "Gatehouse listens" in ours["port"].says) == ("ok", True)


async def test_secrets_that_others_can_read_and_a_full_disk_fail(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "seal.key").write_text("ab" * 32)
    (tmp_path / "seal.key").chmod(0o644)
    monkeypatch.setattr(machine, "_FREE_FAIL", 2**60)
    monkeypatch.setattr(machine, "_FREE_WARN", 2**60)

    found = {f.check: f for f in machine.examine_machine(read_settings(home=tmp_path, port=free_port()))}

    assert (found["data folder"].state, "chmod 600" in found["data folder"].do) == ("fail", True)
    assert found["disk"].state == "fail"


async def test_a_folder_is_looked_at_where_something_is_kept_in_it(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    below = tmp_path / "file" / "home"
    given = {"DATABASE_URL": "host=db", "seal_key": "ab" * 32, "webhook_secret": "whsec_x"}

    missing = {f.check: f for f in machine.examine_machine(read_settings(home=below, port=free_port()))}
    unneeded = {f.check: f for f in machine.examine_machine(read_settings(home=below, port=free_port(), **given))}

    assert missing["data folder"].state == "fail"
    assert unneeded["data folder"].state == "ok"


class _Refusing(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(401)
        self.end_headers()

    def log_message(self, *args: object) -> None:
        pass


async def test_systems_and_models_are_asked_where_they_are_configured(place: Site, bench: Bench) -> None:
    with HTTPServer(("127.0.0.1", 0), _Refusing) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        here = f"http://127.0.0.1:{server.server_port}"
        model = {"model": "m", "model_base_url": here, "model_api_key": "model-secret"}
        found = await _examined(place, systems={"billing": here, "crm": "http://127.0.0.1:9"}, **model)
        server.shutdown()

    assert found["system billing"].state == "ok"
    assert found["system crm"].state == "warn"
    assert "mail" in found["systems"].says
    assert (found["models"].state, "refuses the key" in found["models"].says) == ("fail", True)
    assert "model-secret" not in str(found)


async def test_people_who_can_approve_are_missed(place: Site, bench: Bench) -> None:
    nobody = await _examined(place)
    async with bench.engine.database.transaction() as conn:
        await create_key(conn, "caller-only", ["caller"])
    no_reviewer = await _examined(place)

    assert "whoever is on this machine may call" in nobody["keys"].says
    assert (no_reviewer["keys"].state, "Nobody may approve" in no_reviewer["keys"].says) == ("warn", True)


def test_the_command_prints_everything_and_fails_where_something_fails(
    place: Site, bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in place.environment(GATEHOUSE_PORT=str(free_port())).items():
        monkeypatch.setenv(name, value)

    well = CliRunner().invoke(app, ["doctor"])
    monkeypatch.setenv("GATEHOUSE_SEAL_KEY", "cd" * 32)
    ill = CliRunner().invoke(app, ["doctor", "--json"])
    monkeypatch.setenv("GATEHOUSE_PORT", "a port")
    unreadable = CliRunner().invoke(app, ["doctor"])

    assert (well.exit_code, "ok    database" in well.stdout) == (0, True)
    assert ill.exit_code == 1
    assert [f["check"] for f in json.loads(ill.stdout) if f["state"] == "fail"] == ["seal"]
    assert (unreadable.exit_code, "port" in unreadable.stdout) == (1, True)
