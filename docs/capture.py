"""Takes the picture of the terminal for the README: `python -m docs.capture` runs the demo in a real one."""

import io
import os
import pty
import re
import tempfile
from pathlib import Path

from rich.console import Console
from rich.text import Text

_PICTURE = Path(__file__).parent / "images" / "demo.svg"
_COLUMNS = 118
_PROMPT = "$ scripts/demo --yes"


def capture(command: list[str], environment: dict[str, str]) -> str:
    """What `command` writes to a terminal of 118 columns, colours included."""
    written: list[bytes] = []

    def read(descriptor: int) -> bytes:
        written.append(os.read(descriptor, 4096))
        return written[-1]

    os.environ.update(environment)
    pty.spawn(command, read)
    return b"".join(written).decode()


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="gatehouse-capture-") as home:
        Path(home).chmod(0o755)
        settings = {"GATEHOUSE_HOME": home, "COLUMNS": str(_COLUMNS), "TERM": "xterm-256color"}
        text = capture(["gatehouse", "demo", "--yes"], settings)
    without_keys = re.sub(r"gh_[0-9a-f]{8}_[\w-]+", "gh_…", text.replace("\r", ""))
    shown = [line for line in without_keys.splitlines() if not _is_about_this_machine(line)]
    console = Console(record=True, width=_COLUMNS, file=io.StringIO(), force_terminal=True)
    console.print(Text.from_ansi("\n".join([f"\x1b[1m{_PROMPT}\x1b[0m", *shown])))
    _PICTURE.write_text(console.export_svg(title="gatehouse"))


def _is_about_this_machine(line: str) -> bool:
    return bool(re.search(r"PostgreSQL refuses to run|Creating a PostgreSQL|cannot enter", line))


if __name__ == "__main__":
    main()
