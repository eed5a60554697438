"""Each model and each tool, broken at a stage: a declared outcome and no effect that nobody expects."""

import asyncio
import json
from collections.abc import Iterator

import pytest
from typer.testing import CliRunner

from engine.catalog.catalog import load_catalog
from evals import faulting
from evals.case_files import read_case
from evals.commands import app
from evals.observation import Done, Observation
from tests.conftest import ROOT, fresh_database


@pytest.fixture(scope="module")
def database(postgres: str) -> Iterator[str]:
    with fresh_database(postgres) as dsn:
        yield dsn


@pytest.fixture(autouse=True)
def here(database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", database)


CLASSIFYING = ("faults", "billing_dispute", "--case", "fraud", "--stage", "classify_issue")


def test_a_broken_model_hands_its_case_to_a_person() -> None:
    result = CliRunner().invoke(app, [*CLASSIFYING, "--json"])

    cells = json.loads(result.stdout)["cells"]
    assert result.exit_code == 0, result.output
    assert {cell["fault"] for cell in cells} == set(faulting.MODEL_FAULTS) >= {"malformed", "schema_invalid"}
    assert {(cell["outcome"], bool(cell["code"])) for cell in cells} == {("handed_off", True)}


def test_a_stage_that_no_case_gets_to_is_no_pass() -> None:
    result = CliRunner().invoke(app, ["faults", "billing_dispute", "--case", "fraud", "--stage", "grant_credit"])

    assert result.exit_code == 1
    assert "no case passes through the stage" in result.stdout
    assert "5 faults at stages, 0 borne" in result.stdout


def test_a_system_that_cannot_be_broken_is_no_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(faulting, "SYSTEMS", faulting.SYSTEMS - {"crm"})
    disputes = load_catalog(ROOT / "langgraph.json", routes={})["billing_dispute"]
    cells = [cell for cell in faulting.cells_of(disputes, ()) if cell.name == "crm.find_customer"]

    found = asyncio.run(faulting.bear(None, cells, on_done=lambda _: None))  # type: ignore[arg-type]  # not played

    assert len(found) == len(faulting.TOOL_FAULTS)
    assert {one.problems for one in found} == {("its system has no world in evals/worlds that could be broken",)}


REFUND: Done = {"refunds": ({"charge_id": "CH-1", "amount_cents": 1, "currency": "EUR"},)}


@pytest.mark.parametrize(
    ("seen", "said"),
    [
        (Observation("handed_off", path=(), gates=()), ""),
        (Observation("exploded", path=(), gates=()), "it ended as 'exploded', which is no outcome"),
        (Observation("failed_safe", path=(), gates=(), problem={"code": "internal_error"}), "code has crashed"),
        (Observation("handed_off", path=(), gates=(), errors=("internal_error",)), "code has crashed"),
        (Observation("completed", path=(), gates=(), done=REFUND), "effects.refunds: expected "),
        (Observation("completed", path=(), gates=(), breaches=("unapproved",)), "unapproved"),
    ],
)
def test_a_crash_and_an_unexpected_effect_are_not_borne(seen: Observation, said: str) -> None:
    fraud = read_case(ROOT / "evals" / "cases" / "billing_dispute" / "fraud", "billing_dispute")

    found = " ".join(faulting.problems_of(fraud, seen))

    assert said in found if said else not found


def test_ugly_input_is_run_by_kind() -> None:
    result = CliRunner().invoke(app, ["ugly", "customer_service"])

    assert result.exit_code == 0, result.output
    for kind in ("incomplete", "conflicting", "edge", "angry", "bad_format", "vague"):
        assert kind in result.stdout
