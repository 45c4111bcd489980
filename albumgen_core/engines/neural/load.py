"""From settings to the neural engine."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from albumgen_core.engines.base import Composer, Describer, Embedder, Engine, NoComposer
from albumgen_core.engines.neural.checkpoints.hub import locate
from albumgen_core.engines.neural.checkpoints.specs import SPECS, Role
from albumgen_core.errors import EngineUnavailableError
from albumgen_core.settings import EngineSettings


def load_engine(settings: EngineSettings, *, composing: bool = True) -> Engine:
    """Load CLIP, InternVL and MusicGen as `settings` asks; what is missing is noticed before anything loads.

    Without `composing`, MusicGen stays where it is, and the engine's composer refuses to work.

    Raises EngineUnavailableError with one sentence that names the file or package and the fix.
    """
    for role in SPECS:
        if composing or role != "musicgen":
            folder_of(settings, role)
    if settings.threads:
        torch.set_num_threads(settings.threads)
    try:
        composer = load_composer(settings) if composing else NoComposer()
        return Engine("neural", load_embedder(settings), load_describer(settings), composer)
    except ImportError as error:
        raise EngineUnavailableError(
            f"The neural engine cannot start: the package {error.name or error} is not installed; "
            "run `pip install albumgen` again in this environment."
        ) from error


def folder_of(settings: EngineSettings, role: Role) -> Path:
    """Where the model of a role lies. Raises EngineUnavailableError where it does not."""
    source = getattr(settings, role)
    return locate(SPECS[role], source.model, source.revision)


# Each function imports its own model: each pulls in a good part of transformers, and what is missing is to be
# noticed quickly.


def load_embedder(settings: EngineSettings) -> Embedder:
    """CLIP, always in float32: it is small, and an index must mean the same on every machine."""
    from albumgen_core.engines.neural.clip import load_embedder as load

    return load(str(folder_of(settings, "clip")), device=settings.device)


def load_describer(settings: EngineSettings, adapter: str | None = None) -> Describer:
    """InternVL; `adapter` in place of the configured one, "" for none."""
    from albumgen_core.engines.neural.internvl.describer import InternVLDescriber

    read = settings.internvl
    return InternVLDescriber(
        folder_of(settings, "internvl"),
        device=settings.device,
        dtype=settings.dtype,
        adapter=read.adapter if adapter is None else adapter,
        merge_adapter=read.merge_adapter,
        max_tiles=read.max_tiles,
        temperature=read.temperature,
    )


def load_composer(settings: EngineSettings) -> Composer:
    """MusicGen."""
    from albumgen_core.engines.neural.musicgen import load_composer as load

    chosen: Any = settings.musicgen
    return load(
        folder_of(settings, "musicgen"),
        device=settings.device,
        dtype=settings.dtype,
        backend=chosen.backend,
        guidance_scale=chosen.guidance_scale,
        top_k=chosen.top_k,
        top_p=chosen.top_p,
        temperature=chosen.temperature,
        threads=settings.threads or None,
        extend_stride=chosen.extend_stride,
    )
