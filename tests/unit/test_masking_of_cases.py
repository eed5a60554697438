"""Numbers of cards and accounts in a recorded case: others of the same form, and always the same for the same."""

import pytest
from pydantic import JsonValue

from contracts.sensitive import is_card_number, is_iban
from evals.recording.masking import Masking

IBANS = ("DE89370400440532013000", "GB29 NWBK 6016 1331 9268 19")
CARDS = ("4111 1111 1111 1111", "378282246310005")


@pytest.mark.parametrize("number", [*IBANS, *CARDS])
def test_a_number_gives_way_to_an_invented_one_of_the_same_form(number: str) -> None:
    instead = Masking()(number)

    holds = is_iban if number in IBANS else is_card_number
    assert instead != number
    assert holds(instead)
    assert [sign.isalnum() for sign in instead] == [sign.isalnum() for sign in number]


def test_what_was_equal_stays_equal_and_what_was_not_does_not() -> None:
    masking = Masking()

    said: dict[str, JsonValue] = {"to": IBANS[0], "text": f"Pay {IBANS[0]} and not {IBANS[1]}.", "amounts": [1, 2]}
    told = masking(said)

    assert told["text"] == f"Pay {told['to']} and not {masking(IBANS[1])}."
    assert masking(told) == told
    assert told["amounts"] == [1, 2]


def test_keys_of_providers_go() -> None:
    assert "AKIA" not in Masking()("my key AKIAIOSFODNN7EXAMPLE is here")
