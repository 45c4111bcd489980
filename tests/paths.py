"""Where the repository and what it ships lie, for every test."""

from __future__ import annotations

import os
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent
EXAMPLES = REPOSITORY / "examples"
EXAMPLE_COVERS = EXAMPLES / "covers"
EXAMPLE_SHELF = EXAMPLES / "shelf"
EXAMPLE_CONFIG = REPOSITORY / "config.example.toml"
# What developers may have and the repository does not hold: real covers and tables, and Discord's OpenAPI
# document. Tests that want them are skipped without them.
DEVELOPMENT = Path(os.environ.get("ALBUMGEN_DEV_DATA") or REPOSITORY.parent / "shared")
DEVELOPMENT_DATA = DEVELOPMENT / "data"
