"""The names of the two families; light enough for any process to import."""

from __future__ import annotations

from typing import Literal

Family = Literal["neural", "sketch"]
