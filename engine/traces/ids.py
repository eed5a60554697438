"""What the present task works on: ids that every log line it writes carries."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from types import MappingProxyType

_NOTHING: Mapping[str, str] = MappingProxyType({})
_ABOUT: ContextVar[Mapping[str, str]] = ContextVar("about", default=_NOTHING)


@contextmanager
def about(**ids: str) -> Iterator[None]:
    """Have lines written inside the block, also by tasks that it starts, carry these ids."""
    token = _ABOUT.set({**_ABOUT.get(), **ids})
    try:
        yield
    finally:
        _ABOUT.reset(token)


def also_about(**ids: str) -> None:
    """Add ids for the rest of the present task: of a request, whose caller is known only after it has begun."""
    _ABOUT.set({**_ABOUT.get(), **ids})


def present_ids() -> Mapping[str, str]:
    """The ids of the present task."""
    return _ABOUT.get()
