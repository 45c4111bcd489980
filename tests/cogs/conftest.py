"""The bot's harnesses, for tests of its commands."""

from tests.bot.conftest import home

__all__ = ["home"]
