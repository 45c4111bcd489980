"""What every test may use."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

# Two test processes share the machine: one thread each keeps them out of each other's way.
os.environ.setdefault("OMP_NUM_THREADS", "1")

EXAMPLES = Path(__file__).parents[1] / "examples"


@pytest.fixture(autouse=True)
def _own_settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Keep a developer's own configuration and data out of the tests."""
    for name in [name for name in os.environ if name.startswith("ALBUMGEN_") and name != "ALBUMGEN_DEV_DATA"]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("ALBUMGEN_DATA_DIR", str(tmp_path / "data"))


@pytest.fixture
def example_covers() -> list[Path]:
    """The three covers that the project ships."""
    return sorted((EXAMPLES / "covers").glob("*.png"))


@pytest.fixture
def example_shelf() -> Path:
    """The fictional record shelf that the project ships."""
    return EXAMPLES / "shelf"
