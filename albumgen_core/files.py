"""The data directory: one owner at a time, files that are whole or absent, and room to spare."""

from __future__ import annotations

import contextlib
import fcntl
import os
import secrets
import shutil
from collections.abc import Iterable
from pathlib import Path

from albumgen_core.errors import AlreadyRunningError, DataDirectoryError

PART = ".part-"
"""How the names of files that are being written begin; what a kill leaves of them may be removed."""


class FileLock:
    """A held `flock` on a file, until `release` or the death of the process; see `lock_file`."""

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor

    def release(self) -> None:
        """Give the lock back; a second call does nothing."""
        if self.descriptor >= 0:
            os.close(self.descriptor)
            self.descriptor = -1

    def __enter__(self) -> FileLock:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()


def lock_file(path: Path, *, shared: bool = False, mode: int = 0o600) -> FileLock:
    """Lock a file, made when missing, for one holder or for several that share it.

    Raises BlockingIOError while somebody holds it otherwise, and OSError where it cannot be opened.
    """
    # Python opens descriptors close-on-exec, so a child that outlives us does not keep the lock.
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, mode)
    try:
        fcntl.flock(descriptor, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
    except BaseException:
        os.close(descriptor)
        raise
    return FileLock(descriptor)


class DirectoryLock:
    """The one owner of a data directory."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._held: FileLock | None = None

    def acquire(self) -> None:
        """Take the lock, making the directory if need be; nobody but its owner may look into it then.

        Raises AlreadyRunningError if it is held, DataDirectoryError if the directory cannot be written.
        """
        path = self._directory / "lock"
        try:
            self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            with contextlib.suppress(PermissionError):  # writable for us, and another user's
                self._directory.chmod(0o700)
            self._held = lock_file(path)
            os.ftruncate(self._held.descriptor, 0)
            os.pwrite(self._held.descriptor, f"{os.getpid()}\n".encode("ascii"), 0)
        except BlockingIOError as error:
            owner = path.read_text("ascii", "replace")[:32].strip()
            raise AlreadyRunningError(self._directory, owner) from error
        except OSError as error:
            self.release()
            raise DataDirectoryError(self._directory, error.strerror or str(error)) from error

    def release(self) -> None:
        """Give the lock back; harmless when it is not held."""
        if self._held is not None:
            self._held.release()
            self._held = None


def write_durably(path: Path, data: bytes, *, private: bool = True) -> None:
    """Write a file so that, even after a power cut, it is either whole or absent under its name.

    Written under another name, synced, then renamed over what was there. Raises OSError.

    Args:
        path: its folder is made when missing.
        data: the whole content.
        private: only its owner may read it; else whoever the umask allows.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f"{PART}{secrets.token_hex(8)}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600 if private else 0o666)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise
    sync_directory(path.parent)


def write_synced(path: Path, data: bytes) -> None:
    """Write a file; its content is on disk when this returns (for its name, see `sync_directory`)."""
    with path.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


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
