"""What deploy/ gives to servers and workers is all that they need, where nothing else can be written."""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import yaml

from commands.serving import free_port
from tests.conftest import ROOT, empty_database, wait_until_up

COMPOSE = yaml.safe_load((ROOT / "deploy" / "compose.yaml").read_text())


@pytest.fixture(scope="module")
def dsn(postgres: str) -> Iterator[str]:
    with empty_database(postgres) as address:
        yield address


@pytest.fixture
def container(tmp_path: Path, dsn: str) -> dict[str, str]:
    """The environment of a process in a container of compose.yaml, with the secrets that the script makes for it."""
    deploy = shutil.copytree(ROOT / "deploy", tmp_path / "deploy")
    subprocess.run([str(deploy / "make-secrets")], check=True, capture_output=True)
    (deploy / "secrets" / "database_url").write_text(dsn)
    mounted = tmp_path / "run" / "secrets"
    mounted.mkdir(parents=True)
    for secret in COMPOSE["x-gatehouse"]["secrets"]:
        shutil.copy(deploy / "secrets" / secret["source"], mounted / secret["target"])
    (tmp_path / "read-only").touch()
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("GATEHOUSE_", "DATABASE_"))}
    return clean | {
        "GATEHOUSE_SECRETS_DIR": str(mounted),
        "GATEHOUSE_HOME": str(tmp_path / "read-only" / "home"),
        "GATEHOUSE_REGISTRY": str(ROOT / "tests" / "registry" / "langgraph.json"),
        "GATEHOUSE_PORT": str(free_port()),
        "GATEHOUSE_METRICS_PORT": str(free_port()),
    }


@contextmanager
def _started(words: list[str], environment: dict[str, str]) -> Iterator[None]:
    process = subprocess.Popen([sys.executable, "-m", "cli", *words], cwd=ROOT, env=environment)
    try:
        yield
    finally:
        process.terminate()
        assert process.wait(timeout=30) in (0, -signal.SIGTERM)


def test_the_database_is_migrated_and_the_doctor_finds_nothing_missing(container: dict[str, str]) -> None:
    said = [
        subprocess.run(
            [sys.executable, "-m", "cli", *words], cwd=ROOT, env=container, capture_output=True, text=True, timeout=60
        )
        for words in (COMPOSE["services"]["migrate"]["command"], ["doctor"])
    ]

    assert [each.returncode for each in said] == [0, 0], said


@pytest.mark.parametrize("service", ["server", "worker"])
def test_a_service_of_compose_gets_ready_on_a_read_only_root(service: str, container: dict[str, str]) -> None:
    with _started(COMPOSE["services"][service]["command"], container):
        wait_until_up(f"http://127.0.0.1:{container['GATEHOUSE_METRICS_PORT']}", "/health/ready")
