"""From settings to the neural engine."""

from __future__ import annotations

from typing import Any

import torch

from albumgen_core.engines.base import Engine
from albumgen_core.engines.neural.weights import SPECS, locate
from albumgen_core.errors import EngineUnavailableError
from albumgen_core.settings import EngineSettings


def load_engine(settings: EngineSettings) -> Engine:
    """Load CLIP, InternVL and MusicGen as `settings` asks; what is missing is noticed before anything loads.

    Raises EngineUnavailableError with one sentence that names the file or package and the fix.
    """
    sources = {role: getattr(settings, role) for role in SPECS}
    folders = {role: locate(SPECS[role], source.model, source.revision) for role, source in sources.items()}
    if settings.threads:
        torch.set_num_threads(settings.threads)
    try:
        # Imported here: each pulls in a good part of transformers, and the check above should be quick.
        from albumgen_core.engines.neural.clip import load_embedder
        from albumgen_core.engines.neural.internvl.describer import InternVLDescriber
        from albumgen_core.engines.neural.musicgen import load_composer
    except ImportError as error:
        raise EngineUnavailableError(
            f"The neural engine cannot start: the package {error.name or error} is not installed; "
            "run `pip install albumgen` again in this environment."
        ) from error
    read = settings.internvl
    compose: Any = settings.musicgen
    return Engine(
        family="neural",
        # Always float32: it is small, and an index must mean the same on every machine.
        embedder=load_embedder(str(folders["clip"]), device=settings.device),
        describer=InternVLDescriber(
            folders["internvl"],
            device=settings.device,
            dtype=settings.dtype,
            adapter=read.adapter,
            merge_adapter=read.merge_adapter,
            max_tiles=read.max_tiles,
            temperature=read.temperature,
        ),
        composer=load_composer(
            folders["musicgen"],
            device=settings.device,
            dtype=settings.dtype,
            backend=compose.backend,
            guidance_scale=compose.guidance_scale,
            top_k=compose.top_k,
            top_p=compose.top_p,
            temperature=compose.temperature,
            threads=settings.threads or None,
            extend_stride=compose.extend_stride,
        ),
    )
