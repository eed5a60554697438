"""Sums of money: whole minor units, or a decimal string of whole units."""

from decimal import ROUND_CEILING, Decimal, InvalidOperation

from pydantic import JsonValue

from contracts.errors import InvalidArguments

_PLACES = 2
_OTHER_PLACES = {
    **dict.fromkeys(("BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"), 3),
    **dict.fromkeys(("BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "PYG", "RWF"), 0),
    **dict.fromkeys(("UGX", "UYI", "VND", "VUV", "XAF", "XOF", "XPF"), 0),
}
"""Currencies of ISO 4217 that do not have hundredths."""


def minor_units(amount: JsonValue, currency: str) -> int:
    """A sum in minor units, rounded up: 1250 and "12.50" are the same in EUR. Raises `InvalidArguments`."""
    if isinstance(amount, int) and not isinstance(amount, bool):
        return amount
    try:
        units = Decimal(amount) if isinstance(amount, str) else Decimal("NaN")
    except InvalidOperation:
        units = Decimal("NaN")
    if not units.is_finite():
        raise InvalidArguments(f"{amount!r} is no sum of money.", hint="Whole minor units or a decimal string are.")
    return int(units.scaleb(_OTHER_PLACES.get(currency.upper(), _PLACES)).to_integral_value(ROUND_CEILING))
