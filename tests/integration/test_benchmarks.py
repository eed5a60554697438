"""`scripts/bench` still measures: a tiny comparison runs from end to end and names every figure that counts."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks import audit, limits
from engine.store.scope import of_tenant
from tests.conftest import ROOT, empty_database, fresh_database


@pytest.mark.slow
@pytest.mark.bench
def test_a_tiny_comparison_names_every_figure_that_counts() -> None:
    arguments = [sys.executable, "-m", "benchmarks.compare", "--quick", "--runs", "6", "--repeats", "1", "--json"]

    done = subprocess.run(arguments, cwd=ROOT, capture_output=True, text=True, timeout=150)

    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert [target["wanted"] for target in found["targets"]] == [">= 0.5", "<= 8", "<= 25", "<= 14", "<= 250"]
    assert {row["way"] for row in found["pace"]} == {"floor", "governed"}
    assert all(row["commits_a_run"] > 2 for row in found["what Postgres does"])


@pytest.mark.slow
@pytest.mark.bench
def test_what_reviewers_do_is_measured_by_itself() -> None:
    arguments = ["--only", "reviews", "--quick", "--runs", "10", "--json"]

    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.compare", *arguments], cwd=ROOT, capture_output=True, text=True, timeout=150
    )

    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert {*found} == {"machine", "reviews"}
    assert [row["waiting"] for row in found["reviews"]] == [50, 200] * 4
    assert [row["what"].split()[0] for row in found["reviews"][::2]] == ["list", "list", "claim", "decide"]


async def test_the_trail_is_filled_verified_and_compared(postgres: str, tmp_path: Path) -> None:
    with empty_database(postgres) as dsn:
        (row,) = await audit.measure(dsn, tmp_path, records=100, repeats=1)

    assert row["records"] == 100
    assert row["verified_per_s"] < row["floor_per_s"]


async def test_what_limits_cost_is_measured_beside_a_round_trip(postgres: str) -> None:
    with fresh_database(postgres) as dsn, of_tenant("b"):
        found = await limits.measure(dsn, 3)

    assert 0 < found["round_trip_us"] < found["three_caps_and_a_rate_us"]
