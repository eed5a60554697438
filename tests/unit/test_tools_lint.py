"""Each rule of the lint is broken by one tool, and kept by one that does the same in a narrow way."""

import json
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
from pydantic import BaseModel, Field, JsonValue
from typer.testing import CliRunner

from cli import app
from contracts.tool import AnyTool, Call, ToolModel, tool
from engine.catalog.lint import MOST_TOOLS, RULES, lint, too_many_tools
from engine.catalog.workflow import Stage

OrderId = Annotated[str, Field(pattern=r"^OR-[0-9]{4}$")]


class Order(ToolModel):
    order_id: OrderId


class Shown(ToolModel):
    order_id: OrderId
    amount_cents: int
    currency: Annotated[str, Field(pattern=r"^[A-Z]{3}$")]


@tool(effect="read", scopes=("test_tools_lint:read",))
async def read_order(request: Order, call: Call) -> Shown:
    """Read one order."""
    return Shown(order_id=request.order_id, amount_cents=1, currency="EUR")


@tool(
    effect="idempotent",
    reversibility="irreversible",
    blast_radius="customer",
    scopes=("test_tools_lint:cancel",),
    target="order_id",
    idempotent_by=("order_id",),
    undo="Place the order again.",
)
async def cancel_order(request: Order, call: Call) -> Shown:
    """Cancel one order."""
    return Shown(order_id=request.order_id, amount_cents=1, currency="EUR")


async def undocumented(request: Order, call: Call) -> Shown:
    return Shown(order_id=request.order_id, amount_cents=1, currency="EUR")


def asks(**fields: Any) -> AnyTool:
    """`cancel_order` with these annotations in its request, too."""
    return replace(cancel_order, request=type("Asked", (Order,), {"__annotations__": fields, "__module__": __name__}))


def tells(**fields: Any) -> AnyTool:
    return replace(read_order, reply=type("Told", (ToolModel,), {"__annotations__": fields, "__module__": __name__}))


class Lax(BaseModel):
    order_id: OrderId


Narrow = Annotated[str, Field(pattern=r"^[a-z]{2,8}$")]
PAIRS: list[tuple[str, AnyTool, AnyTool]] = [
    ("generic-tool", replace(read_order, name="test_tools_lint.run_sql"), read_order),
    ("generic-tool", replace(read_order, name="test_tools_lint.http_request"), read_order),
    ("generic-tool", replace(read_order, name="test_tools_lint.exec"), read_order),
    ("generic-tool", replace(read_order, name="test_tools_lint.shell"), read_order),
    ("tool-name", replace(read_order, name="test_tools_lint.read_\u043erder"), read_order),
    ("tool-name", replace(read_order, name="test_tools_lint.Read-Order"), read_order),
    ("free-form-parameter", asks(query=str), asks(query=Narrow)),
    ("free-form-parameter", asks(url=Annotated[str, Field(pattern=r"^https?://.+$")]), asks(url=Literal["a", "b"])),
    ("free-form-parameter", asks(command=list[str]), asks(command=list[Literal["stop"]])),
    ("free-form-parameter", asks(code=str | None), asks(code=Narrow | None)),
    ("untyped-argument", asks(extra=dict[str, JsonValue]), asks(extra=Order)),
    ("untyped-argument", asks(extra=Any), asks(extra=int)),
    ("untyped-argument", asks(extra=list[Any]), asks(extra=list[int])),
    ("untyped-argument", asks(body=JsonValue), asks(body=Order)),
    ("untyped-argument", asks(extra=Mapping[str, str]), asks(extra=tuple[str, ...])),
    ("untyped-reply", tells(body=dict[str, Any]), tells(body=Order)),
    ("untyped-reply", tells(options=dict[str, dict[str, Any]]), tells(options=dict[str, str])),
    ("open-model", replace(read_order, request=Lax), read_order),
    ("float-money", asks(amount=float), asks(amount=Annotated[str, Field(pattern=r"^\d+\.\d\d$")])),
    ("float-money", tells(total_price=float | None), tells(total_weight=float | None)),
    ("money-without-currency", asks(paid_cents=int), asks(paid_cents=int, currency=Narrow)),
    ("amount-not-countable", replace(asks(total=str), amount="total"), replace(asks(total=int), amount="total")),
    ("amount-not-countable", replace(asks(total=str), amount="total"), replace(asks(total=Narrow), amount="total")),
    ("no-timeout", replace(read_order, timeout_s=0), read_order),
    ("no-timeout", replace(read_order, timeout_s=float("inf")), read_order),
    ("unknown-field", replace(cancel_order, target="oder_id"), cancel_order),
    ("unknown-field", replace(cancel_order, preconditions=("version",)), cancel_order),
    ("foreign-scope", replace(read_order, scopes=("billing:read",)), read_order),
    ("write-facts", replace(cancel_order, target=""), cancel_order),
    ("write-facts", replace(cancel_order, undo="No."), cancel_order),
    ("write-facts", replace(cancel_order, idempotent_by=()), cancel_order),
    ("write-facts", replace(cancel_order, blast_radius="none"), cancel_order),
    ("write-facts", replace(cancel_order, scopes=("test_tools_lint:read",)), cancel_order),
    ("no-summary", replace(read_order, run=undocumented), read_order),
    ("unbounded-text", asks(body=str), asks(body=Annotated[str, Field(max_length=50)])),
    ("unbounded-text", asks(lines=tuple[Order, ...]), asks(lines=Annotated[tuple[Order, ...], Field(max_length=9)])),
    ("amount-without-currency", replace(asks(paid=int), amount="paid"), asks(paid=int)),
]


