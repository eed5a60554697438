"""`gatehouse version`."""

from importlib.metadata import version as installed_version

from commands.terminal import say


def version() -> None:
    """Print the installed version."""
    say(installed_version("gatehouse"))
