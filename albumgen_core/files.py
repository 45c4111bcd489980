"""The data directory: one owner at a time, files that are whole or absent, and room to spare."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterable
from pathlib import Path

from albumgen_core.errors import AlreadyRunningError

PART = ".part-"
"""How the names of files that are being written begin; what a kill leaves of them may be removed."""


class DirectoryLock:
    """An exclusive `flock` on a directory, held until `release` or the death of the process."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._descriptor: int | None = None

    def acquire(self) -> None:
        """Take the lock, making the directory if need be. Raises AlreadyRunningError if it is held."""
        self._directory.mkdir(parents=True, exist_ok=True)
        # Python opens descriptors close-on-exec, so a worker that outlives us does not keep the lock.
        descriptor = os.open(self._directory / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            owner = os.pread(descriptor, 32, 0).decode("ascii", "replace").strip()
            os.close(descriptor)
            raise AlreadyRunningError(self._directory, owner) from error
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode("ascii"), 0)
        self._descriptor = descriptor

    def release(self) -> None:
        """Give the lock back; harmless when it is not held."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


def write_durably(path: Path, data: bytes) -> None:
    """Write a file so that, even after a power cut, it is either whole or absent under its name."""
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=PART)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            Path(temporary).unlink()
        raise
    sync_directory(path.parent)


def sync_directory(directory: Path) -> None:
    """Make the names in a directory durable (a rename lives in the directory, not in the file)."""
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def free_bytes(directory: Path) -> int:
    """Bytes an ordinary user may still write on the directory's file system."""
    return shutil.disk_usage(directory).free


def remove_paths(paths: Iterable[str]) -> None:
    """Remove files and folders; those that are gone already are fine."""
    for path in map(Path, paths):
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)
        else:
            with contextlib.suppress(FileNotFoundError):
                path.unlink()


def is_folder(path: str | None) -> bool:
    """Whether the path names an existing folder."""
    return path is not None and Path(path).is_dir()
