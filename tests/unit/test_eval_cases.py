"""Cases are read with clear errors, every scorer can fail, and the baseline shows what flipped."""

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

import pytest
import yaml

from contracts.approval import JsonObject
from contracts.errors import ConfigurationError, InvalidEvalFile
from contracts.event import AuditRecord, Event
from engine.models.recording import Recording
from evals.baseline import behaviour, compare, read_baseline, write_baseline
from evals.case import Expectations, Kind
from evals.case_files import read_case, read_cases
from evals.observation import Observation, errors_in, gates_in, unapproved_effects
from evals.replies import RecordedReplies, RepliesInOrder
from evals.scorers import failures, fits, harm, value_at

CASES = Path(__file__).parents[2] / "evals" / "cases"
WORKFLOWS = sorted(path.name for path in CASES.iterdir() if path.is_dir())
UGLY = {"ugly_incomplete", "ugly_conflicting", "ugly_edge", "ugly_angry", "ugly_bad_format", "ugly_vague"}

SEEN = Observation(
    outcome="completed",
    path=("assess", "approve_refund", "pay_refund", "close"),
    gates=("refund-over-limit-eur",),
    done={"refunds": ({"charge_id": "CH-1", "amount_cents": 6840, "currency": "EUR"},)},
    model_calls=3,
    tool_calls=5,
    state={"finding": {"remedy": "refund", "evidence": ["CH-1", "CH-2"]}, "receipt": None},
    kept='{"complaint": "my card 4111 1111"}',
)
EXPECTED: dict[str, Any] = {
    "outcome": "completed",
    "stages": {"mode": "exact", "path": ["assess", "approve_refund", "pay_refund", "close"]},
    "gates": ["refund-over-limit-eur"],
    "effects": {"refunds": [{"amount_cents": 6840}]},
    "forbidden": [{"effect": "refunds", "having": {"amount_cents": 1}}],
    "state": {"finding.remedy": "refund", "finding.evidence.1": "CH-2", "receipt": None},
    "nowhere": ["5555"],
    "limits": {"model_calls": 3, "tool_calls": 5},
}


def expecting(**changes: Any) -> Expectations:
    return Expectations.model_validate(EXPECTED | changes)


@pytest.fixture
def case(tmp_path: Path) -> Path:
    """A copy of a real case, to be spoilt."""
    return Path(shutil.copytree(CASES / "billing_dispute" / "flight-approved", tmp_path / "flight-approved"))


def spoil(case: Path, **changes: object) -> None:
    file = case / "case.yaml"
    file.write_text(yaml.safe_dump(yaml.safe_load(file.read_text()) | changes))


@pytest.mark.parametrize("workflow", WORKFLOWS)
def test_every_workflow_has_cases_of_every_ugly_kind(workflow: str) -> None:
    cases = read_cases(CASES, workflow)

    assert {case.case.kind for case in cases} >= UGLY
    assert set(get_args(Kind)) >= UGLY


@pytest.mark.parametrize("workflow", WORKFLOWS)
def test_replies_say_honestly_where_they_come_from(workflow: str) -> None:
    replies = [(case.name, reply) for case in read_cases(CASES, workflow) for reply in case.recordings]

    assert [name for name, reply in replies if (reply.source == "written") != (reply.model == "written")] == []
    assert [name for name, reply in replies if not reply.key] == []


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"titel": "x"}, "flight-approved/case.yaml: titel: Extra inputs are not permitted"),
        ({"kind": "nice"}, "flight-approved/case.yaml: kind: Input should be 'automatic'"),
        ({"answers": [{"type": "approve", "amount": 1}]}, "case.yaml: answers.0.approve.amount: Extra inputs"),
        ({"answers": [{"type": "aprove"}]}, "case.yaml: answers.0: Input tag 'aprove' found"),
        ({"faults": [{"operation": "billing", "kind": "slow"}]}, "case.yaml: faults.0.operation: String should match"),
        ({"words_from": "the web"}, "case.yaml: words_from: String should match"),
        ({"expect": EXPECTED | {"effects": {"refund": []}}}, "case.yaml: expect.effects.refund"),
        ({"expect": EXPECTED | {"outcome": "fine"}}, "case.yaml: expect.outcome"),
        ({"expect": EXPECTED | {"stages": {"mode": "strict", "path": []}}}, "case.yaml: expect.stages.mode"),
    ],
)
def test_a_wrong_field_is_named_with_its_file(case: Path, changes: dict[str, object], field: str) -> None:
    spoil(case, **changes)

    with pytest.raises(ConfigurationError) as caught:
        read_case(case, "billing_dispute")

    assert field in caught.value.detail


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("not json", "flight-approved/calls.jsonl:1 is not JSON"),
        ("[]", "flight-approved/calls.jsonl:1: the file: "),
        ('{"reply": "x"}', "flight-approved/calls.jsonl:1: reply: A recording has no such field"),
        ('{"stage": "a"}', "flight-approved/calls.jsonl:1: key: Field required"),
    ],
)
def test_a_wrong_recording_is_named_with_its_line(case: Path, line: str, message: str) -> None:
    (case / "calls.jsonl").write_text(line + "\n")

    with pytest.raises(ConfigurationError) as caught:
        read_case(case, "billing_dispute")

    assert message in caught.value.detail


