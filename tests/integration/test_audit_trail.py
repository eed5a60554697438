"""The audit trail: tampering is found where it begins, every call is in it, what it must tell it tells, and no more."""

import hashlib
import json
import re
import uuid
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest

from contracts.event import Event
from engine.access.keys import Principal, authenticate, create_key
from engine.audit.audit import Link, append, chain, head, stream_of
from engine.audit.evidence import Finding
from engine.audit.explain import explain_effect
from engine.audit.offline import link_hash
from engine.audit.verify import verify
from engine.runs.model import Run
from engine.store.database import Connection
from engine.wiring import open_engine
from engine.worker.dispatchers import InlineDispatcher
from evals.worlds.faults import Fault
from evals.worlds.sandbox import open_worlds
from tests.cases import TWICE
from tests.conftest import Site, fresh_database
from tests.engines import TENANT, Bench, as_owner, fresh_bench
from tests.stubs.openai_server import Endpoint, openai_endpoint
from tests.stubs.served import served

REFUND = "billing.issue_refund"


@dataclass(frozen=True)
class Paid:
    """A bench on which finance approved one refund, the run that proposed it and the approval."""

    bench: Bench
    run: Run
    approval_id: str
    account_id: str

    @property
    def stream(self) -> str:
        return stream_of(self.run.thread_id)

    async def records(self) -> list[dict[str, Any]]:
        async with self.bench.engine.database.transaction() as conn:
            return [dict(link.record) for link in await chain(conn, self.stream)]


@pytest.fixture(scope="module")
async def paid(postgres: str, folder: Path) -> AsyncIterator[Paid]:
    """Billing pays at the first request and answers it with an error: there is a repeat to tell of."""
    async with fresh_bench(postgres, folder, {"once": Fault(REFUND, "acts_then_fails", 1)}) as bench:
        run, request = await bench.parked_case()
        await bench.approve(run, {"type": "approve", "reason": "Seen twice on the bill."})
        await bench.go_on()
        yield Paid(bench, run, request.id, str(request.args["account_id"]))


# --- tampering -----------------------------------------------------------------------------------------------------


@asynccontextmanager
async def copy_of(paid: Paid) -> AsyncIterator[Connection]:
    """The trail in the hands of a superuser; what they do to it is taken back at the end."""
    async with (
        as_owner(paid.bench.engine.database) as conn,
        conn.transaction(force_rollback=True),
    ):
        await conn.execute("SET LOCAL session_replication_role = replica")
        yield conn


async def link_at(conn: Connection, stream: str, seq: int) -> Link:
    return (await chain(conn, stream))[seq - 1]


async def edit(conn: Connection, stream: str, seq: int = 3) -> None:
    """Somebody else did it."""
    canon = (await link_at(conn, stream, seq)).canon.replace(b'"actor":"', b'"actor":"not-')
    await conn.execute("UPDATE audit_record SET canon = %s WHERE stream = %s AND seq = %s", (canon, stream, seq))


async def hash_anew(conn: Connection, stream: str, seq: int = 3) -> None:
    link = await link_at(conn, stream, seq)
    mended = link_hash(stream, seq, link.prev, link.canon)
    await conn.execute("UPDATE audit_record SET hash = %s WHERE stream = %s AND seq = %s", (mended, stream, seq))


async def edit_and_hash_anew(conn: Connection, stream: str) -> None:
    await edit(conn, stream)
    await hash_anew(conn, stream)


async def edit_the_last_and_hash_anew(conn: Connection, stream: str) -> None:
    last = len(await chain(conn, stream))
    await edit(conn, stream, last)
    await hash_anew(conn, stream, last)


async def delete(conn: Connection, stream: str) -> None:
    await conn.execute("DELETE FROM audit_record WHERE stream = %s AND seq = 3", (stream,))


async def delete_and_number_anew(conn: Connection, stream: str) -> None:
    await delete(conn, stream)
    await conn.execute("UPDATE audit_record SET seq = -seq WHERE stream = %s AND seq > 3", (stream,))
    await conn.execute("UPDATE audit_record SET seq = -seq - 1 WHERE stream = %s AND seq < 0", (stream,))


async def swap(conn: Connection, stream: str) -> None:
    """Whole records change places."""
    await conn.execute("UPDATE audit_record SET seq = -7 + seq WHERE stream = %s AND seq IN (3, 4)", (stream,))
    await conn.execute("UPDATE audit_record SET seq = -seq WHERE stream = %s AND seq < 0", (stream,))


async def swap_what_they_say(conn: Connection, stream: str) -> None:
    third, fourth = await link_at(conn, stream, 3), await link_at(conn, stream, 4)
    for seq, other in ((3, fourth), (4, third)):
        await conn.execute(
            "UPDATE audit_record SET canon = %s WHERE stream = %s AND seq = %s", (other.canon, stream, seq)
        )


