"""The verdict of the chaos names each way in which something may be wrong, and nothing when all is right."""

from dataclasses import replace

import pytest

from tests.chaos.person import Doubts
from tests.chaos.verdict import CaseRow, EffectRow, Evidence, judge

RIGHT = Evidence(
    cases=[CaseRow("r1", "a", 2, "completed"), CaseRow("r2", "b", 2, "handed_off")],
    effects=[
        EffectRow("a", 1, "done"),
        EffectRow("a", 2, "resolved_done"),
        EffectRow("b", 1, "done"),
        EffectRow("b", 2, "refused"),
    ],
    counted={("a", 1): 1, ("a", 2): 1, ("b", 1): 1},
    accepted=frozenset({"r1", "r2"}),
    doubts=Doubts(happened=1, did_not=0, hidden=[]),
)
OPEN = CaseRow("r3", "c", 0, None)


def test_nothing_is_wrong_when_every_side_says_the_same() -> None:
    assert judge(RIGHT).holds


@pytest.mark.parametrize(
    ("evidence", "wrong"),
    [
        (replace(RIGHT, accepted=RIGHT.accepted | {"r9"}), {"lost": ["r9"]}),
        (replace(RIGHT, cases=[*RIGHT.cases, OPEN]), {"lost": ["r3"]}),
        (replace(RIGHT, counted={**RIGHT.counted, ("a", 2): 2}), {"twice": [("a", 2)]}),
        (replace(RIGHT, counted={("a", 1): 1, ("b", 1): 1}), {"missing": [("a", 2)], "false": [("a", 2)]}),
        (replace(RIGHT, effects=[EffectRow("b", 3, "done")]), {"false": [("b", 3)]}),
        (replace(RIGHT, effects=[EffectRow("b", 1, "refused")]), {"false": [("b", 1)]}),
        (replace(RIGHT, effects=[EffectRow("b", 1, "unknown")]), {"false": [("b", 1)]}),
        (replace(RIGHT, doubts=Doubts(0, 0, hidden=["k"])), {"hidden": ["k"]}),
        (replace(RIGHT, audit_findings=1), {"tampered": 1}),
    ],
)
def test_what_is_wrong_is_named(evidence: Evidence, wrong: dict[str, object]) -> None:
    assert {name: found for name, found in vars(judge(evidence)).items() if found} == wrong
