from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from tests.checkpoints import musicgen


@pytest.fixture(scope="session", autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def mono(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return musicgen.build(tmp_path_factory.mktemp("musicgen") / "mono", 1)


@pytest.fixture(scope="session")
def stereo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return musicgen.build(tmp_path_factory.mktemp("musicgen") / "stereo", 2)


@pytest.fixture(scope="session")
def reference(mono: Path) -> Any:
    return _reference(mono)


@pytest.fixture(scope="session")
def stereo_reference(stereo: Path) -> Any:
    return _reference(stereo)


def _reference(folder: Path) -> Any:
    from transformers import MusicgenForConditionalGeneration

    return MusicgenForConditionalGeneration.from_pretrained(folder).eval()
