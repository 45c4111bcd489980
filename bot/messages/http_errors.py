"""What Discord's refusals mean for a reply that is owed.

Codes from Discord's documentation, "Opcodes and status codes", JSON error codes.
"""

from __future__ import annotations

from enum import Enum, auto

import discord

_MESSAGE_GONE = {10008}
_NO_WAY_IN = {10003, 10004, 10013, 50001, 50007, 50013, 50278, 160002, 20026, 40001, 50083}
_TOKEN_DEAD = {10015, 10062, 50027}


class ErrorKind(Enum):
    """What follows from an error."""

    MESSAGE_GONE = auto()
    """The message was deleted: nothing more to do."""
    NO_WAY_IN = auto()
    """Channel gone, or permission lost: another way, once."""
    TOKEN_DEAD = auto()
    """The interaction's token has expired or is unknown."""
    TOO_LARGE = auto()
    """The files are too large."""
    AGAIN = auto()
    """Anything that may pass."""


def classify(error: discord.HTTPException) -> ErrorKind:
    """Read an error of Discord's."""
    if error.status == 413 or error.code == 40005:
        return ErrorKind.TOO_LARGE
    if error.code in _MESSAGE_GONE:
        return ErrorKind.MESSAGE_GONE
    if error.code in _TOKEN_DEAD:
        return ErrorKind.TOKEN_DEAD
    if error.code in _NO_WAY_IN or isinstance(error, discord.Forbidden):
        return ErrorKind.NO_WAY_IN
    return ErrorKind.AGAIN
