"""From a folder to a composer that is ready to work."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import torch

from albumgen_core.engines.base import Composer
from albumgen_core.engines.neural.musicgen.checkpoint import Checkpoint, open_checkpoint
from albumgen_core.engines.neural.musicgen.codec import Codec
from albumgen_core.engines.neural.musicgen.composer import Horizon, MusicGenComposer
from albumgen_core.engines.neural.musicgen.decoder import OwnDecoder
from albumgen_core.engines.neural.musicgen.decoder_api import Decoder
from albumgen_core.engines.neural.musicgen.sampling import Sampler
from albumgen_core.engines.neural.musicgen.stock import StockDecoder, build_causal_lm
from albumgen_core.engines.neural.musicgen.text import TextEncoder
from albumgen_core.engines.neural.musicgen.windows import WINDOW_SECONDS

Backend = Literal["auto", "transformers", "own"]
DType = Literal["auto", "float32", "bfloat16", "float16", "int8"]


def load_composer(
    path: str | Path,
    *,
    device: str = "auto",
    dtype: DType = "auto",
    backend: Backend = "auto",
    guidance_scale: float = 3.0,
    top_k: int = 250,
    top_p: float = 0.0,
    temperature: float = 1.0,
    threads: int | None = None,
    extend_stride: float = 18.0,
    window_seconds: float = WINDOW_SECONDS,
) -> Composer:
    """Load the MusicGen checkpoint in the folder `path`, in transformers' or audiocraft's layout.

    Raises EngineUnavailableError, naming the file and the fix, when that cannot be done.
    """
    folder = Path(path)
    chosen = _device(device)
    if threads:
        torch.set_num_threads(threads)
    checkpoint = open_checkpoint(folder)
    config = checkpoint.config.decoder
    return MusicGenComposer(
        f"MusicGen ({folder.name})",
        TextEncoder(checkpoint, chosen),
        _decoder(checkpoint, chosen, dtype, backend, guidance_scale),
        Codec(checkpoint, chosen),
        channels=config.audio_channels,
        pad=config.pad_token_id,
        sampler=Sampler(temperature, top_k, top_p),
        horizon=Horizon(window_seconds, extend_stride),
    )


def _device(name: str) -> torch.device:
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    return torch.device(name)


def _decoder(
    checkpoint: Checkpoint, device: torch.device, dtype: DType, backend: Backend, scale: float
) -> Decoder:
    if backend == "transformers":
        number = torch.float32 if dtype in ("auto", "int8") else getattr(torch, dtype)
        return StockDecoder(build_causal_lm(checkpoint, device, number), scale)
    return OwnDecoder(checkpoint, device, "float32" if dtype == "auto" else dtype, scale)
