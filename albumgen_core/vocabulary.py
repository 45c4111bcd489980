"""Names that several packages share; cheap to import from any process."""

from __future__ import annotations

from typing import Literal

Family = Literal["neural", "sketch"]

Stage = Literal["queued", "embed", "retrieve", "describe", "prompt", "compose", "encode"]
STAGES: tuple[Stage, ...] = ("embed", "retrieve", "describe", "prompt", "compose", "encode")
PromptStyle = Literal["slides", "concise"]
