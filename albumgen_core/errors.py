"""The errors AlbumGen raises on purpose.

Every message is one plain sentence, fit to be read by the person who caused it; technical detail goes
to the log and to `__cause__`.
"""

from __future__ import annotations


class AlbumGenError(Exception):
    """Base of every deliberate error. `str(error)` is one sentence a person understands."""


class ConfigError(AlbumGenError):
    """A setting is wrong. `key` is its dotted name, as written in config.toml (`engine.family`)."""

    def __init__(self, key: str, problem: str) -> None:
        super().__init__(f"{key}: {problem}")
        self.key = key
        self.problem = problem


class EngineUnavailableError(AlbumGenError):
    """An engine cannot start: a weight is missing or damaged, or a package is not installed.

    The message names the file or package and the command that mends it.
    """


class IndexUnavailableError(AlbumGenError):
    """The album index cannot be read: missing, corrupt, locked, or built by another embedder."""
