from __future__ import annotations

from typing import Any

from albumgen_core.attributes.predicted import MusicalAttributes
from albumgen_core.engines.base import ComposeRequest

PROMPTS = (
    "a calm, acoustic folk ballad in D minor with soft vocals, 84 bpm",
    "slow dark drone",
    "an upbeat hip hop track with a heavy bass line and bright synths, energetic and danceable, 3/4 time",
)


def request(prompt: str = PROMPTS[0], seconds: float = 1.0, seed: int = 0, **more: Any) -> ComposeRequest:
    # MusicGen hears the prompt alone; the attributes it was written from are along for other composers.
    attributes: MusicalAttributes = None  # type: ignore[assignment]
    return ComposeRequest(prompt, attributes, seconds, seed, **more)
