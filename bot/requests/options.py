"""Options that the commands for single takes and for comparisons share."""

from __future__ import annotations

from discord import app_commands
from discord.app_commands import locale_str

STYLES = [
    app_commands.Choice(name=locale_str("concise", key="command.style.concise"), value="concise"),
    app_commands.Choice(name=locale_str("slides", key="command.style.slides"), value="slides"),
]


def option(name: str, words: str) -> locale_str:
    """The description of an option of /albumgen."""
    return locale_str(words, key=f"command.albumgen.{name}")
