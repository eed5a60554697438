"""References to secrets: whether each can be read, and whether what is behind it can be kept out of logs."""

from collections.abc import Iterator

from contracts.errors import ConfigurationError
from engine.credentials.redactor import is_maskable
from engine.credentials.references import is_reference, reveal
from engine.operations.doctor.finding import Finding
from engine.settings import Settings


def examine_secrets(settings: Settings) -> Iterator[Finding]:
    """One finding for what is configured as a secret; no value is told."""
    credentials = settings.credentials()
    weak = []
    for name, written in credentials.items():
        try:
            value = reveal(written)
        except ConfigurationError as error:
            yield Finding(f"secret {name}", "fail", error.detail, error.hint)
            continue
        if not is_maskable(value):
            weak.append(name)
    if weak:
        says = f"Too short or too plain to be kept out of logs and records: {', '.join(weak)}."
        yield Finding("secrets", "warn", says, "Use random ones of at least 16 signs.")
    named = sum(is_reference(written.get_secret_value()) for written in credentials.values())
    yield Finding("secrets", "ok", f"{len(credentials)} are configured, {named} of them by reference.")
