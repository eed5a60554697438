"""A stage that gets or returns what its contract does not allow is stopped at its boundary; nothing of it is kept."""

from typing import Any, NotRequired

import pytest
from langgraph.graph import END, START, StateGraph
from langgraph.runtime import Runtime
from typing_extensions import TypedDict

from contracts.context import Context
from contracts.errors import StageContractBroken
from engine.catalog.boundaries import contracts_of, held_to_contracts
from engine.catalog.catalog import load_catalog
from engine.catalog.workflow import Graph
from nodes.recovery import Problem, or_hand_off, unless_stuck
from tests.conftest import ROOT


class State(TypedDict):
    claim: str
    cents: NotRequired[int]
    lines: NotRequired[list[str]]
    problem: NotRequired[Problem | None]
    outcome: NotRequired[str]


class Weighed(TypedDict):
    claim: str
    cents: int


class Sum(TypedDict):
    cents: int


def graph_of(update: Any, *, recovers: bool = True) -> Graph:
    """`weigh` returns `update`; `pay` wants what it should have found; `hand_off` takes what goes wrong."""

    async def weigh(state: State, runtime: Runtime[Context]) -> Sum:
        found: Sum = update
        return found

    async def pay(state: Weighed) -> dict[str, object]:
        return {"outcome": f"paid {state['cents']}"}

    async def hand_off(state: State) -> dict[str, object]:
        return {"outcome": "handed_off"}

    flow = StateGraph(State, context_schema=Context)
    flow.add_node("weigh", or_hand_off(weigh) if recovers else weigh)
    flow.add_node("pay", pay)
    flow.add_node("hand_off", hand_off)
    flow.add_edge(START, "weigh")
    flow.add_conditional_edges("weigh", unless_stuck("pay"))
    flow.add_edge("pay", END)
    flow.add_edge("hand_off", END)
    return flow.compile()


BROKEN = [
    ({"cents": "250"}, "cents"),
    ({"cents": 250, "outcome": "paid"}, "outcome: is not among what it may write"),
    ({"cents": 250, "nowhere": 1}, "nowhere: is not among what it may write"),
]


async def test_what_keeps_its_contract_goes_on() -> None:
    assert (await held_to_contracts(graph_of({"cents": 250})).ainvoke({"claim": "twice"}))["outcome"] == "paid 250"


@pytest.mark.controls
@pytest.mark.parametrize("removed", [False, True])
@pytest.mark.parametrize(("update", "said"), BROKEN)
async def test_a_reply_outside_the_contract_takes_the_recovery_path(update: Any, said: str, removed: bool) -> None:
    graph = graph_of(update)

    found = await (graph if removed else held_to_contracts(graph)).ainvoke({"claim": "twice"})

    if removed:
        assert str(found["outcome"]).startswith("paid")
    else:
        assert (found["outcome"], found["problem"]["stage"]) == ("handed_off", "weigh")
        assert (found["problem"]["code"], found["problem"]["category"]) == ("stage_contract_broken", "logic")
        assert said in found["problem"]["detail"]
        assert "cents" not in found


async def test_without_a_recovery_path_the_run_ends_with_the_typed_error() -> None:
    graph = held_to_contracts(graph_of({"cents": "250"}, recovers=False))

    with pytest.raises(StageContractBroken, match=r"'weigh' returned .* cents: Input should be a valid integer"):
        await graph.ainvoke({"claim": "twice"})


async def test_a_stage_that_gets_too_little_is_not_run() -> None:
    """Nothing was found, and the state that arrives lacks what `pay` must know."""
    with pytest.raises(StageContractBroken, match=r"'pay' got .* cents: Field required"):
        await held_to_contracts(graph_of({})).ainvoke({"claim": "twice"})


class Line(TypedDict):
    text: str
    added_later: int


class Lined(TypedDict):
    line: Line


async def reads_line(state: Lined) -> dict[str, object]:
    return {"line": {"text": state["line"]["text"].upper()}}


async def test_what_an_earlier_release_wrote_may_lack_what_was_added_and_what_is_written_now_may_not() -> None:
    flow = StateGraph(Lined)
    flow.add_node("read", reads_line)
    flow.add_edge(START, "read")
    contract = contracts_of(flow.compile())["read"]

    contract.require_input({"line": {"text": "old"}})
    with pytest.raises(StageContractBroken, match=r"line\.text: Input should be a valid string"):
        contract.require_input({"line": {"text": 1}})
    with pytest.raises(StageContractBroken, match=r"line\.added_later: Field required"):
        contract.require_output({"line": {"text": "new"}})


async def test_no_value_is_told() -> None:
    with pytest.raises(StageContractBroken) as caught:
        await held_to_contracts(graph_of({"cents": "4111 1111"}, recovers=False)).ainvoke({"claim": "twice"})

    assert "4111" not in caught.value.detail


def test_a_contract_says_what_goes_in_and_out_and_where_failures_go() -> None:
    said = {name: one.as_json() for name, one in contracts_of(graph_of({})).items()}

    assert (said["weigh"]["output"], said["weigh"]["recovery"]) == (["cents"], "hand_off")
    assert (said["pay"]["input"], said["pay"]["recovery"]) == ("Weighed", "failed_safe")


def test_every_stage_that_asks_a_model_or_a_system_has_a_recovery_path() -> None:
    for workflow in load_catalog(ROOT / "langgraph.json", routes={}).values():
        contracts = contracts_of(workflow.graph)
        for stage in workflow.stages.values():
            assert contracts[stage.name].takes is not None
            if stage.kind in ("model", "read", "effect"):
                assert contracts[stage.name].recovery[-1] == "hand_off", (workflow.name, stage.name)
