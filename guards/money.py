"""How money is written: minor units to text and back. No rates, no arithmetic."""

import re

# ISO 4217: the currencies whose minor unit is not a hundredth.
_WHOLE_ONLY = frozenset(
    {"BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "PYG", "RWF", "UGX", "VND", "XAF", "XOF"}
)
_THOUSANDTHS = frozenset({"BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"})
_LONGEST = 24  # figures and marks; Python refuses to read some thousands of digits, and no sum has them
_WHOLE = r"(?P<whole>\d{1,3}(?:(?P<mark>[.,' ])\d{3})(?:(?P=mark)\d{3})*|\d+)"


def minor_digits(currency: str) -> int:
    """Decimal places of an ISO 4217 currency: 2 for most, 0 for the yen, 3 for the Kuwaiti dinar."""
    if currency in _WHOLE_ONLY:
        return 0
    return 3 if currency in _THOUSANDTHS else 2


def write_amount(amount_cents: int, currency: str) -> str:
    """Write minor units for people: `EUR 1,240.00`, `JPY 4,500`. Never divide by 100 elsewhere."""
    digits = minor_digits(currency)
    whole, part = divmod(abs(amount_cents), 10**digits)
    sign = "-" if amount_cents < 0 else ""
    return f"{currency} {sign}{whole:,}" + (f".{part:0{digits}}" if digits else "")


def read_amount(number: str, currency: str) -> int | None:
    """Minor units of a number such as `1,240.00`, `1.240,00` or `1 240`; None when the currency is not written so.

    Three digits after a single mark are thousands, except in a currency of thousandths.
    """
    if len(number) > _LONGEST:
        return None
    digits = minor_digits(currency)
    unit: int = 10**digits
    decimal = re.fullmatch(rf"{_WHOLE}(?P<point>[.,])(?P<part>\d{{1,{digits}}})", number) if digits else None
    if decimal and decimal["point"] != decimal["mark"]:
        return _plain(decimal["whole"]) * unit + int(decimal["part"].ljust(digits, "0"))
    whole = re.fullmatch(_WHOLE, number)
    return _plain(whole["whole"]) * unit if whole else None


def _plain(number: str) -> int:
    return int(re.sub(r"\D", "", number))
