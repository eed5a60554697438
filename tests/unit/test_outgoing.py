"""A reply passes only with known links and known sums of money; how money is written and read back."""

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from contracts.guard import Judgement
from guards.money import read_amount, write_amount
from guards.outgoing import judge_outgoing

LINK = "https://help.example.com/refunds"
amounts = st.integers(1, 10**11)
currencies = st.sampled_from(["EUR", "GBP", "USD", "SEK", "CHF", "JPY", "KWD"])


def judge(text: str, *, cents: int = 6840, currency: str = "EUR") -> Judgement:
    return judge_outgoing(text, allowed_links=[LINK], allowed_amounts_cents=[cents], currency=currency, max_chars=500)


@pytest.mark.parametrize(
    "text",
    [
        "We refund EUR 68.40 to your card.",
        "Wir erstatten 68,40 €.",
        "You get 68.40 euros back, 68.40 in all.",
        "Your charge CH-1001-04 of 30.10.2026 on invoice IN-202610-1001 was posted 2 times.",
        "Our markup is 3.00 % at most; call before 5 p.m., i.e. today. I'd try 2 more days.",
        f"Read more at {LINK}.",
        f"Read [more]({LINK}).",
    ],
)
def test_a_reply_with_what_is_allowed_passes_unchanged(text: str) -> None:
    assert judge(text) == Judgement("pass", text)


@pytest.mark.parametrize(
    "money",
    [
        "EUR 500",
        "€500",
        "500€",
        "68.41 euros",
        "€6840",
        "68.41",
        "5 € 500",
        "€68.40 €500",
        "500 EUR68.40",
        "\uff15\uff10\uff10 €",
        "€5\u200b00",
        "€5k",
        "€68.40k",
        "68.40 million euros",
        "5 million euros",
        "five hundred euros",
        "50 cents",
        "$68.40",
        "A$68.40",
        "X$68.40",
        "£68.40",
        "68.40 kr",
        "€68€40",
    ],
)
def test_any_other_sum_of_money_blocks_the_reply(money: str) -> None:
    judged = judge(f"We pay you {money} today.")

    assert (judged.verdict, judged.text) == ("block", "")
    assert judged.findings[0].startswith("amount not allowed: ")


@pytest.mark.parametrize(
    "link",
    [
        "https://evil.example/refunds",
        LINK + "?account=AC-1001",
        LINK + "/more",
        LINK.replace("https", "http"),
        "https://help.example.com@evil.example/refunds",
        "https://help.example.com.evil.example/refunds",
        "help.example.com",
        "www.evil.example",
        "//evil.example",
        "evil\u3002example/x",
        "ev\u200bil.example",
        "javascript:alert(1)",
        "mailto:somebody@evil.example",
        "somebody@evil.example",
    ],
)
def test_any_other_link_blocks_the_reply(link: str) -> None:
    judged = judge(f"Please see {link} for more.")

    assert judged.verdict == "block"
    assert judged.findings[0].startswith("link not allowed: ")


@pytest.mark.parametrize("text", ["", " \n\t", "\u200b\u200b"])
def test_a_reply_without_words_is_blocked(text: str) -> None:
    assert judge(text).findings == ("no text",)


def test_a_reply_that_is_too_long_is_blocked() -> None:
    assert judge("a " * 251).findings == ("502 characters, 500 allowed",)


@pytest.mark.parametrize("number", ["9" * 450, "9" * 450 + ".00", "9" * 450 + " cents", "€" + "9," * 220])
def test_a_number_without_end_is_only_blocked(number: str) -> None:
    assert judge(f"€{number}").verdict == "block"


def test_a_text_without_end_is_judged_at_once() -> None:
    assert judge("a" * 10**6 + "9" * 10**5 + " €").findings == ("1100002 characters, 500 allowed",)


def test_text_that_runs_backwards_is_blocked() -> None:
    assert judge("We pay you \u202e04.86\u202c today.").verdict == "block"


def test_every_finding_is_named() -> None:
    judged = judge("€1, €2 and www.evil.example")

    assert len(judged.findings) == 3


def test_yen_have_no_hundredths() -> None:
    assert write_amount(4500, "JPY") == "JPY 4,500"
    assert judge("We refund ¥4,500.", cents=4500, currency="JPY").verdict == "pass"
    assert judge("We refund 4 500 円.", cents=4500, currency="JPY").verdict == "pass"
    assert judge("We refund ¥45.00.", cents=4500, currency="JPY").verdict == "block"
    assert judge("We refund ¥45.", cents=4500, currency="JPY").verdict == "block"


@pytest.mark.parametrize(
    ("number", "cents"),
    [
        ("1,240.00", 124000),
        ("1.240,00", 124000),
        ("1 240,00", 124000),
        ("1'240.00", 124000),
        ("1240", 124000),
        ("1.240", 124000),
        ("12,5", 1250),
        ("1,2,3", None),
        ("1.240.00", None),
        ("12.345,6789", None),
    ],
)
def test_numbers_are_read_as_europe_and_america_write_them(number: str, cents: int | None) -> None:
    assert read_amount(number, "EUR") == cents


@settings(deadline=None)
@given(cents=amounts, currency=currencies)
def test_a_sum_is_read_back_as_it_was_written(cents: int, currency: str) -> None:
    written = write_amount(cents, currency)

    assert read_amount(written.split()[1], currency) == cents
    assert judge(f"We refund {written}.", cents=cents, currency=currency).verdict == "pass"


@settings(deadline=None)
@given(cents=amounts, other=amounts, currency=currencies)
def test_only_the_allowed_sum_passes(cents: int, other: int, currency: str) -> None:
    assume(cents != other)
    text = f"We refund {write_amount(cents, currency)} and {write_amount(other, currency)}."

    assert judge(text, cents=cents, currency=currency).verdict == "block"


@settings(deadline=None)
@given(cents=amounts, currency=currencies, other=currencies)
def test_a_sum_in_another_currency_is_another_sum(cents: int, currency: str, other: str) -> None:
    assume(currency != other)

    assert judge(f"We refund {write_amount(cents, other)}.", cents=cents, currency=currency).verdict == "block"


@settings(deadline=None)
@given(st.text(max_size=200))
def test_any_text_can_be_judged(text: str) -> None:
    judged = judge(text)

    assert judged.text == (text if judged.verdict == "pass" else "")
