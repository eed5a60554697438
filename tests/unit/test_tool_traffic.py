"""Recorded answers of systems: each call gets its own, a repeated try the same, and what is not recorded fails."""

from collections.abc import Mapping

import pytest
from pydantic import JsonValue

from contracts.errors import ToolOutcomeUnknown, ToolRefused
from contracts.tool import Call, Tool, ToolModel
from evals.tool_traffic import Answered, ToolTraffic, line_of

THREAD_ID = "5e2c5f24-c055-4697-90a2-69abfb4450de"


class Asked(ToolModel):
    of: str


class Told(ToolModel):
    value: str


async def run(request: Asked, call: Call) -> Told:
    raise AssertionError("a live tool was run")


async def reread(request: Asked, call: Call) -> Mapping[str, JsonValue]:
    raise AssertionError("a live tool was asked")


TOOL: Tool[Asked, Told] = Tool("stock.look", run, Asked, Told, "idempotent", (), reread=reread, preconditions=("of",))


def answer(value: str, of: str = "a") -> Answered:
    return Answered("stock.look", {"of": of}, reply={"value": value})


async def told(traffic: ToolTraffic, key: str, of: str = "a") -> str:
    reply = await traffic.standing_in(TOOL).run(Asked(of=of), Call(key, None))  # type: ignore[arg-type]  # nothing is sent
    return reply.value


async def test_the_nth_identical_call_takes_the_nth_answer_and_a_repeated_try_its_own() -> None:
    traffic = ToolTraffic([answer("one"), answer("two"), answer("other", of="b")], THREAD_ID)

    heard = [await told(traffic, key) for key in ("k1", "k1", "k2", "k1", "k3")]

    assert heard == ["one", "one", "two", "one", "two"]
    assert [left.reply for left in traffic.unused()] == [{"value": "other"}]


async def test_a_miss_names_the_nearest_recorded_call_and_is_remembered() -> None:
    traffic = ToolTraffic([answer("one", of="order 17"), answer("two", of="invoice")], THREAD_ID)

    with pytest.raises(ToolRefused, match="order 17"):
        await told(traffic, "k1", of="order 18")

    assert [miss.prompt for miss in traffic.missed] == ["stock.look"]


async def test_a_recorded_failure_fails_in_the_same_way() -> None:
    traffic = ToolTraffic([Answered("stock.look", {"of": "a"}, error="tool_outcome_unknown", detail="lost")], THREAD_ID)

    with pytest.raises(ToolOutcomeUnknown, match="lost"):
        await told(traffic, "k1")


async def test_the_id_of_the_thread_is_another_one_each_time() -> None:
    traffic = ToolTraffic([answer("for {thread}", of="case {thread}")], THREAD_ID)

    assert await told(traffic, "k1", of=f"case {THREAD_ID}") == f"for {THREAD_ID}"


async def test_what_had_changed_when_it_was_read_again_has_changed_once() -> None:
    changed = Answered("stock.look", {"of": "a"}, "reread", reply={"of": "b"})
    again = ToolTraffic([changed], THREAD_ID).standing_in(TOOL).reread
    assert again

    first, second = [dict(await again(Asked(of="a"), Call("k", None))) for _ in range(2)]  # type: ignore[arg-type]

    assert (first, second) == ({"of": "b"}, {})
    assert '"asks": "reread"' in line_of(changed)