def test_a_recording_cannot_claim_another_source(case: Path) -> None:
    line = json.loads((case / "calls.jsonl").read_text().splitlines()[0]) | {"source": "invented"}
    (case / "calls.jsonl").write_text(json.dumps(line))

    with pytest.raises(ConfigurationError, match=r"calls\.jsonl:1: source: Input should be 'recorded' or 'written'"):
        read_case(case, "billing_dispute")


def test_a_folder_without_its_files_and_a_name_without_folder_are_refused(case: Path, tmp_path: Path) -> None:
    (case / "calls.jsonl").unlink()
    with pytest.raises(ConfigurationError, match=r"flight-approved has no readable calls\.jsonl"):
        read_case(case, "billing_dispute")

    with pytest.raises(ConfigurationError, match="no case 'nothing'"):
        read_cases(tmp_path, "billing_dispute", ["nothing"])


def test_what_is_as_expected_passes() -> None:
    assert failures(expecting(), SEEN) == []


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ({"outcome": "rejected"}, "outcome"),
        ({"problem": {"code": "tool_refused", "category": "tool"}}, "problem"),
        ({"stages": {"mode": "exact", "path": ["assess", "close"]}}, "stages (exact)"),
        ({"stages": {"mode": "in_order", "path": ["pay_refund", "assess"]}}, "stages (in_order)"),
        ({"stages": {"mode": "subset", "path": ["assess", "assess"]}}, "stages (subset)"),
        ({"gates": []}, "gates"),
        ({"effects": {}}, "effects.refunds"),
        ({"effects": {"refunds": [{"amount_cents": 6841}]}}, "effects.refunds.0.amount_cents"),
        ({"effects": {"refunds": [{}], "messages": [{}]}}, "effects.messages"),
        ({"forbidden": [{"effect": "refunds", "having": {"charge_id": "CH-1"}}]}, "forbidden.refunds"),
        ({"state": {"finding.remedy": "none"}}, "state.finding.remedy"),
        ({"state": {"finding.amount": 1}}, "state.finding.amount"),
        ({"nowhere": ["4111"]}, "nowhere"),
        ({"limits": {"model_calls": 2, "tool_calls": 5}}, "limits.model_calls"),
        ({"limits": {"model_calls": 3, "tool_calls": 4}}, "limits.tool_calls"),
    ],
)
def test_each_expectation_can_fail(changes: dict[str, object], what: str) -> None:
    assert [failure.what for failure in failures(expecting(**changes), SEEN)] == [what]


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ({"problem": {"code": "tool_refused", "category": "tool", "stage": "pay_refund"}}, "problem"),
        ({"off_script": ("answer 1 (approve) found the case waiting for nothing",)}, "answers"),
        ({"breaches": ("billing.issue_refund was called without an approved request",)}, "always"),
    ],
)
def test_what_nobody_expected_fails(changes: dict[str, Any], what: str) -> None:
    assert [failure.what for failure in failures(expecting(), replace(SEEN, **changes))] == [what]


def test_a_case_without_its_replies_is_still_held_to_what_it_did() -> None:
    paid_twice = replace(SEEN, outcome="handed_off", done={"refunds": SEEN.done["refunds"] * 2})

    assert harm(expecting(), replace(SEEN, outcome="handed_off")) == []
    assert [failure.what for failure in harm(expecting(), paid_twice)] == ["effects.refunds"]


def test_a_failure_says_what_was_expected_and_what_was_found() -> None:
    (failure,) = failures(expecting(outcome="rejected"), SEEN)

    assert str(failure) == "outcome: expected rejected, was completed"


