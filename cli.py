"""Operators' door: `gatehouse …`. A command is imported when it is used: listing keys does not wait for LangGraph."""

import importlib
from typing import Any

import typer
from typer.core import TyperGroup

_COMMANDS = {
    "demo": "commands.demo:app",
    "serve": "commands.serving:serve",
    "worker": "commands.serving:worker",
    "migrate": "commands.migrate:migrate",
    "doctor": "commands.doctor:doctor",
    "stats": "commands.stats:app",
    "approvals": "commands.approvals:app",
    "queues": "commands.queues:app",
    "kill": "commands.limits:kill",
    "switches": "commands.limits:switches",
    "budgets": "commands.limits:budgets",
    "runs": "commands.runs:app",
    "effects": "commands.effects:app",
    "webhooks": "commands.webhooks:app",
    "people": "commands.people:app",
    "senders": "commands.senders:app",
    "retention": "commands.retention:app",
    "audit": "commands.audit:app",
    "eval": "evals.commands:app",
    "keys": "commands.keys:app",
    "policy": "commands.policy:app",
    "versions": "commands.versions:app",
    "conform": "commands.conform:app",
    "workflows": "commands.workflows:app",
    "tools": "commands.tools:app",
    "models": "commands.models:app",
    "check": "commands.check:check",
    "lock": "commands.locking:lock",
    "launch-check": "commands.launching:launch_check",
    "promote": "commands.launching:promote",
    "version": "commands.version:version",
}


class _Lazy(TyperGroup):
    """The commands above, in their order."""

    def list_commands(self, ctx: Any) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        if cmd_name not in _COMMANDS:
            return None
        module, _, attribute = _COMMANDS[cmd_name].partition(":")
        found = getattr(importlib.import_module(module), attribute)
        if isinstance(found, typer.Typer):
            command: Any = typer.main.get_group(found)
        else:
            single = typer.Typer(add_completion=False)
            single.command()(found)
            command = typer.main.get_command(single)
        command.name = cmd_name
        return command


app = typer.Typer(
    cls=_Lazy,
    name="gatehouse",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Governed agent workflows: gates that hold, effects that happen once, a trail that shows it.",
)


@app.callback()
def _root() -> None:
    """Governed agent workflows: gates that hold, effects that happen once, a trail that shows it."""


def main() -> None:
    """Entry point of the `gatehouse` command."""
    app()


if __name__ == "__main__":
    main()
