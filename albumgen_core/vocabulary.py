"""Names that several packages share; cheap to import from any process."""

from __future__ import annotations

from typing import Literal

Family = Literal["neural", "sketch"]

Stage = Literal["queued", "embed", "retrieve", "describe", "prompt", "compose", "encode"]
STAGES: tuple[Stage, ...] = ("embed", "retrieve", "describe", "prompt", "compose", "encode")
RagMode = Literal["look", "name", "both"]
"""How neighbours are found: by the look of a cover, by the names on it, or both."""
PromptStyle = Literal["slides", "concise"]
