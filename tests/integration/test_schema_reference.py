"""The page of the schema is what the migrations build."""

import asyncio

from docs.generate import ROOT, SCHEMA_PAGE
from docs.schema import schema_page
from engine.store.migrate import migrate
from tests.conftest import empty_database


def test_the_committed_schema_is_what_the_migrations_build(postgres: str) -> None:
    with empty_database(postgres) as dsn:
        asyncio.run(migrate(dsn))

        built = schema_page(dsn)

    assert built == (ROOT / SCHEMA_PAGE).read_text(), "write it anew: python -m docs.generate"
