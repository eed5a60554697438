"""Each anti-pattern is shown by one workflow, and not by one that does the same as it should be done."""

import json
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import Annotated, Any, NotRequired

import pytest
from langchain_core.messages import AnyMessage
from langgraph.graph import END, START, StateGraph
from pydantic import Field, JsonValue
from typer.testing import CliRunner
from typing_extensions import TypedDict

import cli
from contracts.approval import Proposal
from contracts.context import Context
from contracts.policy import Policy, allow, require_approval, waive
from contracts.tool import AnyTool, ToolModel
from engine.catalog.patterns import CaseSaid, RouteSaid, Seen
from engine.catalog.patterns_of_evals import EVERY, anti_patterns
from engine.catalog.prompt import Prompt
from engine.catalog.workflow import Workflow, stages_of
from tests.conftest import ROOT
from tests.engines import POLICY
from tools import billing

REFUND, CHARGES = billing.issue_refund, billing.list_charges
ASKS = {"role": "finance", "within_s": 60, "why": "So."}


class State(TypedDict):
    claim: str
    finding: NotRequired[dict[str, JsonValue]]
    proposal: NotRequired[Proposal | None]


class Spoken(State):
    messages: list[AnyMessage]


class Loose(State):
    anything: Any


class Found(TypedDict):
    finding: dict[str, JsonValue]


class Decided(Found):
    proposal: Proposal | None


async def assess(state: State) -> Found:
    return {"finding": {}}


async def decide(state: State) -> Decided:
    return {"finding": {}, "proposal": None}


Said = Mapping[str, Any]


def model(prompt: str = "assess", action: Any = assess, *tools: str) -> Said:
    return {"action": action, "metadata": {"kind": "model", "prompt": prompt, "tools": list(tools)}}


def effect(*tools: AnyTool) -> Said:
    return {"action": assess, "metadata": {"kind": "effect", "tools": [tool.name for tool in tools]}}


USUAL = (model(), effect(REFUND, CHARGES))


def seen(*stages: Said, state: type = State, prompt: str = "Assess it.", **parts: Any) -> Seen:
    """A workflow of these stages in a line, with a case, a route and code that are as they should be."""
    flow = StateGraph(state, context_schema=Context)
    names = [f"stage_{number}" for number, _ in enumerate(stages or USUAL)]
    for name, said in zip(names, stages or USUAL, strict=True):
        flow.add_node(name, **said)
    for before, after in zip([START, *names], [*names, END], strict=True):
        flow.add_edge(before, after)
    graph, policy = flow.compile(), parts.pop("policy", GOOD)
    prompts = {"assess": Prompt("assess", "fast", 100, prompt)}
    workflow = Workflow("trial", graph, policy, prompts, {}, stages_of(graph), "v1", {})
    usual: dict[str, Any] = {"cases": (PAID, REFUSED), "routes": (RouteSaid("m-2026-01-01", "eu"),), "code": {}}
    return Seen(workflow, **usual | parts)


def ruled(*rules: Any, **parts: Any) -> Policy:
    return replace(POLICY, rules=rules, **parts)


def tool_with(tool: AnyTool, **changes: Any) -> Policy:
    return replace(GOOD, tools=(CHARGES, replace(tool, **changes)))


GOOD = replace(POLICY, queue=replace(POLICY.queue, capacity=50))
PAID = CaseSaid("paid", "automatic", "completed", frozenset({"effects"}))
REFUSED = CaseSaid("refused", "denied", "handed_off", frozenset({"problem"}))
OPEN = allow("all", REFUND.name, why="Fine.")
TWICE = (model(), model("second"), effect(REFUND, CHARGES))
ASKED_ALWAYS = ruled(
    *(require_approval(f"ask-{tool.name}", tool.name, **ASKS) for tool in (REFUND, billing.issue_credit)),
    tools=(REFUND, billing.issue_credit),
)
FINAL = replace(REFUND, reversibility="irreversible")


class Query(ToolModel):
    sql: Annotated[str, Field(max_length=4000)]


def code(text: str) -> Seen:
    return seen(code={"trial/stages.py": text})


