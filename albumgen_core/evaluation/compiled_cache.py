"""A folder for the functions that librosa compiles (through numba), which no other process uses.

numba numbers the files of its cache without a lock: two processes that fill one cache at the same time
overwrite each other's files, and crash when they load them.
"""

from __future__ import annotations

import itertools
import os
from pathlib import Path

import platformdirs

from albumgen_core.files import FileLock, lock_file

ENVIRONMENT = "NUMBA_CACHE_DIR"
_held: list[FileLock] = []
"""Locks of this process, until it ends."""


def use_own_cache(root: Path | None = None) -> None:
    """Choose the first folder below `root` (the user's cache) that is free; call it before importing librosa.

    A folder that the environment names is left to whoever named it.
    """
    if ENVIRONMENT in os.environ:
        return
    root = root or Path(platformdirs.user_cache_dir("albumgen")) / "numba"
    root.mkdir(parents=True, exist_ok=True)
    for number in itertools.count():
        try:
            _held.append(lock_file(root / f"{number}.lock"))
        except BlockingIOError:
            continue
        os.environ[ENVIRONMENT] = str(root / str(number))
        return
