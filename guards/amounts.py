"""Finds sums of money in free text, however they are written."""

import re
import unicodedata
from dataclasses import dataclass

from guards.money import read_amount

_MARKS_OF = {
    "EUR": "€ eur euro euros",
    "GBP": "£ gbp pound pounds quid",
    "USD": "$ us$ usd dollar dollars bucks",
    "AUD": "$ a$ au$ dollar dollars",
    "CAD": "$ c$ ca$ dollar dollars",
    "NZD": "$ nz$ dollar dollars",
    "SGD": "$ s$ dollar dollars",
    "HKD": "$ hk$ dollar dollars",
    "SEK": "kr sek krona kronor",
    "NOK": "kr krone kroner",
    "DKK": "kr krone kroner",
    "CHF": "chf franc francs",
    "JPY": "¥ 円 jpy yen",
    "CNY": "¥ 元 yuan",
    "INR": "₹ rupee rupees",
    "KRW": "₩",
    "PLN": "zł zloty",
    "CZK": "kč koruna korun",
    "HUF": "forint",
    "RUB": "₽ rouble roubles ruble rubles",
    "TRY": "₺ lira",
    "UAH": "₴ hryvnia",
    "ILS": "₪ shekel shekels",
    "BRL": "r$",
    "ZAR": "rand",
    "KWD": "",
    "AED": "dirham dirhams",
    "THB": "฿ baht",
}
"""The currencies we know, and what people write for them beside the ISO code. A mark may stand for several."""

_MINOR_MARKS_OF = {
    "EUR": "cent cents",
    "USD": "cent cents",
    "GBP": "penny pence",
    "SEK": "öre",
    "NOK": "øre",
    "DKK": "øre",
}

_NUMBER_WORDS = (
    "one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|thirteen|fourteen|fifteen|sixteen|seventeen|"
    "eighteen|nineteen|twenty|thirty|forty|fifty|sixty|seventy|eighty|ninety|hundred|thousand|million|half"
)


def _by_mark(marks_of: dict[str, str]) -> dict[str, frozenset[str]]:
    marks = {mark for written in marks_of.values() for mark in written.split()}
    return {mark: frozenset(code for code, written in marks_of.items() if mark in written.split()) for mark in marks}


_MINOR = _by_mark(_MINOR_MARKS_OF)
_MEANING = _by_mark(_MARKS_OF) | _MINOR | {code: frozenset({code}) for code in _MARKS_OF}


def _pattern() -> str:
    """Any mark, longest first. Letters stand apart from other letters; an ISO code is in capitals: `TRY`, not `try`."""
    letter = r"[^\W\d_]"
    words = "|".join(re.escape(mark) for mark in sorted(_MEANING.keys() - _MARKS_OF.keys(), key=len, reverse=True))
    any_dollar = r"[a-z]{1,3}\$"  # a dollar that we do not know is money all the same
    marks = rf"(?-i:{'|'.join(_MARKS_OF)})|{any_dollar}|{words}"
    return rf"(?:(?<!{letter})(?={letter})|(?!{letter}))(?P<mark>{marks})(?:(?<={letter})(?!{letter})|(?<!{letter}))"


_NUMBER = re.compile(r"\d+(?:(?:[.,']| (?=\d{3}(?!\d)))\d+)*")
_LEFT = re.compile(rf"{_pattern()}\s{{0,2}}-?\Z", re.IGNORECASE)
_RIGHT = re.compile(rf"\s{{0,2}}-?{_pattern()}", re.IGNORECASE)
_SCALE = re.compile(r"\s?(?:k|mn?|bn|hundred|thousand|grand|million)(?![^\W\d_])", re.IGNORECASE)
_IN_WORDS = re.compile(rf"\b(?:{_NUMBER_WORDS})[\s-]+{_pattern()}", re.IGNORECASE)
_PRICE = re.compile(r"\d[\d ,.']*[.,]\d{2}")


@dataclass(frozen=True)
class Amount:
    """A sum of money found in a text."""

    written: str
    number: str
    currencies: frozenset[str]
    """What its marks may stand for; empty when it is money that cannot be read, which equals no sum."""
    minor: bool = False
    """Counted in cents, pence or öre."""

    def is_one_of(self, amounts_cents: frozenset[int], currency: str) -> bool:
        """Whether this is one of `amounts_cents` of `currency`, written as that currency is written."""
        if currency not in self.currencies:
            return False
        if self.minor and self.number.isdecimal():
            return self.number.lstrip("0") in {str(cents) for cents in amounts_cents}
        return read_amount(self.number, currency) in amounts_cents


def find_amounts(text: str) -> list[Amount]:
    """Every sum of money in `text`: a number beside a currency mark, a sum in words, a bare number like `12.99`.

    A bare whole number (`500`) is not seen as money: invoices, days and cards are numbered too.
    """
    seen = as_read(text)
    in_figures = (_amount(match, seen) for match in _NUMBER.finditer(seen))
    in_words = (Amount(match.group(), "", frozenset()) for match in _IN_WORDS.finditer(seen))
    return [*(amount for amount in in_figures if amount), *in_words]


def as_read(text: str) -> str:
    """The text as a reader sees it: compatibility forms folded (NFKC), invisible characters gone, one apostrophe."""
    folded = unicodedata.normalize("NFKC", text)
    visible = "".join(sign for sign in folded if unicodedata.category(sign) != "Cf")
    return visible.replace("\N{RIGHT SINGLE QUOTATION MARK}", "'").replace("\N{IDEOGRAPHIC FULL STOP}", ".")


def _amount(number: re.Match[str], text: str) -> Amount | None:
    """Judge one number by the marks left and right of it; the right one may be the next number's left one."""
    left = _LEFT.search(text[max(0, number.start() - 16) : number.start()])
    scale = _SCALE.match(text, number.end())
    right = _RIGHT.match(text, scale.end() if scale else number.end())
    marks = [match["mark"] for match in (left, right) if match]
    if not marks and not _is_price(number.group(), text[number.end() :]):
        return None
    meanings = [_MEANING.get(mark) or _MEANING.get(mark.lower(), frozenset()) for mark in marks]
    currencies = frozenset(_MARKS_OF).intersection(*meanings) if scale is None else frozenset()
    start = number.start() - (len(left.group()) if left else 0)
    end = right.end("mark") if right else scale.end() if scale else number.end()
    return Amount(text[start:end], number.group(), currencies, minor=any(mark.lower() in _MINOR for mark in marks))


def _is_price(number: str, after: str) -> bool:
    if after.lstrip().startswith("%"):
        return False
    return _PRICE.fullmatch(number) is not None and read_amount(number, "EUR") is not None
