"""Finished result folders in milliseconds: a drawn cover, a real MP3, and a document."""

from __future__ import annotations

import json
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw

from albumgen_core.audio.encode import encode_clip
from albumgen_core.audio.tags import ClipTags
from albumgen_core.audio.types import Audio
from tests.bot.fake_runner import ATTRIBUTES, NEIGHBOUR


@lru_cache(maxsize=8)
def sound(seconds: float, hertz: float = 440.0) -> bytes:
    time = np.arange(round(seconds * 44100)) / 44100
    samples = np.tile(0.3 * np.sin(2 * np.pi * hertz * time), (2, 1)).astype(np.float32)
    tags = ClipTags("t", "sketch", "jazz", 118, "C#", "minor", None, "p", 1)
    return encode_clip(Audio(samples, 44100), tags).mp3


def take(
    folder: Path, *, colour: str = "#d24", seconds: float = 3.0, rag: bool = True, **changes: Any
) -> Path:
    """Write a result folder and return it; `changes` go into its document."""
    folder.mkdir(parents=True)
    picture = Image.new("RGB", (500, 500), colour)
    ImageDraw.Draw(picture).ellipse((120, 120, 380, 380), fill="#fe8")
    picture.save(folder / "cover.jpg")
    (folder / "clip.mp3").write_bytes(sound(seconds))
    document = {
        "schema": 1,
        "engine": {"family": "sketch", "describer": "palette", "composer": "arranger"},
        "rag": rag,
        "attributes": ATTRIBUTES,
        "neighbours": [NEIGHBOUR] if rag else [],
        "prompt": "Smoky jazz with <brushes>",
        "seed": 7,
        "seconds": seconds,
        "notices": [],
    }
    (folder / "result.json").write_text(json.dumps(document | changes), "utf-8")
    return folder
