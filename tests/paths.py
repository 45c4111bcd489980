"""Where the repository and what it ships lie, for every test."""

from __future__ import annotations

import os
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent
EXAMPLES = REPOSITORY / "examples"
EXAMPLE_COVERS = EXAMPLES / "covers"
EXAMPLE_SHELF = EXAMPLES / "shelf"
EXAMPLE_CONFIG = REPOSITORY / "config.example.toml"
# Real covers and tables, which the repository does not hold; tests that want them are skipped without them.
DEVELOPMENT_DATA = Path(os.environ.get("ALBUMGEN_DEV_DATA", REPOSITORY.parent / "shared")) / "data"