SHOWN: dict[str, tuple[Seen, Seen]] = {
    "generic-tool": (seen(policy=tool_with(REFUND, request=Query)), seen()),
    "prompt-as-security": (
        seen(prompt="Never pay more than 100 euros.", policy=ruled(OPEN)),
        seen(prompt="Never pay more than 100 euros."),
    ),
    "autonomous-on-critical": (
        seen(*TWICE, policy=ruled(OPEN, tools=(CHARGES, FINAL))),
        seen(*TWICE, policy=replace(GOOD, tools=(CHARGES, FINAL))),
    ),
    "broad-tool-access": (seen(model(), effect(REFUND)), seen()),
    "free-text-protocol": (seen(*TWICE, state=Spoken), seen(state=Spoken)),
    "no-evals": (seen(cases=()), seen()),
    "model-managed-state": (seen(model("assess", decide), effect(REFUND, CHARGES)), seen()),
    "write-without-gate": (seen(policy=ruled(OPEN)), seen(policy=ruled(OPEN, waivers=(waive(REFUND.name, why="S."),)))),
    "unpinned-model": (seen(routes=(RouteSaid("m-latest"),)), seen(routes=(RouteSaid("m-2026-01-01"),))),
    "leaves-its-region": (
        seen(routes=(RouteSaid("m-2026-01-01", "eu"), RouteSaid("m-2026-01-01", "us"))),
        seen(routes=(RouteSaid("m-2026-01-01", "eu"), RouteSaid("n-2026-01-01", "eu"))),
    ),
    "giant-prompt": (seen(prompt="Do it. " * 3000), seen()),
    "broad-permissions": (seen(policy=tool_with(REFUND, scopes=("billing:*",))), seen()),
    "no-validation-between-stages": (seen(state=Loose), seen()),
    "more-agents-than-needed": (seen(model(), model(), effect(REFUND, CHARGES)), seen(*TWICE)),
    "style-only-metrics": (seen(cases=(replace(REFUSED, checks=frozenset({"nowhere"})),)), seen(cases=(REFUSED,))),
    "no-owner": (seen(policy=replace(GOOD, owner=" ")), seen()),
    "invisible-state": (code("seen = {}\n"), code("LIMITS = {'EUR': 1}\n")),
    "too-many-tools": (
        seen(model("assess", assess, *(f"s.t{n}" for n in range(9))), effect(REFUND, CHARGES)),
        seen(model("assess", assess, *(f"s.t{n}" for n in range(8))), effect(REFUND, CHARGES)),
    ),
    "uniform-oversight": (seen(policy=ruled(require_approval("look", CHARGES.name, **ASKS))), seen()),
    "queue-without-capacity": (seen(policy=POLICY), seen()),
    "catch-all": (
        code("try:\n    f()\nexcept Exception as e:\n    raise E from e\n"),
        code("try:\n    f()\nexcept ValueError as e:\n    raise E from e\n"),
    ),
    "silent-failure": (
        code("def f():\n    try:\n        g()\n    except ValueError:\n        return None\n"),
        code("def f():\n    try:\n        g()\n    except ValueError:\n        return 'failed'\n"),
    ),
    "endless-retry": (code("while True:\n    f()\n"), code("while True:\n    if f():\n        break\n")),
    "happy-path-only": (seen(cases=(PAID, PAID)), seen(cases=(PAID, REFUSED))),
}


def found_in(shown: Seen) -> set[str]:
    return {one.pattern for one in anti_patterns(shown)}


@pytest.mark.parametrize("name", SHOWN)
def test_a_pattern_is_found_where_it_is_and_nowhere_else(name: str) -> None:
    shown, otherwise = SHOWN[name]

    assert name in found_in(shown)
    assert name not in found_in(otherwise)


def test_every_pattern_has_both_and_says_why_and_what_to_do() -> None:
    assert {one.id for one in EVERY} == set(SHOWN)
    assert len({one.id for one in EVERY}) == len(EVERY) == 24
    assert [one.id for one in EVERY if not (one.why.endswith(".") and one.do.endswith("."))] == []


def test_the_documentation_lists_every_pattern() -> None:
    listed = (ROOT / "docs" / "howto" / "check-a-workflow.md").read_text()

    assert [one.id for one in EVERY if f"| `{one.id}` | {one.level} |" not in listed] == []


def test_models_elsewhere_are_no_matter_where_borders_are_kept() -> None:
    shown, _ = SHOWN["leaves-its-region"]

    assert "leaves-its-region" not in found_in(replace(shown, bordered=True))


def test_what_is_as_it_should_be_shows_none() -> None:
    assert found_in(seen()) == set()


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("uniform-oversight", partial(seen, policy=ASKED_ALWAYS)),
        ("endless-retry", partial(seen, policy=replace(GOOD, budget=replace(GOOD.budget, same_failure=0)))),
        ("invisible-state", partial(code, "def f():\n    global seen\n    seen = 1\n")),
        ("silent-failure", partial(code, "with suppress(ValueError):\n    f()\n")),
        ("giant-prompt", partial(seen, effect(REFUND, CHARGES))),
        ("leaves-its-region", partial(seen, routes=(RouteSaid("m-2026-01-01", "eu"), RouteSaid("n-2026-01-01")))),
    ],
)
def test_a_pattern_has_other_forms(name: str, shown: Any) -> None:
    assert name in found_in(shown())


def test_the_command_names_what_it_finds_in_a_project(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    monkeypatch.setenv("GATEHOUSE_MODEL", "some-model-latest")

    result = CliRunner().invoke(cli.app, ["check", "--json"])

    told = json.loads(result.stdout)
    assert (result.exit_code, told["errors"]) == (0, [])
    assert len([said for said in told["warnings"] if "(unpinned-model)" in said]) == len(told["workflows"])
