"""Each tool against its world, over HTTP without a network: replies, refusals, repeats, races and faults."""

import asyncio
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from pydantic import JsonValue, ValidationError

from contracts.errors import ToolOutcomeUnknown, ToolRefused, ToolUnavailable
from contracts.tool import Call, Reply, Request, Tool
from evals.worlds.faults import Fault, FaultKind
from evals.worlds.sandbox import Worlds, effects_of, open_worlds
from tools import billing, crm, mail


@dataclass(frozen=True)
class Wire:
    """The gateway's transport, as small as it can be."""

    worlds: Worlds
    system: str
    idempotency_key: str

    async def __call__(
        self,
        method: str,
        path: str,
        *,
        body: Mapping[str, JsonValue] | None = None,
        query: Mapping[str, str] | None = None,
    ) -> JsonValue:
        transport = httpx.ASGITransport(app=self.worlds[self.system])
        headers = {"Idempotency-Key": self.idempotency_key} if self.idempotency_key else {}
        async with httpx.AsyncClient(transport=transport, base_url="http://world", headers=headers) as client:
            reply = await client.request(method, path, json=body, params=query)
        if reply.status_code == 503:
            raise ToolUnavailable(reply.text)
        if reply.is_server_error:
            raise ToolOutcomeUnknown(reply.text)
        if reply.is_client_error:
            raise ToolRefused(reply.text)
        value: JsonValue = reply.json()
        return value


async def use(worlds: Worlds, tool: Tool[Request, Reply], request: Request, key: str = "key-1") -> Reply:
    return await tool.run(request, Call(key, Wire(worlds, tool.system, key)))


DUPLICATE = billing.RefundRequest(
    account_id="AC-1001",
    charge_id="CH-1001-04",
    invoice_id="IN-202610-1001",
    amount_cents=6840,
    currency="EUR",
    charge_version=1,
)
CREDIT = billing.CreditRequest(
    account_id="AC-1001", charge_id="CH-1001-04", amount_cents=500, currency="EUR", charge_version=1
)
REPLY = mail.SendRequest(
    account_id="AC-1001",
    to="giulia.ferraro@example.com",
    subject="Your refund",
    body="EUR 68.40 is on its way to your card.",
    case_ref="case-1",
)


@pytest.fixture
def worlds() -> Worlds:
    return open_worlds()


async def test_a_customer_is_found_with_the_age_of_the_record(worlds: Worlds) -> None:
    reply = await use(worlds, crm.find_customer, crm.CustomerRequest(account_id="AC-1010"))

    assert reply.found is not None
    assert (reply.found.record_updated_on, reply.found.email) == ("2019-03-12", "novak.family@example.cz")


async def test_an_unknown_customer_is_an_answer_and_not_an_error(worlds: Worlds) -> None:
    reply = await use(worlds, crm.find_customer, crm.CustomerRequest(account_id="AC-1017"))

    assert reply.found is None


async def test_charges_are_listed_from_a_day_on_oldest_first(worlds: Worlds) -> None:
    request = billing.ChargesRequest(account_id="AC-1001", since="2026-10-30")

    reply = await use(worlds, billing.list_charges, request)

    assert [charge.charge_id for charge in reply.charges] == ["CH-1001-03", "CH-1001-04", "CH-1001-05"]


async def test_an_account_that_billing_does_not_have_is_refused(worlds: Worlds) -> None:
    with pytest.raises(ToolRefused):
        await use(worlds, billing.list_charges, billing.ChargesRequest(account_id="AC-9999"))
    with pytest.raises(ToolRefused):
        await use(worlds, billing.read_price_plan, billing.PlanRequest(account_id="AC-9999"))


async def test_a_price_plan_tells_what_may_be_charged(worlds: Worlds) -> None:
    plan = await use(worlds, billing.read_price_plan, billing.PlanRequest(account_id="AC-1008"))

    assert (plan.monthly_price_cents, plan.currency, plan.cancelled_on) == (799, "EUR", "2026-08-31")
    assert [(fee.fee_code, fee.amount_cents) for fee in plan.fees] == [("card_replacement", 600)]


async def test_a_refund_is_seen_in_the_charge(worlds: Worlds) -> None:
    receipt = await use(worlds, billing.issue_refund, DUPLICATE)
    reply = await use(worlds, billing.list_charges, billing.ChargesRequest(account_id="AC-1001"))

    charge = next(charge for charge in reply.charges if charge.charge_id == receipt.charge_id)
    assert (charge.refunded_cents, charge.refunded_on, charge.version) == (6840, "2026-11-02", 2)


