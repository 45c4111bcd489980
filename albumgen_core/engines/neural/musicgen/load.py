"""From a folder to a composer that is ready to work."""

from __future__ import annotations

from pathlib import Path
from typing import cast, get_args

import torch

from albumgen_core.engines.base import Composer
from albumgen_core.engines.neural.checkpoints.hub import display_name
from albumgen_core.engines.neural.checkpoints.tensors import choose_device
from albumgen_core.engines.neural.musicgen import audiocraft_backend
from albumgen_core.engines.neural.musicgen.checkpoint import Checkpoint
from albumgen_core.engines.neural.musicgen.codec import Codec
from albumgen_core.engines.neural.musicgen.composer import MusicGenComposer
from albumgen_core.engines.neural.musicgen.decoder import FastDecoder
from albumgen_core.engines.neural.musicgen.decoder_api import Decoder
from albumgen_core.engines.neural.musicgen.hf_decoder import HFDecoder, build_causal_lm
from albumgen_core.engines.neural.musicgen.linear import Format
from albumgen_core.engines.neural.musicgen.open import open_checkpoint
from albumgen_core.engines.neural.musicgen.probe import WORTHWHILE_WEIGHTS, fastest_format
from albumgen_core.engines.neural.musicgen.sampling import Sampler
from albumgen_core.engines.neural.musicgen.text import TextEncoder
from albumgen_core.engines.neural.musicgen.threads import set_threads
from albumgen_core.engines.neural.musicgen.windows import WINDOW_SECONDS, WindowConfig
from albumgen_core.errors import EngineUnavailableError

BACKENDS = ("auto", "own", "transformers", "audiocraft")
DTYPES = ("auto", *get_args(Format))


def load_composer(
    path: str | Path,
    *,
    device: str = "auto",
    dtype: str = "auto",
    backend: str = "auto",
    guidance_scale: float = 3.0,
    top_k: int = 250,
    top_p: float = 0.0,
    temperature: float = 1.0,
    threads: int | None = None,
    extend_stride: float = 18.0,
    window_seconds: float = WINDOW_SECONDS,
) -> Composer:
    """Load the MusicGen checkpoint in the folder `path`, in transformers' or audiocraft's layout.

    Args:
        path: the checkpoint's folder; mono or stereo, any size.
        device: "auto" (CUDA where there is any), "cpu", "cuda", "cuda:1", …
        dtype: number format of the decoder's matrices: "float32", "bfloat16", "float16" or "int8" (CPU
            only). "auto" takes bfloat16 on CUDA, and on a CPU what a short measurement finds fastest.
        backend: "own" (which "auto" takes), "transformers", the slow reference, or "audiocraft", where that
            package is installed (it chooses its number format itself).
        guidance_scale: how strongly the prompt is followed; 1 turns classifier-free guidance off.
        top_k, top_p, temperature: see `Sampler`.
        threads: CPU threads; None or 0 takes the cores this process may use.
        extend_stride: seconds from one window of a long clip to the next.
        window_seconds: length of a window; the model was trained on 30 s.

    Raises EngineUnavailableError, naming the file and the fix, when the checkpoint cannot be used,
    ConfigError for a device that is not there, and ValueError for a backend or dtype that does not exist.
    """
    if backend not in BACKENDS or dtype not in DTYPES:
        raise ValueError(f"backend must be one of {BACKENDS} and dtype one of {DTYPES}")
    if backend == "audiocraft":
        return audiocraft_backend.load_composer(
            path,
            device=device,
            guidance_scale=guidance_scale,
            top_k=top_k,
            top_p=top_p,
            temperature=temperature,
            extend_stride=extend_stride,
        )
    folder = Path(path)
    chosen = choose_device(device)
    set_threads(threads)
    checkpoint = open_checkpoint(folder)
    config = checkpoint.config.decoder
    return MusicGenComposer(
        f"MusicGen ({display_name(folder)})",
        TextEncoder(checkpoint, chosen),
        _decoder(checkpoint, chosen, dtype, backend, guidance_scale),
        Codec(checkpoint, chosen),
        channels=config.audio_channels,
        pad=config.pad_token_id,
        sampler=Sampler(temperature, top_k, top_p),
        windows=WindowConfig(window_seconds, extend_stride),
        source=str(folder.resolve()),
    )


def _decoder(checkpoint: Checkpoint, device: torch.device, dtype: str, backend: str, scale: float) -> Decoder:
    chosen = _format(checkpoint, device, dtype, backend)
    if backend == "transformers":
        return HFDecoder(build_causal_lm(checkpoint, device, getattr(torch, chosen)), scale)
    return FastDecoder(checkpoint, device, chosen, scale)


def _format(checkpoint: Checkpoint, device: torch.device, dtype: str, backend: str) -> Format:
    """The format of the large matrices: what was asked for or, with "auto", the fastest good one."""
    if dtype != "auto":
        if dtype == "int8" and (device.type != "cpu" or backend == "transformers"):
            raise EngineUnavailableError(
                "MusicGen's int8 weights work on a CPU with the backend auto; set engine.dtype to auto."
            )
        return cast(Format, dtype)
    if backend == "transformers" or device.type not in ("cpu", "cuda"):
        return "float32"
    if device.type == "cuda":
        return "bfloat16" if torch.cuda.is_bf16_supported() else "float16"
    config = checkpoint.config.decoder
    # Attention 4 * width², what it asks of the prompt 2 * width², feed-forward 2 * width * inner.
    weights = config.num_hidden_layers * config.hidden_size * (6 * config.hidden_size + 2 * config.ffn_dim)
    return "float32" if weights < WORTHWHILE_WEIGHTS else fastest_format(config.hidden_size)
