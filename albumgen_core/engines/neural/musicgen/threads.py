"""How many threads compute: the cores this process may really use."""

from __future__ import annotations

import math
import os
from pathlib import Path

import torch

CGROUP_QUOTA = Path("/sys/fs/cgroup/cpu.max")


def set_threads(wanted: int | None) -> int:
    """Give torch `wanted` threads or, with None or 0, as many as cores are allowed; returns the number.

    In a container with a CPU quota torch would start one thread a core of the host, and they would spend
    their time waiting for one another.
    """
    number = wanted or min(torch.get_num_threads(), available_cores())
    torch.set_num_threads(number)
    return number


def available_cores(quota: Path = CGROUP_QUOTA) -> int:
    """Cores this process may run on, by its affinity and its container's quota; at least 1."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    try:
        allowed, period = quota.read_text(encoding="ascii").split()
        cores = min(cores, math.ceil(int(allowed) / int(period)))
    except (OSError, ValueError):  # no quota is written as "max"
        pass
    return max(1, cores)
