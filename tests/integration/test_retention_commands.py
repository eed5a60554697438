"""Retention as workers do it by themselves and as operators do it by hand."""

import asyncio
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from cli import app
from engine.runs.threads import update_thread
from engine.upkeep import janitor_of
from tests.conftest import TRIALS, Site, fresh_database
from tests.engines import Bench, bench_on
from tests.workers import workers_at

OFTEN = {"GATEHOUSE_RETENTION_EVERY_S": "0.2"}


async def ended_thread(bench: Bench) -> str:
    """A thread whose time is over."""
    trial = replace(bench, workflow="three_stages")
    run = await trial.played({"text": "a"})
    async with bench.engine.database.transaction() as conn:
        await update_thread(conn, run.thread_id, {}, 0.0001, "delete", by="key:ada")
    return run.thread_id


async def test_operators_look_first_and_then_forget(
    postgres: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with fresh_database(postgres) as dsn:
        site = Site(dsn, folder / "retention", folder / "unused", TRIALS)
        async with bench_on(site) as bench:
            thread = await ended_thread(bench)
            for name, value in site.environment().items():
                monkeypatch.setenv(name, value)

            orders = (["plan"], ["apply", "--dry-run"], ["apply"], ["plan"])
            told = [await asyncio.to_thread(retention, *words) for words in orders]

            assert [said["threads_deleted"] for said in told] == [1, 1, 1, 0]
            assert await bench.rows("SELECT 1 FROM checkpoints WHERE thread_id = %s", thread) == []


def retention(*words: str) -> dict[str, Any]:
    result = CliRunner().invoke(app, ["retention", *words, "--json"])
    assert result.exit_code == 0, result.output
    said: dict[str, Any] = json.loads(result.stdout)
    return said


@pytest.mark.slow
async def test_workers_forget_by_themselves(postgres: str, folder: Path) -> None:
    with fresh_database(postgres) as dsn:
        site = Site(dsn, folder / "forgetful", folder / "unused", TRIALS)
        async with bench_on(site) as bench:
            thread = await ended_thread(bench)
            with workers_at(site) as workers:
                workers.start(**OFTEN)
                workers.start(**OFTEN)
                await bench.until(f"SELECT 1 FROM thread WHERE id = '{thread}' AND deleted_at IS NOT NULL")

            deleted = "SELECT count(*) AS n FROM audit_record WHERE convert_from(canon, 'UTF8') LIKE %s"
            assert await bench.rows(deleted, '%"thread.deleted"%') == [{"n": 1}]


async def test_a_workers_janitor_forgets_wake_ups_too(postgres: str, folder: Path) -> None:
    with fresh_database(postgres) as dsn:
        site = Site(dsn, folder / "woken", folder / "unused", TRIALS)
        async with bench_on(site, shared=True) as bench:
            engine = bench.engine
            job = "INSERT INTO procrastinate_jobs (queue_name, task_name, status) VALUES ('runs', 'advance', 'doing')"
            await bench.rows(job)

            swept = await janitor_of(engine.settings, engine.database, engine.dispatcher).clean()

            assert (swept.jobs, await bench.rows("SELECT 1 FROM procrastinate_jobs")) == (1, [])


async def test_an_old_case_goes_by_command_and_its_bundle_says_so(
    postgres: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with fresh_database(postgres) as dsn:
        site = Site(dsn, folder / "old-cases", folder / "unused", TRIALS)
        async with bench_on(site) as bench:
            run = await replace(bench, workflow="three_stages").played({"text": "a"})
            await bench.engine.notary.note()
            await bench.rows("ALTER TABLE audit_checkpoint DISABLE TRIGGER audit_checkpoint_no_change")
            await bench.rows("UPDATE audit_checkpoint SET made_at = made_at - interval '401 days'")
            for name, value in site.environment().items():
                monkeypatch.setenv(name, value)

            orders = (["plan"], ["apply", "--dry-run"], ["apply"], ["plan"])
            told = [await asyncio.to_thread(retention, *words) for words in orders]
            verified = await asyncio.to_thread(audit, "verify", "--json")
            bundle = str(folder / "old-case.zip")
            await asyncio.to_thread(audit, "export", run.id, "-o", bundle)
            whole = await asyncio.to_thread(audit, "verify-bundle", bundle)

    assert [said["chains_sealed"] > 0 for said in told] == [True, True, True, False]
    assert told[0]["records"] == told[1]["records"] == told[2]["records"] == json.loads(verified)["pruned"] > 0
    assert "were pruned behind a seal" in whole


def audit(*words: str) -> str:
    result = CliRunner().invoke(app, ["audit", *words])
    assert result.exit_code == 0, result.output
    return result.stdout
