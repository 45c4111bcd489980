"""Opening a MusicGen checkpoint, in transformers' layout or audiocraft's."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from transformers import MusicgenConfig

from albumgen_core.engines.neural.checkpoints.hub import (
    CONFIG,
    SAFETENSORS,
    SAFETENSORS_INDEX,
    damaged,
    read_json,
    unusable,
)
from albumgen_core.engines.neural.checkpoints.tensors import TensorFolder
from albumgen_core.engines.neural.musicgen.audiocraft_format import AUDIOCRAFT_LM, open_audiocraft
from albumgen_core.engines.neural.musicgen.checkpoint import SPEC, Checkpoint
from albumgen_core.errors import EngineUnavailableError


def open_checkpoint(folder: Path) -> Checkpoint:
    """Open the checkpoint in `folder`, in transformers' or, failing that, audiocraft's layout.

    Raises EngineUnavailableError, naming the file and the fix, when something is missing or damaged, or
    when the model needs more than a text (MusicGen-melody, MusicGen-style).
    """
    if not folder.is_dir():
        raise unusable(SPEC, folder, "is missing")
    has_weights = (folder / SAFETENSORS).exists() or (folder / SAFETENSORS_INDEX).exists()
    if not has_weights and (folder / AUDIOCRAFT_LM).exists():
        return open_audiocraft(folder)
    config = _read_config(folder / CONFIG)
    tensors = TensorFolder(SPEC, folder)
    return Checkpoint(folder, config, tensors.readers(), files=[tensors])


def _read_config(path: Path) -> Any:
    values = read_json(SPEC, path)
    kind = values.get("model_type")
    if kind == "musicgen_melody":
        raise EngineUnavailableError(
            f"{path.parent} is a MusicGen-melody checkpoint, which wants a tune to follow beside the text; "
            "choose a text-to-music one, such as facebook/musicgen-small."
        )
    if kind not in SPEC.model_types:
        raise unusable(SPEC, path, f"describes a model of type {kind!r}, not musicgen")
    try:
        return MusicgenConfig.from_dict(values)
    except Exception as error:  # transformers raises whatever a field's own validator raises
        raise damaged(SPEC, path, error) from error
