"""What a newcomer types first: the demo, a dispute of their own, and the README's example."""

import re
import subprocess
import sys
import uuid
from pathlib import Path

import pytest

from tests.cases import refunds_of
from tests.conftest import People, Site
from tests.nursery import NURSERY

ROOT = Path(__file__).parents[2]


def gatehouse(site: Site, *words: str) -> str:
    site.home.mkdir(parents=True, exist_ok=True)
    said = site.home / f"{words[0]}-{uuid.uuid4().hex[:6]}.log"
    ended = NURSERY.start("cli", ["gatehouse", *words], site.environment(), said).wait(120)
    assert ended == 0, said.read_text()
    return said.read_text()


@pytest.mark.slow
def test_the_demo_pays_one_dispute_and_parks_the_other(site: Site, people: People) -> None:
    shown = gatehouse(site, "demo", "--yes")

    assert "EUR 68.40 were paid back to your card" in shown
    assert "It waits at the gate" in shown
    assert re.search(r"digest +[0-9a-f]{64}", shown)
    assert "EUR 1,240.00 were paid back to your card" in shown
    assert "audit verify: intact" in shown
    assert "replies written by hand" in shown


@pytest.mark.slow
def test_a_newcomers_own_words_are_a_case_too(site: Site, people: People) -> None:
    shown = gatehouse(site, "demo", "You charged me twice for the same dinner!", "--amount", "42.00")

    assert "EUR 42.00 were paid back to your card" in shown
    assert "stand-in" in shown


def test_the_readme_example_runs(url: str, site: Site, people: People) -> None:
    code = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)[0]
    code = code.replace("http://127.0.0.1:2024", url).replace("gh_…", people.ada)

    done = subprocess.run(
        [sys.executable, "-c", code + "client.close()"], cwd=ROOT, capture_output=True, text=True, timeout=60
    )

    assert done.returncode == 0, done.stderr
    assert "Refund EUR 1,240.00" in done.stdout
    assert refunds_of(site.worlds, "AC-1013") == []


def test_the_environment_does_not_end_the_shell_of_who_sources_it() -> None:
    typed = "source scripts/environment\nfalse\ncommand -v gatehouse\necho $unset_variable still here\n"

    shell = ["bash", "--noprofile", "--norc", "-i"]
    said = subprocess.run(shell, cwd=ROOT, input=typed, capture_output=True, text=True, timeout=120)

    assert "still here" in said.stdout
    assert f"{ROOT}/.venv/bin/gatehouse" in said.stdout


def test_the_environment_is_made_with_the_interpreter_that_a_shim_leads_to(tmp_path: Path) -> None:
    shim = tmp_path / "python3.11"
    shim.write_text(f'#!/bin/sh\nexec {sys.executable} "$@"\n')
    shim.chmod(0o755)
    script = 'eval "$(sed -n "/^find_python/,/^}/p" scripts/environment)"; find_python'

    found = subprocess.run(
        ["/bin/bash", "-c", script], cwd=ROOT, env={"PATH": f"{tmp_path}:/usr/bin:/bin"}, capture_output=True, text=True
    )

    # For a path that it does not know as its own interpreter's, uv makes .venv anew, under whoever runs from it.
    assert found.stdout.strip() == getattr(sys, "_base_executable", None), found.stderr
