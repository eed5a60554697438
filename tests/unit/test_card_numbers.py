"""Card numbers and IBANs leave a text; everything a dispute is about stays."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from guards.card_numbers import redact_card_numbers


def _with_check_digit(digits: str) -> str:
    """The card number that starts with `digits`, found by trying: another way than the guard's own."""
    for check in "0123456789":
        number = digits + check
        doubled = [int(digit) * (2 if place % 2 else 1) for place, digit in enumerate(reversed(number))]
        if sum(value - 9 if value > 9 else value for value in doubled) % 10 == 0:
            return number
    raise AssertionError(digits)


def _with_check_digits(country: str, account: str) -> str:
    digits = "".join(str(int(sign, 36)) for sign in f"{account}{country}00")
    return f"{country}{98 - int(digits) % 97:02}{account}"


cards = st.text("0123456789", min_size=12, max_size=18).map(_with_check_digit)
ibans = st.builds(
    _with_check_digits,
    st.sampled_from(["DE", "FR", "GB", "IT", "NL", "SE"]),
    st.text("ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789", min_size=11, max_size=30),
)
# Words around a number; no digits, which might belong to it.
words = st.text("abc xyz.,;:!?€\n", max_size=30)


def _in_fours(number: str, gap: str) -> str:
    return gap.join(number[start : start + 4] for start in range(0, len(number), 4))


@pytest.mark.parametrize(
    "written",
    [
        "4111111111111111",
        "4111 1111 1111 1111",
        "4111-1111-1111-1111",
        "4111.1111.1111.1111",
        "4111 - 1111 - 1111 - 1111",
        "4111\u00a01111\u00a01111\u00a01111",
        "4111\n1111\n1111\n1111",
        "4 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1",
        "3782 822463 10005",
        "378282246310005",
    ],
)
def test_a_card_number_is_redacted_however_it_is_written(written: str) -> None:
    judged = redact_card_numbers(f"my card is {written}, thanks")

    assert (judged.verdict, judged.text) == ("redact", "my card is [card number], thanks")
    assert judged.findings == ("card number",)


@pytest.mark.parametrize(
    "written",
    [
        "DE89370400440532013000",
        "DE89 3704 0044 0532 0130 00",
        "de89 3704 0044 0532 0130 00",
        "GB29 NWBK 6016 1331 9268 19",
        "FR14 2004 1010 0505 0001 3M02 606",
    ],
)
def test_an_iban_is_redacted_however_it_is_written(written: str) -> None:
    judged = redact_card_numbers(f"pay it to {written} please")

    assert (judged.verdict, judged.text) == ("redact", "pay it to [IBAN] please")


@pytest.mark.parametrize(
    "text",
    [
        "I was charged twice, 68.40 on 2026-10-30 and 68.40 on 2026-10-30.",
        "amounts 68.40, 68.40, 12.99, 45.10, 22.30, 12.00, 99.95",
        "charge CH-1001-04 on invoice IN-202610-1001 of account AC-1001",
        "call me at +44 20 7946 0958 or 06 12 34 56 78",
        "4111 1111 1111 1112 is a digit off",
        "DE88 3704 0044 0532 0130 00 is a digit off",
        "on 14 October my card was charged",  # passes mod 97 when run together
        "DE19 [card number] 1234",  # so does this
        "",
    ],
)
def test_what_a_dispute_is_about_stays(text: str) -> None:
    judged = redact_card_numbers(text)

    assert (judged.verdict, judged.text, judged.findings) == ("pass", text, ())


def test_digits_before_and_after_a_card_number_hide_nothing() -> None:
    judged = redact_card_numbers("2026 4111 1111 1111 1111 123")

    assert "1111" not in judged.text


def test_a_number_within_a_number_leaves_no_rest() -> None:
    judged = redact_card_numbers("1000 20264111111108 0")  # the whole passes Luhn, and so does its middle

    assert judged.text == "[card number]"


@settings(deadline=None)
@given(card=cards, gap=st.sampled_from(["", " ", "-", ".", " - "]), before=words, after=words)
def test_no_card_number_survives_in_any_sentence(card: str, gap: str, before: str, after: str) -> None:
    judged = redact_card_numbers(f"{before} {_in_fours(card, gap)} {after}")

    assert judged.verdict == "redact"
    assert not any(sign.isdigit() for sign in judged.text)


@settings(deadline=None)
@given(iban=ibans, gap=st.sampled_from(["", " ", "-"]), before=words, after=words)
def test_no_iban_survives_in_any_sentence(iban: str, gap: str, before: str, after: str) -> None:
    judged = redact_card_numbers(f"{before}\n{_in_fours(iban, gap)}\n{after}")

    assert judged.verdict == "redact"
    assert _in_fours(iban, gap) not in judged.text
    assert not any(sign.isdigit() for finding in judged.findings for sign in finding)


@settings(deadline=None)
@given(st.text("0123456789 -DEGB[]cardnumberIBAN", max_size=80))
def test_redacting_twice_changes_nothing(text: str) -> None:
    once = redact_card_numbers(text)

    assert redact_card_numbers(once.text).text == once.text


@settings(deadline=None)
@given(st.text(max_size=200))
def test_any_text_can_be_judged(text: str) -> None:
    judged = redact_card_numbers(text)

    assert (judged.verdict == "pass") == (judged.text == text)
