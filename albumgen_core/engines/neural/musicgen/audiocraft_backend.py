"""MusicGen through Meta's own package, audiocraft, for those who have it installed.

The same weights and the same music as `albumgen_core.engines.neural.musicgen.decoder`, which is many times
faster and needs none of audiocraft's packages; this one is the reference that it is held against.
audiocraft is never installed along with AlbumGen: docs/musicgen.md says how.
"""

from __future__ import annotations

import importlib
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from albumgen_core.audio.types import Audio
from albumgen_core.engines.base import (
    CancelCheck,
    Composer,
    ComposeRequest,
    FractionCallback,
    ignore_progress,
    never_cancelled,
)
from albumgen_core.engines.neural.checkpoints.hub import display_name
from albumgen_core.errors import EngineUnavailableError


class _CancelledError(Exception):
    """Leaves audiocraft's loop from inside its progress callback."""


def load_composer(
    path: str | Path,
    *,
    device: str = "auto",
    guidance_scale: float = 3.0,
    top_k: int = 250,
    top_p: float = 0.0,
    temperature: float = 1.0,
    extend_stride: float = 18.0,
) -> Composer:
    """Load an audiocraft checkpoint (a folder with state_dict.bin, or a name audiocraft knows).

    Raises EngineUnavailableError when audiocraft is not installed or cannot load the checkpoint.
    """
    try:
        models: Any = importlib.import_module("audiocraft.models")
    except ImportError as error:
        raise EngineUnavailableError(
            f"The audiocraft engine cannot start: {error}; install audiocraft as docs/musicgen.md says, "
            "or set engine.musicgen.backend to auto."
        ) from error
    try:
        model = models.MusicGen.get_pretrained(str(path), device=None if device == "auto" else device)
    except Exception as error:  # audiocraft raises whatever its parts raise
        raise EngineUnavailableError(f"audiocraft cannot load {path}: {error}.") from error
    parameters = {
        "use_sampling": temperature > 0,
        "top_k": top_k,
        "top_p": top_p,
        "temperature": temperature,
        "cfg_coef": guidance_scale,
        "extend_stride": extend_stride,
    }
    return AudiocraftComposer(model, f"MusicGen by audiocraft ({display_name(Path(path))})", parameters)


class AudiocraftComposer:
    """audiocraft's MusicGen as a Composer; clips are composed one after another, each from its seed."""

    def __init__(self, model: Any, name: str, parameters: dict[str, Any]) -> None:
        self.model, self._name, self._parameters = model, name, parameters

    @property
    def name(self) -> str:
        """The checkpoint's name."""
        return self._name

    @property
    def sample_rate(self) -> int:
        """Sample rate of the codec, in Hz."""
        return int(self.model.sample_rate)

    def compose(
        self,
        requests: Sequence[ComposeRequest],
        *,
        on_progress: FractionCallback = ignore_progress,
        is_cancelled: CancelCheck = never_cancelled,
    ) -> list[Audio | None]:
        """Compose a batch; see `Composer.compose`."""
        clips: list[Audio | None] = []
        for position, request in enumerate(requests):
            frames = max(1, math.ceil(round(request.seconds * self.model.frame_rate, 6)))
            reached = 0.0

            def progress(done: int, _of: int, position: int = position, frames: int = frames) -> None:
                nonlocal reached
                if is_cancelled(position):
                    raise _CancelledError
                # audiocraft counts tokens of the window at hand, so this may step back at a new window.
                reached = max(reached, min(1.0, done / frames))
                on_progress((position + reached) / len(requests))

            try:
                clips.append(None if is_cancelled(position) else self._clip(request, frames, progress))
            except _CancelledError:
                clips.append(None)
            on_progress((position + 1) / len(requests))
        return clips

    def _clip(self, request: ComposeRequest, frames: int, progress: Any) -> Audio:
        model = self.model
        model.set_generation_params(duration=frames / model.frame_rate, **self._parameters)
        model.set_custom_progress_callback(progress)
        with torch.random.fork_rng(), torch.inference_mode():
            torch.manual_seed(request.seed)
            if request.continue_from is None:
                sound, tokens = model.generate([request.prompt], progress=True, return_tokens=True)
            else:
                earlier = torch.from_numpy(request.continue_from.samples)[None].to(model.device)
                sound, tokens = model.generate_continuation(
                    earlier,
                    request.continue_from.sample_rate,
                    [request.prompt],
                    progress=True,
                    return_tokens=True,
                )
        samples = sound[0].float().cpu().numpy()
        wanted = min(round(request.seconds * self.sample_rate), samples.shape[1])
        return Audio(
            np.ascontiguousarray(samples[:, :wanted], dtype=np.float32),
            self.sample_rate,
            tokens[0].cpu().numpy().astype(np.int16),
        )