async def truncate(conn: Connection, stream: str) -> None:
    await conn.execute("DELETE FROM audit_record WHERE stream = %s AND seq > 3", (stream,))


async def truncate_and_count_the_head_back(conn: Connection, stream: str) -> None:
    await truncate(conn, stream)
    await conn.execute("UPDATE audit_head SET seq = 3 WHERE stream = %s", (stream,))


async def truncate_and_put_the_head_back(conn: Connection, stream: str) -> None:
    """The head stands at the record that is last now, as it once did."""
    await truncate(conn, stream)
    kept = (await link_at(conn, stream, 3)).hash
    await conn.execute("UPDATE audit_head SET seq = 3, hash = %s WHERE stream = %s", (kept, stream))


async def delete_the_head(conn: Connection, stream: str) -> None:
    await conn.execute("DELETE FROM audit_head WHERE stream = %s", (stream,))


async def wipe(conn: Connection, stream: str) -> None:
    await conn.execute("DELETE FROM audit_record WHERE stream = %s", (stream,))


async def move_to_another_case(conn: Connection, stream: str) -> None:
    for table in ("audit_record", "audit_head"):
        await conn.execute(f"UPDATE {table} SET stream = 'case:moved' WHERE stream = %s", (stream,))


@pytest.mark.parametrize(
    ("tamper", "seq", "problem"),
    [
        (edit, 3, "its content was changed"),
        (edit_and_hash_anew, 4, "does not follow from the record before it"),
        (edit_the_last_and_hash_anew, None, "the head stands at"),
        (delete, 3, "record 3 is missing"),
        (delete_and_number_anew, 3, "does not follow from the record before it"),
        (swap, 3, "does not follow from the record before it"),
        (swap_what_they_say, 3, "its content was changed"),
        (truncate, 4, "the head stands at"),
        (truncate_and_count_the_head_back, 4, "the head stands at record 3"),
        (delete_the_head, None, "the chain has records but no head"),
        (wipe, 1, "the head stands at"),
        (move_to_another_case, 1, "its content was changed"),
    ],
)
async def test_tampering_is_found_at_the_first_bad_record(
    paid: Paid, tamper: Any, seq: int | None, problem: str
) -> None:
    after_the_last = len(await paid.records()) + 1
    stream = "case:moved" if tamper is move_to_another_case else paid.stream

    async with copy_of(paid) as conn:
        await tamper(conn, paid.stream)
        found = await verify(conn)

    (finding,) = found.findings
    assert (finding.stream, finding.seq) == (stream, seq or after_the_last)
    assert finding.problem.startswith(problem)
    assert not found.intact


async def test_a_tail_cut_off_together_with_its_head_is_found(paid: Paid) -> None:
    await paid.bench.engine.notary.note()

    async with copy_of(paid) as conn:
        await truncate_and_put_the_head_back(conn, paid.stream)
        found = await verify(conn)

    assert [finding.seq for finding in found.findings] == [4]


async def test_one_bad_chain_is_named_among_whole_ones(paid: Paid) -> None:
    await paid.bench.parked_case()

    async with copy_of(paid) as conn:
        await edit(conn, paid.stream)
        every, named = await verify(conn), await verify(conn, paid.stream)

    expected = (Finding(paid.stream, 3, "its content was changed"),)
    assert (every.findings, named.findings) == (expected, expected)
    assert (every.streams > 1, named.streams) == (True, 1)


async def test_an_untouched_trail_is_whole(paid: Paid) -> None:
    async with paid.bench.engine.database.transaction() as conn:
        found = await verify(conn)

    assert found.intact
    assert found.records >= len(await paid.records()) > 20


async def test_anybody_can_compute_the_chain_again(paid: Paid) -> None:
    async with paid.bench.engine.database.transaction() as conn:
        links, end = await chain(conn, paid.stream), await head(conn, paid.stream)

    previous = bytes(32)
    for link in links:
        text = b"\0" + paid.stream.encode() + b"\0" + link.seq.to_bytes(8, "big") + previous + link.canon
        previous = hashlib.sha256(text).digest()
    assert end == (len(links), previous)


@pytest.mark.parametrize(
    "statement",
    ["UPDATE audit_record SET canon = canon", "DELETE FROM audit_record", "TRUNCATE audit_record"],
)
async def test_the_trail_cannot_be_changed_by_a_plain_statement(paid: Paid, statement: str) -> None:
    before = await paid.records()

    with pytest.raises(psycopg.DatabaseError, match="append-only") as refused:
        await paid.bench.rows(statement)

    assert refused.value.sqlstate == "GH002"
    assert await paid.records() == before


# --- what the trail tells ------------------------------------------------------------------------------------------


