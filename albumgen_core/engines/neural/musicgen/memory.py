"""Giving freed memory back to the system."""

from __future__ import annotations

import ctypes
import sys


def release() -> None:
    """Return freed heap to the system, where the C library can (glibc).

    Packing weights makes temporaries of tens of megabytes, which glibc keeps for itself once it has seen a
    few: without this, loading musicgen-small held on to over 2 GB of nothing.
    """
    if sys.platform != "linux":
        return
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)
