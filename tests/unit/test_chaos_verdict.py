"""The verdict of the chaos names each way in which something may be wrong, and nothing when all is right."""

from dataclasses import replace

import pytest

from tests.chaos.verdict import EffectRow, Evidence, RunRow, judge

RIGHT = Evidence(
    runs=[RunRow("r1", "t1", "a", 2, "success", "completed"), RunRow("r2", "t2", "b", 2, "success", "handed_off")],
    effects=[
        EffectRow("r1", "a", 1, "done"),
        EffectRow("r1", "a", 2, "done"),
        EffectRow("r2", "b", 1, "done"),
        EffectRow("r2", "b", 2, "unknown"),
    ],
    counted={("a", 1): 1, ("a", 2): 1, ("b", 1): 1},
    accepted=frozenset({"r1", "r2"}),
    told=frozenset({"r2"}),
)
OPEN = RunRow("r3", "t3", "c", 0, "running", None)


def test_nothing_is_wrong_when_every_side_says_the_same() -> None:
    assert judge(RIGHT).holds


@pytest.mark.parametrize(
    ("evidence", "wrong"),
    [
        (replace(RIGHT, accepted=RIGHT.accepted | {"r9"}), {"lost": ["r9"]}),
        (replace(RIGHT, runs=[*RIGHT.runs, OPEN]), {"lost": ["r3"]}),
        (replace(RIGHT, counted={**RIGHT.counted, ("a", 2): 2}), {"twice": [("a", 2)]}),
        (
            replace(RIGHT, counted={("a", 1): 1, ("b", 1): 1}),
            {"missing": [("a", 2)], "false": [("a", 2)]},
        ),
        (replace(RIGHT, effects=[*RIGHT.effects, EffectRow("r2", "b", 3, "done")]), {"false": [("b", 3)]}),
        (
            replace(RIGHT, counted={**RIGHT.counted, ("b", 3): 1}, effects=[EffectRow("r2", "b", 3, "refused")]),
            {"false": [("b", 3)]},
        ),
        (replace(RIGHT, told=frozenset()), {"hidden": ["r2"]}),
        (replace(RIGHT, audit_findings=1), {"tampered": 1}),
    ],
)
def test_what_is_wrong_is_named(evidence: Evidence, wrong: dict[str, object]) -> None:
    assert {name: found for name, found in vars(judge(evidence)).items() if found} == wrong
