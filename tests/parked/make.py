"""Writes the cases that this release leaves waiting into `tests/parked/<version>/`: `python -m tests.parked.make`."""

import asyncio
import json
import shutil
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path

from engine.store import embedded
from tests.conftest import empty_database
from tests.parked.cases import CASES, RELEASES, Parked, bench_for
from tests.parked.dump import dump


async def park(case: Parked, dsn: str, home: Path) -> str:
    """Bring the case to where it waits; returns its thread."""
    async with bench_for(case, dsn, home) as bench:
        run = await bench.played(case.input)
        if run.stands_at != (case.waits_at,):
            raise AssertionError(f"the case stands at {run.stands_at}, not at {case.waits_at!r}")
        for person in case.approved_by:
            await bench.approve(run, by=person)
        return run.thread_id


def main() -> None:
    """Write every case of the installed version; those of other versions are left alone."""
    folder = RELEASES / version("gatehouse")
    home = Path(tempfile.mkdtemp(prefix="gatehouse-parked-"))
    home.chmod(0o755)  # as root, the server runs as a user that has to get in
    try:
        server = embedded.start(home, notify=lambda _: None)
        folder.mkdir(exist_ok=True)
        for name, case in CASES.items():
            with empty_database(server.dsn) as dsn:
                dumped = dump(dsn, asyncio.run(park(case, dsn, home / name)))
            (folder / f"{name}.json").write_text(json.dumps(dumped, indent=1) + "\n")
            sys.stdout.write(f"{folder.name}/{name}.json\n")
    finally:
        embedded.stop(home)
        shutil.rmtree(home, ignore_errors=True)


if __name__ == "__main__":
    main()
