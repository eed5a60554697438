"""`gatehouse demo loop` as somebody runs it: both loops end, with a summary for who takes the case up."""

import json
import os
import subprocess
import sys

from tests.conftest import ROOT, Site


def test_both_loops_are_stopped_and_handed_off(site: Site) -> None:
    command = [sys.executable, "-m", "cli", "demo", "loop", "--json"]
    environment = dict(os.environ) | {"DATABASE_URL": site.dsn}

    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60)
    told = json.loads(done.stdout)

    assert (done.returncode, told["held"]) == (0, True), done.stderr
    assert [len(loop["rounds"]) for loop in told["loops"]] == [10, 3]
    assert all("Tried: billing.list_charges" in loop["summary"] for loop in told["loops"])
