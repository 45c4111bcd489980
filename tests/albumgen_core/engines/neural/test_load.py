"""From settings to the whole neural engine."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from albumgen_core.engines.base import EMBEDDING_DIMENSIONS, ComposeRequest
from albumgen_core.engines.neural.checkpoints.tensors import choose_device, choose_dtype
from albumgen_core.engines.neural.load import load_engine
from albumgen_core.errors import ConfigError, EngineUnavailableError
from albumgen_core.settings import ClipModelSettings, EngineSettings, InternVLSettings, MusicGenSettings
from tests.albumgen_core.engines.neural.conftest import picture
from tests.checkpoints import musicgen


def settings(clip: Path, internvl: Path, music: Path) -> EngineSettings:
    return EngineSettings(
        family="neural",
        device="cpu",
        dtype="float32",
        clip=ClipModelSettings(model=str(clip)),
        internvl=InternVLSettings(model=str(internvl)),
        musicgen=MusicGenSettings(model=str(music)),
    )


@pytest.mark.slow
def test_from_three_folders_to_a_sound(clip_folder: Path, internvl_folder: Path, tmp_path: Path) -> None:
    music = musicgen.build(tmp_path / "tiny-musicgen")
    engine = load_engine(settings(clip_folder, internvl_folder, music))
    cover = picture(1)
    assert engine.family == "neural"
    assert engine.embedder.embed([cover]).shape == (1, EMBEDDING_DIMENSIONS)
    attributes = engine.describer.describe(cover, None)
    [clip] = engine.composer.compose([ComposeRequest("a calm ballad", attributes, 0.5, 1)])
    assert clip is not None
    assert clip.samples.shape[-1] == pytest.approx(0.5 * clip.sample_rate, rel=0.1)


def test_a_missing_model_is_noticed_before_any_is_loaded(clip_folder: Path, tmp_path: Path) -> None:
    with pytest.raises(EngineUnavailableError, match="albumgen weights pull musicgen"):
        load_engine(settings(clip_folder, _touch_internvl(tmp_path), tmp_path / "none"))


def _touch_internvl(tmp_path: Path) -> Path:
    """A folder that has the right files, though none of them could be loaded."""
    folder = tmp_path / "hollow"
    folder.mkdir()
    for name in ("config.json", "model.safetensors", "tokenizer.json"):
        (folder / name).touch()
    return folder


def test_dtype_defaults() -> None:
    cpu = torch.device("cpu")
    assert choose_dtype("float16", cpu) is torch.float16
    assert choose_dtype("auto", cpu) in (torch.float32, torch.bfloat16)
    assert choose_dtype("int8", cpu) is choose_dtype("auto", cpu)


@pytest.mark.parametrize("name", ["gpu", "cuda:banana"])
def test_an_unknown_device_is_a_wrong_setting(name: str) -> None:
    with pytest.raises(ConfigError, match=r"engine\.device"):
        choose_device(name)
