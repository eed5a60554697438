"""Processes of ours, ready at once: forked from one that has imported and loaded what takes seconds."""

import atexit
import importlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import psutil

ROOT = Path(__file__).parent.parent


@dataclass
class Forked:
    """A process that the nursery has started."""

    process: psutil.Process
    log: Path
    """What it says."""

    @property
    def pid(self) -> int:
        return self.process.pid

    @property
    def lives(self) -> bool:
        return self.process.is_running()

    def signal(self, how: signal.Signals) -> None:
        self.process.send_signal(how)

    def wait(self, timeout: float = 30) -> int | None:
        """Its exit code, once it has ended; None if a signal ended it. Raises `psutil.TimeoutExpired`."""
        self.process.wait(timeout)
        code = _code_of(self.log)
        return int(code.read_text()) if code.exists() else None


@dataclass
class Nursery:
    """Starts processes; itself with the first of them."""

    _process: "subprocess.Popen[str] | None" = field(default=None)

    def start(self, entry: str, arguments: Sequence[str], environment: Mapping[str, str], log: Path) -> Forked:
        """`main` of the module `entry`, as if it were called with these arguments."""
        process = self._process = self._process or self._begun()
        assert process.stdin
        assert process.stdout
        order = {"entry": entry, "arguments": [*arguments], "environment": {**environment}, "log": str(log)}
        process.stdin.write(json.dumps(order) + "\n")
        process.stdin.flush()
        return Forked(psutil.Process(int(process.stdout.readline())), log)

    def close(self) -> None:
        """End the nursery; what it has started lives on."""
        if process := self._process:
            self._process = None
            process.communicate(timeout=30)

    def _begun(self) -> "subprocess.Popen[str]":
        atexit.register(self.close)
        words = [sys.executable, "-m", "tests.nursery"]
        return subprocess.Popen(words, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


NURSERY = Nursery()


def _code_of(log: Path) -> Path:
    return log.with_suffix(".code")


def _fork() -> None:
    """One line in: what to start; one line out: its process id."""
    importlib.import_module("commands.serving")
    importlib.import_module("engine.catalog.catalog").load_catalog(ROOT / "langgraph.json", routes={})
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    for line in sys.stdin:
        order = json.loads(line)
        pid = os.fork()
        if pid == 0:
            _become(order)
        sys.stdout.write(f"{pid}\n")
        sys.stdout.flush()


def _become(order: dict[str, object]) -> None:
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    path = Path(str(order["log"]))
    log = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    for stream in (1, 2):
        os.dup2(log, stream)
    os.close(0)
    os.environ.clear()
    os.environ.update(order["environment"])  # type: ignore[call-overload]  # JSON
    sys.argv = order["arguments"]  # type: ignore[assignment]  # JSON
    code: object = 0
    try:
        importlib.import_module(str(order["entry"])).main()
    except SystemExit as ended:
        code = ended.code or 0
    sys.stdout.flush()
    sys.stderr.flush()
    _code_of(path).write_text(str(code if isinstance(code, int) else 1))
    os._exit(0)


if __name__ == "__main__":
    _fork()
