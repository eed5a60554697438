"""Writes every generated page and picture: `python -m docs.generate`."""

import asyncio
import shutil
import sys
import tempfile
from pathlib import Path

from docs.interfaces import commands_page, routes_page
from docs.pages import errors_page, settings_page
from docs.schema import schema_page
from docs.workflows import picture, with_facts
from engine.catalog.catalog import load_catalog
from engine.store import embedded
from engine.store.migrate import migrate

ROOT = Path(__file__).parent.parent
SCHEMA_PAGE = Path("docs/reference/schema.md")


def pages() -> dict[Path, str]:
    """Every generated file that needs no database, by its path in the repository."""
    made = {
        Path("docs/reference/errors.md"): errors_page(),
        Path("docs/reference/settings.md"): settings_page(),
        Path("docs/reference/http.md"): routes_page(),
        Path("docs/reference/commands.md"): commands_page(),
    }
    for workflow in load_catalog(ROOT / "langgraph.json", routes={}).values():
        readme = Path("graphs", workflow.name, "README.md")
        made[readme] = with_facts((ROOT / readme).read_text(), workflow)
        made[Path("docs/images", f"{workflow.name}.svg")] = picture(workflow)
    return made


def fresh_schema_page() -> str:
    """The schema of a database that was built a moment ago in a folder of its own, and is gone afterwards."""
    home = Path(tempfile.mkdtemp(prefix="gatehouse-schema-"))
    home.chmod(0o755)  # as root, the server runs as a user that has to get in
    try:
        server = embedded.start(home, notify=lambda _: None)
        asyncio.run(migrate(server.dsn))
        return schema_page(server.dsn)
    finally:
        embedded.stop(home)
        shutil.rmtree(home, ignore_errors=True)


def main() -> None:
    """Write what differs and name it."""
    for path, text in (pages() | {SCHEMA_PAGE: fresh_schema_page()}).items():
        file = ROOT / path
        if not file.exists() or file.read_text() != text:
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)
            sys.stdout.write(f"{path}\n")


if __name__ == "__main__":
    main()
