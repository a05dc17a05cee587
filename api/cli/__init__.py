"""The command `taskfold`."""

import importlib
import sys
from typing import Any

import click

from api.version import VERSION

# Each command is loaded when it is called: `taskfold --help` needs no server library.
COMMANDS = {
    "dev": "Run everything on embedded servers.",
    "serve": "Run the API.",
    "work": "Run the projectors.",
    "migrate": "Create or upgrade the database.",
    "projections": "Look at the projections, rebuild one.",
    "check-history": "Replay all history through this program.",
    "keys": "List the keys that sign access tokens, or rotate them.",
    "import": "Import tasks from a file.",
    "outbox": "Show the mails that wait.",
    "users": "What an operator does about people.",
    "watch": "Show every change live.",
    "export": "Write tasks to a file.",
}

MODULES = {"import": "importing"}  # whose names Python keeps for itself


class Lazy(click.Group):
    """A group whose commands live in modules of their own name."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The names."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of a name."""
        if cmd_name not in COMMANDS:
            return None
        name = MODULES.get(cmd_name, cmd_name.replace("-", "_"))
        command: Any = getattr(importlib.import_module(f"api.cli.{name}"), name)
        assert isinstance(command, click.Command)
        return command


@click.group(cls=Lazy)
@click.version_option(VERSION, prog_name="taskfold")
def main() -> None:
    """Taskfold: tasks as a log of events; one position for writes, reads and sockets."""


def fail(error: Exception | str) -> None:
    """Say what is wrong in one line and end with status 1."""
    click.echo(f"error: {error}", err=True)
    sys.exit(1)
