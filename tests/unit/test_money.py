"""Sums in whole minor units, whichever way a tool writes them."""

import pytest
from pydantic import JsonValue

from contracts.errors import InvalidArguments
from contracts.money import minor_units


@pytest.mark.parametrize(
    ("amount", "currency", "minor"),
    [
        (1250, "EUR", 1250),
        ("12.50", "EUR", 1250),
        ("12.5", "usd", 1250),
        ("12.501", "EUR", 1251),
        ("-3.00", "EUR", -300),
        ("900", "JPY", 900),
        ("1.234", "KWD", 1234),
    ],
)
def test_a_sum_is_the_same_in_both_ways(amount: JsonValue, currency: str, minor: int) -> None:
    assert minor_units(amount, currency) == minor


@pytest.mark.parametrize("amount", ["", "twelve", "NaN", "Infinity", "1e", True, None, 1.5, ["1.00"]])
def test_what_is_no_sum_is_refused(amount: JsonValue) -> None:
    with pytest.raises(InvalidArguments, match="is no sum of money"):
        minor_units(amount, "EUR")