async def test_the_five_questions_about_an_approved_refund_are_answered(paid: Paid) -> None:
    async with paid.bench.engine.database.transaction() as conn:
        by_approval = await explain_effect(conn, paid.approval_id, tenant=TENANT)
        by_key = await explain_effect(conn, f"approval:{paid.approval_id}", tenant=TENANT)

    assert by_key == by_approval
    assert by_key["who_asked"][0].startswith("key:ada opened the case on 20")
    assert {seen.partition(":")[0] for seen in by_key["what_the_agent_saw"]} >= {
        "crm.find_customer",
        "billing.list_charges",
        "stand-in on assess_dispute",
    }
    assert re.fullmatch(REFUND + r' \{.*"amount_cents": 25000.*\} \(attempt 1\)', by_key["which_tool"][0])
    assert re.match(r'done: \{.*"refund_id": "RF-', by_key["what_changed"][0])
    assert [said.partition(" at ")[0] for said in by_key["how_it_was_reviewed"]][1:] == ["key:fin: approve"]
    assert "require_approval by rule refund-over-limit-eur" in by_key["how_it_was_reviewed"][0]
    assert "Not possible" in by_key["how_it_is_reversed"]


def told(records: list[dict[str, Any]], event: str, **data: object) -> dict[str, Any]:
    """The data, actor included, of the only record of this kind with these values."""
    (found,) = [r for r in records if r["event"] == event and all(r["data"].get(name) == v for name, v in data.items())]
    return {**found["data"], "actor": found["actor"]}


async def test_the_eight_fields_of_an_effect_are_on_record(paid: Paid) -> None:
    records, key = await paid.records(), f"approval:{paid.approval_id}"

    opened = told(records, "run.created", kind="input")
    frozen = told(records, "action.frozen", request_id=paid.approval_id)
    thought = told(records, "model.called", prompt="assess_dispute")
    decided = told(records, "approval.decided", decided_request=paid.approval_id)
    started, finished = told(records, "call.started", call_key=key), told(records, "call.finished", call_key=key)

    assert frozen["facts"] | {"evidence": "clear", "owed_cents": 25_000} == frozen["facts"]  # input context
    assert (started["tool"], started["actor"]) == (REFUND, "agent:billing_dispute")  # selected tool
    assert started["args"] == frozen["args"]  # arguments
    assert started["args"]["account_id"] == paid.account_id
    assert json.loads(thought["reply"])["remedy"] == "refund"  # model output
    assert (opened["actor"], opened["requester"]) == ("key:ada", "key:ada")  # initiator
    assert (decided["type"], decided["by"], decided["reason"]) == ("approve", "key:fin", "Seen twice on the bill.")
    assert (finished["state"], finished["result"]["amount_cents"]) == ("done", 25_000)  # final result
    assert (started["attempt"], finished["attempt"], finished["error"]) == (1, 1, None)
    assert [failed["code"] for failed in finished["failed_tries"]] == ["tool_outcome_unknown"]  # retry history


async def test_every_attempt_of_every_call_is_begun_and_ended_once_in_the_trail(paid: Paid) -> None:
    for amount_cents in (2_500, 25_000):
        await paid.bench.open_case(amount_cents=amount_cents)
    await paid.bench.go_on()

    ledger = await paid.bench.rows("SELECT call_key, attempt, state FROM effect")
    trail = await paid.bench.rows("SELECT canon FROM audit_record")

    attempts = Counter((row["call_key"], n) for row in ledger for n in range(1, row["attempt"] + 1))
    records = [json.loads(bytes(row["canon"])) for row in trail]
    for event in ("call.started", "call.finished"):
        named = [r["data"] for r in records if r["event"] == event]
        assert Counter((data["call_key"], data["attempt"]) for data in named) == attempts
    assert {row["state"] for row in ledger} == {"done"}
    assert len(ledger) > 8


async def test_a_record_that_was_not_committed_does_not_exist(paid: Paid) -> None:
    before = await paid.records()

    async with as_owner(paid.bench.engine.database) as conn, conn.transaction(force_rollback=True):
        await append(conn, paid.run.subject(), Event.RUN_FINISHED, {"never": True})

    assert await paid.records() == before


# --- what the trail, and every other table, must not tell ----------------------------------------------------------


CUSTOMER = {
    "account_id": "AC-10000001",
    "email": "robin@example.com",
    "country": "IE",
    "segment": "personal",
    "since": "2024-01-01",
    "goodwill_granted_cents_this_year": 0,
    "currency": "EUR",
    "record_updated_on": "2026-06-01",
    "opted_in_email": True,
}


@dataclass
class Register:
    """A customer register in the outside world that says in its answers what it was sent."""

    url: str = ""
    refuses: bool = False
    authorizations: list[str] = field(default_factory=list)

    def answer(self, authorization: str) -> tuple[int, dict[str, Any]]:
        self.authorizations.append(authorization)
        if self.refuses:
            return 403, {"detail": f"no access with {authorization}"}
        return 200, {"found": CUSTOMER | {"name": f"Robin {authorization}"}}


