"""What a run gets of the assistant that it was asked of."""

from engine.assistants.model import Setup, with_setup
from engine.runs.model import RunOptions


def test_what_the_caller_says_goes_over_what_the_assistant_says() -> None:
    setup = Setup(
        "w", "a", config={"configurable": {"tone": "plain", "lang": "en"}, "tags": ["a"], "recursion_limit": 50},
        context={"region": "eu", "deep": {"x": 1}},
    )  # fmt: skip
    asked = RunOptions(
        config={"configurable": {"lang": "de"}, "tags": ["b"]}, context={"deep": {"y": 2}}, interrupt_after=("s",)
    )

    got = with_setup(setup, asked)

    assert got.config == {"configurable": {"tone": "plain", "lang": "de"}, "tags": ["a", "b"], "recursion_limit": 50}
    assert got.context == {"region": "eu", "deep": {"y": 2}}
    assert got.interrupt_after == ("s",)


def test_an_assistant_that_says_nothing_changes_nothing() -> None:
    asked = RunOptions(config={"recursion_limit": 7}, interrupt_before=("s",))

    assert with_setup(Setup("w", "a"), asked) == asked
    assert with_setup(Setup("w", "a"), RunOptions()) == RunOptions()
