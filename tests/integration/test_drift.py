"""What an approval was given upon changes before its call is made: it counts no more, and the case is read again."""

from pathlib import Path

import httpx
import pytest

from contracts.errors import AlreadyDecided, ApprovalSuperseded
from engine.approvals.requests import get_request
from tests.engines import APPROVE, FIN, TENANT, Bench, fresh_bench, refund_args


async def somebody_pays(bench: Bench, account_id: str) -> None:
    """A part of the disputed charge is given back by hand."""
    paid = await bench.engine.carrier.systems.client("billing").post(
        "/refunds", json=refund_args(account_id, amount_cents=100), headers={"Idempotency-Key": "by hand"}
    )
    assert paid.status_code == httpx.codes.OK


async def test_an_approval_does_not_outlive_what_it_was_given_upon(postgres: str, folder: Path) -> None:
    async with fresh_bench(postgres, folder) as bench:
        run, request = await bench.parked_case()
        account = str(request.args["account_id"])
        leg = await bench.approve(run)

        await somebody_pays(bench, account)
        await bench.go_on()

        async with bench.engine.database.transaction() as conn:
            superseded = await get_request(conn, request.id, tenant=TENANT)
        events = [event for event, _ in await bench.events(leg)]
        asked_anew = await bench.request_of(run)
        assert superseded.status == "superseded"
        assert "charge_version was 1 and is 2" in superseded.reason
        assert bench.refunds(account) == [100]
        assert "approval.superseded" in events
        assert (asked_anew.status, asked_anew.args["amount_cents"]) == ("pending", 24_900)


async def test_what_is_asked_anew_is_decided_anew(postgres: str, folder: Path) -> None:
    async with fresh_bench(postgres, folder) as bench:
        run, request = await bench.parked_case()
        account = str(request.args["account_id"])
        await bench.approve(run)
        await somebody_pays(bench, account)
        await bench.go_on()

        with pytest.raises((ApprovalSuperseded, AlreadyDecided)):
            await bench.engine.answers.resume(run.thread_id, {str(request.interrupt_id): APPROVE}, FIN)
        await bench.approve(run)
        await bench.go_on()

        assert bench.refunds(account) == [100, 24_900]


async def test_while_nobody_can_say_nothing_is_done(postgres: str, folder: Path) -> None:
    async with fresh_bench(postgres, folder) as bench:
        run, request = await bench.parked_case()
        leg = await bench.approve(run)
        bench.engine.carrier.systems.use("billing", httpx.AsyncClient(base_url="http://127.0.0.1:9"))

        await bench.go_on()

        ended = await bench.again(leg)
        assert ended.outcome == "handed_off"
        assert bench.refunds(str(request.args["account_id"])) == []
