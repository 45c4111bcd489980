"""Commands whose modules are imported when they are called, so that `albumgen --help` answers at once."""

from __future__ import annotations

import importlib
from typing import Any, NamedTuple

import typer
from typer.core import TyperCommand, TyperGroup


class Command(NamedTuple):
    """Where a command is defined, and what `--help` of the group above it says about it.

    Attributes:
        module, attribute: a function, or a `typer.Typer` of sub-commands.
        summary: the first line of the command's own help.
    """

    module: str
    attribute: str
    summary: str

    def load(self, name: str) -> Any:
        """The command itself, a click.Command."""
        target = getattr(importlib.import_module(self.module), self.attribute)
        if isinstance(target, typer.Typer):
            return typer.main.get_command(target)
        app = typer.Typer(add_completion=False, pretty_exceptions_show_locals=False)
        app.command(name)(target)
        return typer.main.get_command(app)


class LazyCommand(TyperCommand):
    """Stands for a command until it is called; its context belongs to the command itself."""

    def __init__(self, name: str, command: Command) -> None:
        super().__init__(name, help=command.summary, rich_help_panel=None)
        self._command = command

    def make_context(self, info_name: str | None, args: list[str], parent: Any = None, **extra: Any) -> Any:
        """The context of the command itself, which is imported here."""
        real = self._command.load(str(self.name))
        return real.make_context(info_name, args, parent=parent, **extra)


def lazy_group(commands: dict[str, Command]) -> type[TyperGroup]:
    """A group of `commands`, in their order."""

    class LazyGroup(TyperGroup):
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            super().__init__(*args, **kwargs)
            self.commands.update({name: LazyCommand(name, command) for name, command in commands.items()})

    return LazyGroup
