"""A connected client in a guild with voice channels."""

from tests.discord.conftest import house

__all__ = ["house"]
