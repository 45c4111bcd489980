"""A connected client in a guild with voice channels."""

from tests.discord.conftest import sample

__all__ = ["sample"]
