"""Who may look across tenants stands in one list: a request and a run never do, and each other use has its reason."""

import ast
from collections import Counter

from tests.house.tree import ROOT

ACROSS = {
    "api/door.py": 1,  # whether anybody has a key
    "api/system.py": 1,  # whether the database answers
    "commands/audit.py": 1,  # the chains of all tenants are verified
    "commands/exporting.py": 1,  # a checkpoint is over the chains of all
    "commands/inside.py": 1,  # as at the door
    "commands/keys.py": 2,  # whoever may open the database manages everybody's keys
    "commands/scanning.py": 1,  # secrets are looked for in everything that is stored
    "engine/access/attempts.py": 1,  # who is not let in is nobody's
    "engine/access/entrance.py": 1,  # a key is looked up before it is known whose it is
    "engine/audit/notary.py": 1,  # checkpoints are over the chains of all
    "engine/audit/sealing.py": 2,  # chains of all tenants end at their time
    "engine/gateway/outbox.py": 2,  # calls that are due, and those that nobody can send
    "engine/operations/gauges.py": 1,  # figures of the whole installation
    "engine/operations/watchman.py": 1,  # which tenant's workflows fail or cost too much
    "engine/operations/readiness.py": 1,  # whether the schema is ours
    "engine/store/database.py": 1,  # the settings of a pooler
    "engine/webhooks/delivery.py": 1,  # webhooks that are due
    "engine/wiring.py": 1,  # cases of all tenants go on under the versions that are loaded
    "engine/worker/advance.py": 1,  # a wake-up names a run and not its tenant
    "engine/worker/canaries.py": 1,  # each tenant's share of canaries
    "engine/worker/inbound.py": 1,  # a sender is looked up before it is known whose it is
    "engine/worker/janitor.py": 3,  # what retention looks for
    "engine/worker/ticks.py": 1,  # schedules that are due
    "engine/worker/worker.py": 3,  # the sweeper: lost runs, requests that are due, queues that have room again
    "server.py": 1,  # whether anybody has a key
}
"""How often a file enters `across_tenants`."""
ROOMS = ("api", "commands", "engine", "evals", "nodes", "tools", "guards", "graphs", "server.py", "cli.py")


def _files() -> list[str]:
    paths = [
        path for room in ROOMS for path in ([ROOT / room] if room.endswith(".py") else (ROOT / room).rglob("*.py"))
    ]
    return sorted(str(path.relative_to(ROOT)) for path in paths)


def _entered(file: str) -> int:
    calls = [node for node in ast.walk(ast.parse((ROOT / file).read_text())) if isinstance(node, ast.Call)]
    return sum(isinstance(call.func, ast.Name) and call.func.id == "across_tenants" for call in calls)


def test_whoever_looks_across_tenants_stands_in_the_list() -> None:
    found = Counter({file: _entered(file) for file in _files()})

    assert dict(+found) == ACROSS, "name the reason in the list, or work for one tenant: engine/store/scope.py"


def test_only_the_store_sets_for_whom_a_transaction_works() -> None:
    named = [file for file in _files() if "gatehouse.tenant" in (ROOT / file).read_text()]
    queries = [path for path in (ROOT / "engine").rglob("queries.sql") if "gatehouse." in path.read_text()]

    assert (named, queries) == (["engine/store/scope.py"], [])


def test_only_the_store_opens_connections() -> None:
    """One that is opened beside the pool is the owner's, who sees everything, unless it asks to be the application."""
    words = ("AsyncConnection.connect", "psycopg.connect", "psycopg_pool", "PsycopgConnector")
    opens = {file for file in _files() for word in words if word in (ROOT / file).read_text()}
    theirs = {file for file in opens if "as_application(" not in (ROOT / file).read_text()}

    assert theirs == {"engine/store/embedded.py", "engine/store/migrate.py", "engine/store/pool.py"}
