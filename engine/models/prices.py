"""What models cost by the price list of a library: a part of its release, and nothing is fetched."""

from functools import cache

from genai_prices import Usage, calc_price

from engine.models.route import Price

_TOKENS = 1_000
"""So few that no provider counts them as a long text."""
_PROVIDER = "openai"
"""Whom the library of the routes asks that name no address."""


@cache
def listed_price(model: str, base_url: str | None) -> Price | None:
    """In dollars; None where the address is of no provider on the list, or the list has no such model of theirs."""
    asked = Usage(input_tokens=_TOKENS, output_tokens=_TOKENS)
    try:
        found = (
            calc_price(asked, model, provider_api_url=base_url)
            if base_url
            else calc_price(asked, model, provider_id=_PROVIDER)
        )
    except LookupError:
        return None
    return Price("USD", *(float(each) * 1_000_000 / _TOKENS for each in (found.input_price, found.output_price)))
