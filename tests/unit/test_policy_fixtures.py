"""What each shipped workflow's policy says of named situations, and that no missing fact makes it say yes."""

from pathlib import Path
from typing import Any

import pytest

from engine.catalog.catalog import load_catalog
from engine.catalog.fixtures import Fixture, facts_read, never_fired, read_fixtures, try_fixture
from engine.catalog.workflow import Workflow
from engine.policies.deciding import decide

CATALOG = load_catalog(Path(__file__).parent.parent.parent / "langgraph.json", routes={})
FIXTURES = [(w, fixture) for w in CATALOG.values() for fixture in read_fixtures(w.folder)]
NAMES = [f"{w.name}: {fixture.name}" for w, fixture in FIXTURES]


@pytest.mark.parametrize(("workflow", "fixture"), FIXTURES, ids=NAMES)
def test_policy_says_what_was_written_down(workflow: Workflow, fixture: Fixture) -> None:
    tried = try_fixture(workflow, fixture)

    assert tried.holds, (tried.verdict.type, tried.verdict.rule)


@pytest.mark.parametrize("name", CATALOG)
def test_every_policy_is_shown_by_a_fixture(name: str) -> None:
    tried = [try_fixture(CATALOG[name], fixture) for w, fixture in FIXTURES if w.name == name]

    assert never_fired(CATALOG[name], tried) == []


@pytest.mark.parametrize(("workflow", "fixture"), FIXTURES, ids=NAMES)
def test_whatever_is_missing_policy_does_not_allow(workflow: Workflow, fixture: Fixture) -> None:
    facts, read = facts_read(workflow, fixture)

    for name in read:
        without: Any = {other: value for other, value in facts.items() if other != name}
        assert decide(workflow.policies, fixture.tool, "", without).type != "allow", name


def test_a_policy_that_no_fixture_shows_is_named() -> None:
    workflow = CATALOG["billing_dispute"]
    tried = [try_fixture(workflow, fixture) for w, fixture in FIXTURES if w is workflow]

    without = [one for one in tried if "refund-over-limit-jpy" not in one.verdict.rule]

    assert "billing.issue_refund/refund-over-limit-jpy" in never_fired(workflow, without)
