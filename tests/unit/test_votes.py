"""Which people make up a quorum: each in a seat of their own."""

import pytest

from contracts.policy import Quorum
from engine.approvals.votes import fits, is_reached

TWO_WITH_FINANCE = Quorum(("manager", "finance", "director"), needed=2, always=("finance",))


@pytest.mark.parametrize(
    ("quorum", "held", "reached"),
    [
        (Quorum(("finance",)), [("finance",)], True),
        (TWO_WITH_FINANCE, [("finance",)], False),
        (TWO_WITH_FINANCE, [("manager",), ("finance",)], True),
        (TWO_WITH_FINANCE, [("manager",), ("director",)], False),
        (TWO_WITH_FINANCE, [("manager",), ("director",), ("finance",)], True),
        (TWO_WITH_FINANCE, [("manager", "finance"), ("manager",)], True),
        (TWO_WITH_FINANCE, [("manager", "finance", "director")], False),
        (Quorum(("finance", "finance", "finance"), needed=2), [("finance",), ("finance",)], True),
        (Quorum(("finance", "finance"), needed=2), [("finance", "finance")], False),
    ],
)
def test_who_makes_up_a_quorum(quorum: Quorum, held: list[tuple[str, ...]], reached: bool) -> None:
    assert is_reached(quorum, held) is reached


def test_two_people_do_not_sit_in_one_seat() -> None:
    assert fits(TWO_WITH_FINANCE, [("manager",), ("director",)])
    assert not fits(TWO_WITH_FINANCE, [("manager",), ("manager",)])
    assert fits(TWO_WITH_FINANCE, [("manager", "director"), ("manager",)])


def test_a_larger_quorum_covers_a_smaller_one_that_it_includes() -> None:
    manager, other = Quorum(("manager",)), Quorum(("legal",))

    assert TWO_WITH_FINANCE.covers(manager)
    assert not manager.covers(TWO_WITH_FINANCE)
    assert not TWO_WITH_FINANCE.covers(other)
