"""What every test may use."""

from __future__ import annotations

import os
from pathlib import Path

import platformdirs
import pytest

from albumgen_core.evaluation import compiled_cache
from tests.paths import EXAMPLE_COVERS, EXAMPLE_SHELF

# Two test processes share the machine: one thread each keeps them out of each other's way.
os.environ.setdefault("OMP_NUM_THREADS", "1")
# librosa's compiled functions are kept between runs, by each test process for itself: a worker must not take
# the folder of the process that started it.
if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ.pop(compiled_cache.ENVIRONMENT, None)
compiled_cache.use_own_cache(Path(platformdirs.user_cache_dir("albumgen-tests")) / "numba")


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
