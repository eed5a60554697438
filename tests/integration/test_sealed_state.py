"""Checkpoints against somebody who writes to the database: what this installation did not seal is refused, not read."""

import shlex
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import ormsgpack
import pytest
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer

from contracts.errors import SealBroken
from engine.runs.model import Run
from engine.runs.threads import get_thread
from engine.store.checkpointer import FencedSaver
from engine.store.seal import SealedSerializer
from evals.worlds.sandbox import effects_of
from tests.cases import TWICE
from tests.engines import TENANT, Bench, fresh_bench

SEALED = "msgpack+gatehouse1"
CONSTRUCTOR_OF_ONE_ARGUMENT = 0
"""LangGraph's msgpack extension: module, name, argument."""


@pytest.fixture(scope="module")
async def bench(postgres: str, folder: Path) -> AsyncIterator[Bench]:
    async with fresh_bench(postgres, folder) as bench:
        yield bench


async def put(bench: Bench, run: Run, kind: str, blob: bytes, *, channel: str = "proposal") -> None:
    """Replace every stored value of a channel of the run's thread."""
    query = "UPDATE checkpoint_blobs SET type = %s, blob = %s WHERE thread_id = %s AND channel = %s RETURNING 1"
    assert await bench.rows(query, kind, blob, run.thread_id, channel)


async def stored(bench: Bench, run: Run, *, channel: str = "proposal") -> tuple[str, bytes]:
    """The newest stored value of a channel of the run's thread."""
    query = (
        "SELECT type, blob FROM checkpoint_blobs WHERE thread_id = %s AND channel = %s ORDER BY version DESC LIMIT 1"
    )
    (row,) = await bench.rows(query, run.thread_id, channel)
    return row["type"], bytes(row["blob"])


async def approved_case(bench: Bench) -> tuple[Run, str]:
    """The leg that will pay, accepted and not begun, and the account that it is to pay to."""
    run, request = await bench.parked_case()
    return await bench.approve(run), str(request.args["account_id"])


async def require_refused(bench: Bench, leg: Run, account: str) -> None:
    """Reading says that the seal is broken, carrying the run on ends it so, and nobody was asked to pay."""
    with pytest.raises(SealBroken):
        await bench.state(leg)
    await bench.go_on()
    ended = await bench.again(leg)
    assert (ended.status, ended.outcome, (ended.error or {})["error"]) == ("error", "failed_safe", "seal_broken")
    asked = [r.body["account_id"] for r in effects_of(bench.worlds).requests if r.operation == "billing.issue_refund"]
    assert account not in asked


def running(command: str) -> bytes:
    """A msgpack value that LangGraph's default serializer builds by running `command`."""
    call = ormsgpack.packb(("os", "system", command))
    return ormsgpack.packb(ormsgpack.Ext(CONSTRUCTOR_OF_ONE_ARGUMENT, call))


def test_the_crafted_value_runs_a_command_where_nothing_is_sealed(tmp_path: Path) -> None:
    marker = tmp_path / "ran"
    permissive = JsonPlusSerializer(allowed_msgpack_modules=True)

    permissive.loads_typed(("msgpack", running(f"touch {shlex.quote(str(marker))}")))

    assert marker.exists()


@pytest.mark.parametrize("kind", ["msgpack", SEALED, "json", "pickle", "gatehouse1"])
async def test_a_crafted_value_runs_nothing_and_ends_the_run(bench: Bench, tmp_path: Path, kind: str) -> None:
    leg, account = await approved_case(bench)
    marker = tmp_path / "ran"
    await put(bench, leg, kind, running(f"touch {shlex.quote(str(marker))}"))

    await require_refused(bench, leg, account)

    assert not marker.exists()


class Crafted:
    """Packed by LangGraph's serializer as a call of `os.system`."""

    def __init__(self, command: str) -> None:
        self._command = command

    def get_secret_value(self) -> str:
        return self._command


Crafted.__module__, Crafted.__name__ = "os", "system"


def test_a_crafted_value_runs_nothing_even_under_the_right_seal(tmp_path: Path) -> None:
    marker = tmp_path / "ran"
    command = f"touch {shlex.quote(str(marker))}"
    serde = SealedSerializer(bytes(32), tenant=TENANT, thread_id="T")

    value = serde.loads_typed(serde.dumps_typed(Crafted(command)))

    assert JsonPlusSerializer().dumps_typed(Crafted(command)) == ("msgpack", running(command))
    assert not marker.exists()
    assert value == command


async def test_a_value_that_waits_to_be_written_must_be_sealed_too(bench: Bench, tmp_path: Path) -> None:
    leg, account = await approved_case(bench)
    marker = tmp_path / "ran"
    crafted = running(f"touch {shlex.quote(str(marker))}")
    query = "UPDATE checkpoint_writes SET type = 'msgpack', blob = %s WHERE thread_id = %s RETURNING 1"
    assert await bench.rows(query, crafted, leg.thread_id)

    await require_refused(bench, leg, account)

    assert not marker.exists()


async def test_a_value_in_clear_is_refused(bench: Bench) -> None:
    leg, account = await approved_case(bench)
    forged = JsonPlusSerializer().dumps_typed((await bench.state(leg))["proposal"])

    await put(bench, leg, *forged)

    await require_refused(bench, leg, account)


@pytest.mark.parametrize("at", [0, 12, -1], ids=["nonce", "text", "tag"])
async def test_an_altered_value_is_refused(bench: Bench, at: int) -> None:
    leg, account = await approved_case(bench)
    kind, blob = await stored(bench, leg)
    altered = bytearray(blob)
    altered[at] ^= 1

    await put(bench, leg, kind, bytes(altered))

    await require_refused(bench, leg, account)


