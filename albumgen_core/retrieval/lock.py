"""Who may touch an index directory: many readers or one writer, never both.

Chroma's embedded store does not guard itself. Several processes on one directory raise no error and
leave embeddings unreadable, so every opening here takes an advisory lock (flock) on a file beside it,
which the system releases even when a process is killed.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from pathlib import Path

from albumgen_core.errors import IndexUnavailableError
from albumgen_core.files import FileLock, lock_file

LOCK_NAME = "albumgen.lock"
OPENING_NAME = "opening.lock"
OPENING_SECONDS = 60.0


def lock_for_writing(directory: Path) -> FileLock:
    """Take the directory for one writer. Raises IndexUnavailableError when anybody uses it."""
    return _lock(
        directory / LOCK_NAME,
        f"The album index at {directory} is in use by another process; "
        "stop it (the bot, a worker or another build), then try again.",
    )


def lock_for_reading(directory: Path) -> FileLock:
    """Share the directory with other readers. Raises IndexUnavailableError while somebody writes."""
    return _lock(
        directory / LOCK_NAME,
        f"The album index at {directory} is being built by another process; try again when it is done.",
        shared=True,
    )


@contextlib.contextmanager
def one_opening(directory: Path) -> Iterator[None]:
    """Let readers open the store one after another: on opening, Chroma may catch up on its log.

    Raises IndexUnavailableError when another reader is still not done after a minute.
    """
    held = f"The album index at {directory} is still being opened by another process."
    with _lock(directory / OPENING_NAME, held, patience=OPENING_SECONDS):
        yield


def _lock(path: Path, held: str, *, shared: bool = False, patience: float = 0.0) -> FileLock:
    """Lock a file of the index, waiting up to `patience` seconds. Raises IndexUnavailableError(held)."""
    give_up = time.monotonic() + patience
    while True:
        try:
            return lock_file(path, shared=shared, mode=0o644)
        except BlockingIOError as error:
            if time.monotonic() >= give_up:
                raise IndexUnavailableError(held) from error
            time.sleep(0.02)
        except OSError as error:
            raise IndexUnavailableError(
                f"The album index at {path.parent} cannot be locked ({error.strerror})."
            ) from error