@pytest.mark.parametrize(
    ("wanted", "actual", "holds"),
    [
        ({"contains": "EUR"}, "EUR 5", True),
        ({"contains": ["EUR", "6"]}, "EUR 5", False),
        ({"lacks": "5"}, "EUR 5", False),
        ({"lacks": "5"}, value_at({}, "nowhere"), False),
        (1, True, False),
        ({}, {}, True),
    ],
)
def test_values_are_equal_or_looked_into(wanted: Any, actual: Any, holds: bool) -> None:
    assert fits(wanted, actual) is holds


def test_an_effect_without_its_approval_is_seen() -> None:
    called = record(Event.CALL_STARTED, tool="billing.issue_refund", effect="idempotent", approval_id="R1")
    rejected = record(Event.APPROVAL_DECIDED, type="reject", request_id="R1")
    approved = record(Event.APPROVAL_DECIDED, type="approve", request_id="R1")

    assert list(unapproved_effects([rejected, called])) == [
        "billing.issue_refund was called without an approved request"
    ]
    assert list(unapproved_effects([approved, called])) == []


def test_gates_and_errors_are_read_from_the_audit_chain() -> None:
    chain = [
        record(Event.ACTION_FROZEN, request_id="R1", rule="over-limit", verdict="require_approval"),
        record(Event.ACTION_FROZEN, request_id="R2", rule="small", verdict="allow"),
        record(Event.APPROVAL_REQUESTED, request_id="R1"),
        record(Event.CALL_FINISHED, error={"code": "tool_refused"}),
        record(Event.MODEL_CALLED, problem="reply: Invalid JSON"),
    ]

    assert gates_in(chain) == ("over-limit",)
    assert errors_in(chain) == ("tool_refused", "model")


def record(event: Event, **data: Any) -> AuditRecord:
    return {"event": event.value, "at": "", "run_id": "", "actor": "", "data": data}


def reply(key: str, stage: str = "assess") -> Recording:
    return Recording(stage=stage, key=key, source="written", model="written", content="{}", messages=[])


def test_replies_that_nothing_asks_for_are_known() -> None:
    replies = RecordedReplies([reply("a"), reply("b")])

    replies.take("case", "assess", "a", [])

    assert [left.key for left in replies.unused()] == ["b"]


def test_replies_in_order_take_the_keys_of_the_calls() -> None:
    replies = RepliesInOrder([reply(""), reply("")])

    for key in ("first", "second", "second"):
        replies.take("case", "assess", key, ["human: hello"])

    assert [given.key for given in replies.given] == ["first", "second"]
    assert replies.given[0].messages == ["human: hello"]


def test_a_flip_is_shown_as_a_diff_and_new_and_gone_cases_are_named() -> None:
    before: dict[str, JsonObject] = {"a": behaviour(SEEN), "gone": behaviour(SEEN)}
    after: dict[str, JsonObject] = {"a": behaviour(replace(SEEN, outcome="handed_off")), "new": behaviour(SEEN)}

    flips = compare(before, after, judged=["a", "gone", "new"])

    assert [(flip.case, flip.change) for flip in flips] == [("a", "changed"), ("gone", "gone"), ("new", "new")]
    assert ' "outcome": "completed",' in [line[1:] for line in flips[0].diff if line.startswith("-")]


def test_a_baseline_comes_back_as_it_was_written(tmp_path: Path) -> None:
    write_baseline(tmp_path / "new" / "b.json", {"a": behaviour(SEEN)})

    assert read_baseline(tmp_path / "new" / "b.json") == {"a": behaviour(SEEN)}
    assert read_baseline(tmp_path / "none.json") is None


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[1]", r"b\.json is not a baseline"),
        ("<html>", r"b\.json is not a baseline"),
        ('{"a": {"outcome": "completed", "stages": []}}', r"written by another version: 'a' differs in .*path.*stages"),
    ],
)
def test_a_file_that_is_no_baseline_of_this_version_is_refused(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "b.json").write_text(text)

    with pytest.raises(InvalidEvalFile, match=said):
        read_baseline(tmp_path / "b.json")


def test_a_recording_that_is_no_text_is_refused(case: Path) -> None:
    (case / "calls.jsonl").write_bytes(b'{"stage": "\xff\xfe"}')

    with pytest.raises(InvalidEvalFile, match=r"calls\.jsonl is no text"):
        read_case(case, "billing_dispute")
