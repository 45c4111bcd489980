"""Tiny checkpoints, built once a session, and covers to try them on."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from albumgen_core.albums import Album, Neighbour
from albumgen_core.attributes.measured import MeasuredAttributes
from albumgen_core.cover.read import Cover
from albumgen_core.engines.neural.internvl.describer import InternVLDescriber
from tests.checkpoints import clip, internvl


@pytest.fixture(scope="session")
def clip_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return clip.build(tmp_path_factory.mktemp("clip") / "tiny-clip")


@pytest.fixture(scope="session")
def internvl_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return internvl.build(tmp_path_factory.mktemp("internvl") / "tiny-internvl")


@pytest.fixture(scope="session")
def native_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return internvl.build_native(tmp_path_factory.mktemp("native") / "tiny-internvl-hf")


@pytest.fixture(scope="session")
def describer(internvl_folder: Path) -> InternVLDescriber:
    return InternVLDescriber(internvl_folder, device="cpu", dtype="float32", temperature=1.0)


def picture(seed: int, width: int = 120, height: int = 90) -> Cover:
    """A cover of coloured noise."""
    noise = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return Cover(Image.fromarray(noise), f"{seed:064x}")


def neighbour(title: str, artist: str = "Somebody", **known: object) -> Neighbour:
    values = dict.fromkeys(
        ("acousticness", "danceability", "energy", "instrumentalness", "liveness", "loudness", "speechiness",
         "valence"),
        0.25,
    )  # fmt: skip
    measured = MeasuredAttributes(artist_name=artist, **values, **known)  # type: ignore[arg-type]
    return Neighbour(Album("1", title, artist, measured), 0.5)