@pytest.mark.parametrize(("rule", "broken", "kept"), PAIRS)
def test_a_rule_is_broken_by_what_it_is_about_and_by_nothing_else(rule: str, broken: AnyTool, kept: AnyTool) -> None:
    assert rule in {finding.rule for finding in lint(broken)}
    assert rule not in {finding.rule for finding in lint(kept)}


def test_every_rule_is_tried_and_says_why_and_what_to_do() -> None:
    assert {rule.id for rule in RULES} == {rule for rule, _, _ in PAIRS}
    assert len({rule.id for rule in RULES}) == len(RULES)
    assert all(rule.why.endswith(".") and rule.do.endswith(".") for rule in RULES)


@pytest.mark.parametrize("kind", ["model", "agent"])
def test_a_model_is_offered_no_more_tools_than_it_can_tell_apart(kind: str) -> None:
    names = tuple(f"shop.read_{number}" for number in range(MOST_TOOLS + 1))

    assert [*too_many_tools(Stage("talk", kind, names, ""))]
    assert [*too_many_tools(Stage("talk", kind, names[1:], ""))] == []
    assert [*too_many_tools(Stage("talk", "read", names, ""))] == []


_TOOLS = """
from contracts.tool import Call, ToolModel, tool


class Asked(ToolModel):
    sql: str


@tool(effect="read", scopes=("{system}:read",))
async def run_sql(request: Asked, call: Call) -> Asked:
    \"\"\"Run any statement.\"\"\"
    return request
"""
_POLICY = """
from contracts.policy import Budget, Policy, Queue
from {system} import run_sql

POLICY = Policy(
    owner="us", purpose="Everything.", tools=(run_sql,), rules=(), budget=Budget(1, 1, 1), queue=Queue("q", target_s=1)
)
"""
_GRAPH = """
from typing_extensions import TypedDict
from langgraph.graph import END, START, StateGraph


class State(TypedDict):
    n: int


flow = StateGraph(State)
flow.add_node("think", lambda state: state)
flow.add_edge(START, "think")
flow.add_edge("think", END)
graph = flow.compile()
"""


@pytest.fixture
def careless(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Any]]:
    """`gatehouse …` at a registry whose only workflow uses a generic tool."""
    system = "careless_system"
    (tmp_path / "careless").mkdir()
    for file, text in {"policy.py": _POLICY, "graph.py": _GRAPH, "__init__.py": ""}.items():
        (tmp_path / "careless" / file).write_text(text.replace("{system}", system))
    (tmp_path / f"{system}.py").write_text(_TOOLS.replace("{system}", system))
    registry = tmp_path / "langgraph.json"
    registry.write_text(json.dumps({"dependencies": ["."], "graphs": {"careless": "./careless/graph.py:graph"}}))
    monkeypatch.setenv("GATEHOUSE_REGISTRY", str(registry))
    yield lambda *words: CliRunner().invoke(app, [*words])
    for name in [name for name in sys.modules if name.startswith("careless")]:
        del sys.modules[name]
    sys.path.remove(str(tmp_path))


def test_a_workflow_with_a_generic_tool_is_refused(careless: Callable[..., Any]) -> None:
    linted, checked = careless("tools", "lint", "--json"), careless("check", "--json")

    rules = {finding["rule"] for finding in json.loads(linted.stdout) if finding["level"] == "error"}
    assert (linted.exit_code, rules) == (1, {"generic-tool", "free-form-parameter"})
    (error,) = json.loads(checked.stdout)["errors"]
    assert (checked.exit_code, "generic-tool" in error, "free-form-parameter" in error) == (1, True, True)


def test_the_shipped_tools_are_listed_shown_and_kept() -> None:
    def gatehouse(*words: str) -> Any:
        return CliRunner().invoke(app, [*words])

    listed = json.loads(gatehouse("tools", "list", "--json").stdout)
    shown = json.loads(gatehouse("tools", "show", "billing.issue_refund", "--json").stdout)
    misspelt = gatehouse("tools", "show", "billing.isue_refund")

    assert {"name": "billing.issue_refund", "workflows": ["billing_dispute"]}.items() <= {
        **next(one for one in listed if one["name"] == "billing.issue_refund")
    }.items()
    assert shown["request"]["additionalProperties"] is False
    assert (misspelt.exit_code, "Did you mean 'billing.issue_refund'" in misspelt.stderr) == (2, True)
    assert (gatehouse("tools", "lint").exit_code, gatehouse("check").exit_code) == (0, 0)