@contextmanager
def register_over_http(*, refuses: bool) -> Iterator[Register]:
    register = Register(refuses=refuses)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, body = register.answer(self.headers.get("Authorization", ""))
            text = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        def log_message(self, *_: object) -> None:
            pass

    with served(Handler) as url:
        register.url = url
        yield register


SECRETS = {name: f"{name}-{uuid.uuid4().hex}" for name in ("token", "model")} | {"seal": uuid.uuid4().hex * 2}
CARD = "4111 1111 1111 1111"
REPLIES = [
    json.dumps({"kind": "duplicate_charge", "amount_cents": None, "merchant": "Corner Shop"}),
    json.dumps({"remedy": "refund", "goodwill_cents": 0, "reason": "Posted twice.", "evidence": []}),
    json.dumps({"subject": "Your complaint", "body": "Dear Robin, EUR 250.00 were paid back to your card."}),
]


@asynccontextmanager
async def secretive_bench(dsn: str, folder: Path, register: Register, endpoint: Endpoint) -> AsyncIterator[Bench]:
    """A bench whose secrets are configured, and whose customer register is reached as a real one would be."""
    outside = {"systems": {"crm": register.url}, "system_tokens": {"crm": SECRETS["token"]}}
    model = {"model": "gpt-test", "model_base_url": endpoint.url, "model_api_key": SECRETS["model"]}
    settings = Site(dsn, folder / "secretive", folder / "unused").settings(**outside, **model)
    settings = settings.model_copy(update={"seal_key": type(settings.seal_key)(SECRETS["seal"])})
    wake_ups, worlds = InlineDispatcher(), open_worlds(None)
    async with open_engine(settings, notify=lambda _: None, dispatcher=wake_ups) as engine:
        for name in ("billing", "mail"):
            client = httpx.AsyncClient(transport=httpx.ASGITransport(worlds[name]), base_url=f"http://{name}")
            engine.carrier.systems.use(name, client)
        yield Bench(engine, wake_ups, worlds)
    worlds.close()


async def principal_with_key(bench: Bench) -> tuple[str, Principal]:
    async with bench.engine.database.transaction() as conn:
        key = await create_key(conn, "fay", ["caller", "reviewer"], ["finance"])
        return key, await authenticate(conn, key)


async def everything(bench: Bench, run: Run) -> str:
    """Every row of every table as text, bytes decoded, and the run's state with its seals taken off."""
    tables = await bench.rows("SELECT relname FROM pg_stat_user_tables WHERE schemaname = 'public'")
    text = ""
    for table in sorted(row["relname"] for row in tables):
        for row in await bench.rows(f'SELECT to_jsonb(t) AS row FROM "{table}" t'):
            text += json.dumps(row["row"], ensure_ascii=False)
    decoded = [bytes.fromhex(found).decode("latin-1") for found in re.findall(r"\\\\x((?:[0-9a-f]{2})+)", text)]
    return "".join([text, *decoded, str(await bench.state(run))])


Play = Callable[[Bench], Awaitable[tuple[str, Run]]]


async def a_dispute(bench: Bench) -> tuple[str, Run]:
    """A dispute, decided with an API key made here: `(key, run)`."""
    key, fay = await principal_with_key(bench)
    complaint = f"{TWICE} My card is {CARD}, or {CARD.replace(' ', '')}."
    run = await bench.accept({"complaint": complaint, "account_id": bench.new_account()})
    await bench.go_on()
    if await bench.rows("SELECT 1 FROM approval WHERE status = 'pending'"):
        request = await bench.request_of(run)
        await bench.engine.answers.resume(run.thread_id, {str(request.interrupt_id): {"type": "approve"}}, fay)
        await bench.go_on()
    return key, run


@pytest.mark.parametrize("refuses", [False, True], ids=["repeated in a reply", "repeated in a refusal"])
async def test_no_secret_and_no_card_number_stands_in_any_table(postgres: str, folder: Path, refuses: bool) -> None:
    with (
        fresh_database(postgres) as dsn,
        register_over_http(refuses=refuses) as register,
        openai_endpoint(*REPLIES) as endpoint,
    ):
        async with secretive_bench(dsn, folder, register, endpoint) as bench:
            key, run = await a_dispute(bench)
            text = await everything(bench, run)

    assert register.authorizations == [f"Bearer {SECRETS['token']}"]
    assert all(known in text for known in ("Corner Shop", '"event":"run.created"', "[card number]", "gpt-test"))
    secrets = [*SECRETS.values(), key, key.rpartition("_")[2], CARD, CARD.replace(" ", "")]
    assert [secret for secret in secrets if secret in text] == []
    assert CARD[:9] not in json.dumps(endpoint.requests)
