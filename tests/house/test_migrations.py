"""Migrations go forward only: numbered without gaps, and never changed once they were released."""

import hashlib
import re

from tests.house.tree import ROOT

FOLDER = ROOT / "engine" / "store" / "migrations"
SUMS = FOLDER / "SHA256SUMS"


def _pinned() -> dict[str, str]:
    lines = [line.split("  ") for line in SUMS.read_text().splitlines()]
    return {name: digest for digest, name in lines}


def test_migrations_are_numbered_without_gaps() -> None:
    names = sorted(path.name for path in FOLDER.glob("*.sql"))

    assert all(re.fullmatch(r"\d{4}_[a-z_]+\.sql", name) for name in names)
    assert [int(name[:4]) for name in names] == list(range(1, len(names) + 1))


def test_no_pinned_migration_was_changed() -> None:
    present = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in FOLDER.glob("*.sql")}

    changed = [name for name, digest in _pinned().items() if present.get(name) != digest]

    assert changed == [], "databases that applied it refuse to start: restore it, and write the change as a new file"


def test_every_migration_is_pinned() -> None:
    missing = sorted({path.name for path in FOLDER.glob("*.sql")} - set(_pinned()))

    assert missing == [], "add the output of `sha256sum` to SHA256SUMS"