@pytest.mark.parametrize("length", [0, 5, 12, 27, 40])
async def test_a_value_that_was_cut_off_is_refused(bench: Bench, length: int) -> None:
    leg, account = await approved_case(bench)
    kind, blob = await stored(bench, leg)

    await put(bench, leg, kind, blob[:length])

    await require_refused(bench, leg, account)


@pytest.mark.parametrize("kind", ["bytes+gatehouse1", "json+gatehouse1", "null+gatehouse1"])
async def test_a_value_read_as_another_kind_is_refused(bench: Bench, kind: str) -> None:
    leg, account = await approved_case(bench)
    _, blob = await stored(bench, leg)

    await put(bench, leg, kind, blob)

    await require_refused(bench, leg, account)


async def test_a_value_of_another_thread_is_refused(bench: Bench) -> None:
    other, _ = await approved_case(bench)
    leg, account = await approved_case(bench)

    await put(bench, leg, *await stored(bench, other))

    await require_refused(bench, leg, account)


async def test_a_value_of_another_tenant_is_refused(bench: Bench) -> None:
    leg, account = await approved_case(bench)
    key = bench.engine.states.seal_key
    foreign = SealedSerializer(key, tenant="other", thread_id=leg.thread_id)

    await put(bench, leg, *foreign.dumps_typed((await bench.state(leg))["proposal"]))

    await require_refused(bench, leg, account)


async def test_a_value_under_another_key_is_refused(bench: Bench) -> None:
    leg, account = await approved_case(bench)
    foreign = SealedSerializer(bytes(32), tenant=TENANT, thread_id=leg.thread_id)

    await put(bench, leg, *foreign.dumps_typed((await bench.state(leg))["proposal"]))

    await require_refused(bench, leg, account)


@pytest.mark.parametrize("channel", ["complaint", "outcome", "branch:to:pay_refund", "unheard_of"])
async def test_a_value_put_in_clear_into_the_checkpoint_itself_is_refused(bench: Bench, channel: str) -> None:
    leg, account = await approved_case(bench)
    query = """UPDATE checkpoints SET checkpoint = jsonb_set(checkpoint, ARRAY['channel_values', %s], '"forged"')
               WHERE thread_id = %s RETURNING 1"""
    assert await bench.rows(query, channel, leg.thread_id)

    await require_refused(bench, leg, account)


@pytest.mark.parametrize("change", ["SET type = 'empty'", "SET version = version || 'x'"], ids=["empty", "lost"])
async def test_a_value_that_was_taken_away_pays_nothing(bench: Bench, change: str) -> None:
    leg, account = await approved_case(bench)
    query = f"UPDATE checkpoint_blobs {change} WHERE thread_id = %s AND channel = 'proposal' RETURNING 1"
    assert await bench.rows(query, leg.thread_id)

    await bench.go_on()

    ended = await bench.again(leg)
    assert (ended.status, ended.outcome) == ("error", "failed_safe")
    assert bench.refunds(account) == []


async def test_an_old_state_is_not_read_past_its_seal(bench: Bench) -> None:
    leg, _ = await approved_case(bench)
    async with bench.engine.database.transaction() as conn:
        thread = await get_thread(conn, leg.thread_id, tenant=TENANT)
    await put(bench, leg, *JsonPlusSerializer().dumps_typed(TWICE), channel="complaint")

    with pytest.raises(SealBroken):
        [state async for state in bench.engine.states.history(thread, limit=50)]


async def test_no_value_of_a_state_stands_readable_in_the_database(bench: Bench) -> None:
    leg, account = await approved_case(bench)
    await bench.go_on()

    text = ""
    for table in ("checkpoints", "checkpoint_blobs", "checkpoint_writes"):
        rows = await bench.rows(f"SELECT * FROM {table} WHERE thread_id = %s", leg.thread_id)
        text += "".join(readable(value) for row in rows for value in row.values())

    secret = [value for value in {TWICE, account, *leaves(await bench.state(leg))} if len(str(value)) > 6]
    assert len(secret) > 30
    assert leg.thread_id in text
    assert [value for value in secret if str(value) in text and str(value) not in names(bench)] == []


def readable(value: Any) -> str:
    return bytes(value).decode("latin-1") if isinstance(value, (bytes, memoryview)) else str(value)


def names(bench: Bench) -> str:
    """Names of stages and channels stand in clear: they are the workflow's, not the case's."""
    graph = bench.engine.catalog[bench.workflow].graph
    return " ".join([*graph.nodes, *graph.channels])


def leaves(value: Any) -> Iterator[Any]:
    """Everything in a JSON value that is not a list or an object, keys left out."""
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        for item in value:
            yield from leaves(item)
    else:
        yield value


async def test_a_loaded_state_holds_nothing_but_json(bench: Bench) -> None:
    leg, _ = await approved_case(bench)
    await bench.go_on()

    state = await bench.state(leg)

    assert state["outcome"] == "completed"
    assert {type(value) for value in leaves(state)} <= {str, int, float, bool, type(None)}


async def test_a_reader_cannot_write(bench: Bench) -> None:
    leg, _ = await approved_case(bench)
    serde = SealedSerializer(bench.engine.states.seal_key, tenant=TENANT, thread_id=leg.thread_id)
    reader = FencedSaver(bench.engine.database, serde)
    graph = bench.engine.catalog[leg.workflow].graph.copy({"checkpointer": reader})

    with pytest.raises(RuntimeError, match="opened for reading"):
        await graph.aupdate_state({"configurable": {"thread_id": leg.thread_id}}, {"complaint": "another"})