async def test_a_repeat_of_a_refund_gets_the_first_receipt(worlds: Worlds) -> None:
    receipts = [await use(worlds, billing.issue_refund, DUPLICATE) for _ in range(3)]

    assert len(set(receipts)) == 1
    assert [refund["amount_cents"] for refund in effects_of(worlds).refunds] == [6840]


async def test_receipts_are_the_same_in_every_world() -> None:
    first = await use(open_worlds(), billing.issue_refund, DUPLICATE)
    second = await use(open_worlds(), billing.issue_refund, DUPLICATE)

    assert first == second


async def test_a_key_covers_only_the_refund_it_was_used_for(worlds: Worlds) -> None:
    await use(worlds, billing.issue_refund, DUPLICATE)

    with pytest.raises(ToolRefused, match="used before"):
        await use(worlds, billing.issue_refund, DUPLICATE.model_copy(update={"amount_cents": 1}))


async def test_a_refund_without_a_key_is_refused(worlds: Worlds) -> None:
    with pytest.raises(ToolRefused, match="Idempotency-Key"):
        await use(worlds, billing.issue_refund, DUPLICATE, key="")


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        ({"charge_version": 2}, "version"),
        ({"currency": "USD"}, "is in EUR"),
        ({"amount_cents": 6841}, "6840 is left"),
        ({"invoice_id": "IN-202611-1001"}, "is on invoice"),
        ({"charge_id": "CH-1001-99"}, "has no charge"),
        ({"account_id": "AC-1002"}, "has no charge"),
    ],
)
async def test_a_refund_that_does_not_fit_the_charge_is_refused(
    worlds: Worlds, wrong: dict[str, str], why: str
) -> None:
    with pytest.raises(ToolRefused, match=why):
        await use(worlds, billing.issue_refund, DUPLICATE.model_copy(update=wrong))

    assert effects_of(worlds).refunds == ()


async def test_a_charge_that_changed_since_the_proposal_is_refused(worlds: Worlds) -> None:
    await use(worlds, billing.issue_credit, CREDIT)

    with pytest.raises(ToolRefused, match="version 2"):
        await use(worlds, billing.issue_refund, DUPLICATE, key="key-2")


async def test_a_pending_charge_is_not_refunded(worlds: Worlds) -> None:
    hold = billing.RefundRequest(
        account_id="AC-1002",
        charge_id="CH-1002-02",
        invoice_id="IN-202611-1002",
        amount_cents=2350,
        currency="GBP",
        charge_version=1,
    )

    with pytest.raises(ToolRefused, match="pending"):
        await use(worlds, billing.issue_refund, hold)


async def test_no_more_is_given_back_than_is_left_of_a_charge(worlds: Worlds) -> None:
    rest = billing.RefundRequest(
        account_id="AC-1006",
        charge_id="CH-1006-02",
        invoice_id="IN-202610-1006",
        amount_cents=14000,
        currency="EUR",
        charge_version=2,
    )

    with pytest.raises(ToolRefused, match="14000 is left"):
        await use(worlds, billing.issue_refund, rest.model_copy(update={"amount_cents": 14001}))
    await use(worlds, billing.issue_refund, rest)
    again = rest.model_copy(update={"amount_cents": 1, "charge_version": 3})
    with pytest.raises(ToolRefused, match="0 is left"):
        await use(worlds, billing.issue_refund, again, key="key-2")


async def test_a_credit_and_a_refund_share_what_is_left(worlds: Worlds) -> None:
    receipt = await use(worlds, billing.issue_credit, CREDIT)

    with pytest.raises(ToolRefused, match="6340 is left"):
        await use(worlds, billing.issue_refund, DUPLICATE.model_copy(update={"charge_version": 2}))
    assert receipt.applies_from == "2026-12-01"


async def test_a_mail_that_is_sent_twice_arrives_twice(worlds: Worlds) -> None:
    first, second = [await use(worlds, mail.send_reply, REPLY) for _ in range(2)]

    assert first.message_id != second.message_id
    assert len(effects_of(worlds).messages) == 2


async def test_a_mail_to_no_address_is_refused(worlds: Worlds) -> None:
    with pytest.raises(ToolRefused, match="cannot deliver"):
        await use(worlds, mail.send_reply, REPLY.model_copy(update={"to": "nobody@example.invalid"}))


def test_a_subject_cannot_smuggle_a_mail_header() -> None:
    with pytest.raises(ValidationError):
        mail.SendRequest.model_validate(REPLY.model_dump() | {"subject": "Hello\nBcc: all@example.com"})


