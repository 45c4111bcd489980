"""What every test may use."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.paths import EXAMPLE_COVERS, EXAMPLE_SHELF, REPOSITORY

# Two test processes share the machine: one thread each keeps them out of each other's way.
os.environ.setdefault("OMP_NUM_THREADS", "1")
# librosa's compiled functions are kept between runs, by each test process for itself: numba numbers the files
# of its cache without a lock, so that processes that fill one cache at once overwrite each other's and crash
# when they load them.
os.environ["NUMBA_CACHE_DIR"] = str(
    REPOSITORY / ".pytest_cache" / "numba" / os.environ.get("PYTEST_XDIST_WORKER", "main")
)


@pytest.fixture(autouse=True)
def _own_settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Keep a developer's own configuration and data out of the tests."""
    for name in [name for name in os.environ if name.startswith("ALBUMGEN_") and name != "ALBUMGEN_DEV_DATA"]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("ALBUMGEN_DATA_DIR", str(tmp_path / "data"))


@pytest.fixture
def example_covers() -> list[Path]:
    """The three covers that the project ships."""
    return sorted(EXAMPLE_COVERS.glob("*.png"))


@pytest.fixture
def example_shelf() -> Path:
    """The fictional record shelf that the project ships."""
    return EXAMPLE_SHELF
