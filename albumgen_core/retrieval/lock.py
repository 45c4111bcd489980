"""Who may touch an index directory: many readers or one writer, never both.

Chroma's embedded store does not guard itself. Several processes on one directory raise no error and
leave embeddings unreadable, so every opening here takes an advisory lock (flock) on a file beside it,
which the system releases even when a process is killed.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from collections.abc import Iterator
from pathlib import Path

from albumgen_core.errors import IndexUnavailableError

LOCK_NAME = "albumgen.lock"
OPENING_NAME = "opening.lock"
OPENING_SECONDS = 60.0


class DirectoryLock:
    """A held lock; `release` (or leaving the `with` block) gives it back."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def release(self) -> None:
        """Give the lock back; a second call does nothing."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def __enter__(self) -> DirectoryLock:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()


def lock_for_writing(directory: Path) -> DirectoryLock:
    """Take the directory for one writer. Raises IndexUnavailableError when anybody uses it."""
    descriptor = _open(directory / LOCK_NAME)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(descriptor)
        raise IndexUnavailableError(
            f"The album index at {directory} is in use by another process; "
            "stop it (the bot, a worker or another build), then try again."
        ) from error
    return DirectoryLock(descriptor)


def lock_for_reading(directory: Path) -> DirectoryLock:
    """Share the directory with other readers. Raises IndexUnavailableError while somebody writes."""
    descriptor = _open(directory / LOCK_NAME)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError as error:
        os.close(descriptor)
        raise IndexUnavailableError(
            f"The album index at {directory} is being built by another process; try again when it is done."
        ) from error
    return DirectoryLock(descriptor)


@contextlib.contextmanager
def one_opening(directory: Path) -> Iterator[None]:
    """Let readers open the store one after another: on opening, Chroma may catch up on its log.

    Raises IndexUnavailableError when another reader is still not done after a minute.
    """
    descriptor = _open(directory / OPENING_NAME)
    try:
        _wait_for(descriptor, directory)
        yield
    finally:
        os.close(descriptor)


def _wait_for(descriptor: int, directory: Path) -> None:
    give_up = time.monotonic() + OPENING_SECONDS
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if time.monotonic() > give_up:
                raise IndexUnavailableError(
                    f"The album index at {directory} is still being opened by another process."
                ) from error
            time.sleep(0.02)
        else:
            return


def _open(path: Path) -> int:
    try:
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    except OSError as error:
        raise IndexUnavailableError(
            f"The album index at {path.parent} cannot be locked ({error.strerror})."
        ) from error