async def test_twenty_calls_at_once_over_two_connections_pay_once(tmp_path: Path) -> None:
    file = tmp_path / "worlds.sqlite"
    doors = [open_worlds(file), open_worlds(file)]

    receipts = await asyncio.gather(*(use(doors[n % 2], billing.issue_refund, DUPLICATE) for n in range(20)))

    effects = effects_of(file)
    assert (len(set(receipts)), len(effects.refunds), len(effects.requests)) == (1, 1, 20)


def test_threads_with_their_own_connections_pay_once(tmp_path: Path) -> None:
    file = tmp_path / "worlds.sqlite"

    def pay(_: int) -> str:
        return asyncio.run(use(open_worlds(file), billing.issue_refund, DUPLICATE)).refund_id

    with ThreadPoolExecutor(max_workers=8) as threads:
        receipts = set(threads.map(pay, range(20)))

    assert (len(receipts), len(effects_of(file).refunds)) == (1, 1)


async def test_different_keys_race_for_what_is_left_and_one_wins(tmp_path: Path) -> None:
    doors = [open_worlds(tmp_path / "worlds.sqlite") for _ in range(2)]
    calls = [use(doors[n % 2], billing.issue_refund, DUPLICATE, key=f"key-{n}") for n in range(10)]

    outcomes = await asyncio.gather(*calls, return_exceptions=True)

    assert sum(isinstance(outcome, ToolRefused) for outcome in outcomes) == 9
    assert len(effects_of(doors[0]).refunds) == 1


async def test_what_was_done_is_still_done_when_the_file_is_opened_again(tmp_path: Path) -> None:
    file = tmp_path / "worlds.sqlite"
    before = open_worlds(file)
    await use(before, billing.issue_refund, DUPLICATE)
    before.close()

    reply = await use(open_worlds(file), billing.list_charges, billing.ChargesRequest(account_id="AC-1001"))

    assert reply.charges[3].refunded_cents == 6840


def test_the_effects_of_a_file_that_is_not_there_are_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        effects_of(tmp_path / "misspelt.sqlite")


def _with(kind: FaultKind, times: int | None = None) -> Worlds:
    return open_worlds(None, {"the fault": Fault("billing.issue_refund", kind, times)})


async def test_an_unavailable_system_recovers_and_has_done_nothing_before() -> None:
    worlds = _with("unavailable", times=2)

    for _ in range(2):
        with pytest.raises(ToolUnavailable):
            await use(worlds, billing.issue_refund, DUPLICATE)
    assert effects_of(worlds).refunds == ()

    await use(worlds, billing.issue_refund, DUPLICATE)
    assert [request.status for request in effects_of(worlds).requests] == [503, 503, 200]


async def test_a_fault_without_a_number_stays_and_leaves_other_operations_alone() -> None:
    worlds = _with("refuses")

    for _ in range(5):
        with pytest.raises(ToolRefused):
            await use(worlds, billing.issue_refund, DUPLICATE)
    await use(worlds, billing.issue_credit, CREDIT)

    assert effects_of(worlds).refunds == ()


async def test_a_failure_after_acting_is_found_out_with_the_same_key() -> None:
    worlds = _with("acts_then_fails", times=1)

    with pytest.raises(ToolOutcomeUnknown):
        await use(worlds, billing.issue_refund, DUPLICATE)
    await use(worlds, billing.issue_refund, DUPLICATE)

    assert len(effects_of(worlds).refunds) == 1


async def test_a_malformed_reply_does_not_become_a_receipt() -> None:
    worlds = _with("malformed", times=1)

    with pytest.raises(ValidationError):
        await use(worlds, billing.issue_refund, DUPLICATE)

    assert len(effects_of(worlds).refunds) == 1


async def test_a_slow_system_has_acted_when_the_caller_gives_up() -> None:
    worlds = _with("slow", times=1)

    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.3):
            await use(worlds, billing.issue_refund, DUPLICATE)

    assert len(effects_of(worlds).refunds) == 1


async def test_processes_share_the_count_of_a_fault(tmp_path: Path) -> None:
    faults = {"down once": Fault("billing.issue_refund", "unavailable", times=1)}
    one, other = (open_worlds(tmp_path / "worlds.sqlite", faults) for _ in range(2))

    with pytest.raises(ToolUnavailable):
        await use(one, billing.issue_refund, DUPLICATE)
    await use(other, billing.issue_refund, DUPLICATE)

    assert len(effects_of(one).refunds) == 1


@pytest.mark.parametrize("body", [b"not json", b"[1]", b"\xff"])
async def test_a_body_that_is_no_json_object_is_refused(worlds: Worlds, body: bytes) -> None:
    transport = httpx.ASGITransport(app=worlds["billing"])
    async with httpx.AsyncClient(transport=transport, base_url="http://world") as client:
        reply = await client.post("/refunds", content=body)

    assert reply.status_code == 400
