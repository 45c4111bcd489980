"""audiocraft's own checkpoint layout, read under transformers' names.

`state_dict.bin` holds the decoder and `compression_state_dict.bin` the codec, each a pickled dict with
"best_state" (tensors) and "xp.cfg" (the training configuration, YAML). Both are read with torch's
restricted unpickler, which runs no code from the file. T5 is not part of the layout: audiocraft fetches
it by name, here it lies in a folder of that name inside the checkpoint or beside it.
"""

from __future__ import annotations

import re
from functools import partial
from pathlib import Path
from typing import Any

import torch
import yaml  # type: ignore[import-untyped]
from torch import Tensor
from transformers import EncodecConfig, MusicgenConfig, MusicgenDecoderConfig, T5Config

from albumgen_core.engines.neural.checkpoints.hub import CONFIG, damaged, read_json, unusable
from albumgen_core.engines.neural.checkpoints.tensors import TensorFolder
from albumgen_core.engines.neural.musicgen.checkpoint import SPEC, Checkpoint, TensorReader
from albumgen_core.errors import EngineUnavailableError

AUDIOCRAFT_LM = "state_dict.bin"
AUDIOCRAFT_CODEC = "compression_state_dict.bin"
LM_NAMES = (
    (r"^emb\.", "decoder.model.decoder.embed_tokens."),
    (r"^linears\.", "decoder.lm_heads."),
    (r"^out_norm\.", "decoder.model.decoder.layer_norm."),
    (r"^condition_provider\.conditioners\.description\.output_proj\.", "enc_to_dec_proj."),
    (r"^transformer\.layers\.", "decoder.model.decoder.layers."),
    (r"\.cross_attention\.", ".encoder_attn."),
    (r"\.norm1\.", ".self_attn_layer_norm."),
    (r"\.norm_cross\.", ".encoder_attn_layer_norm."),
    (r"\.norm2\.", ".final_layer_norm."),
    (r"\.linear([12])\.", r".fc\1."),
)
CODEC_NAMES = (
    (r"^(encoder|decoder)\.model\.", r"audio_encoder.\1.layers."),
    (r"^quantizer\.vq\.layers\.(\d+)\._codebook\.", r"audio_encoder.quantizer.layers.\1.codebook."),
    (r"\.(conv\.conv|convtr\.convtr)\.", ".conv."),
)


def open_audiocraft(folder: Path) -> Checkpoint:
    """Open a folder in audiocraft's layout. Raises EngineUnavailableError like `open_checkpoint`."""
    lm_state, lm_config = _load(folder / AUDIOCRAFT_LM)
    codec_state, codec_config = _load(folder / AUDIOCRAFT_CODEC)
    extra = [key for key in lm_state if "conditioners." in key and "conditioners.description." not in key]
    if extra:
        raise EngineUnavailableError(
            f"{folder} is a MusicGen checkpoint that wants a tune or a style beside the text; "
            "choose a text-to-music one, such as facebook/musicgen-small."
        )
    text_folder = _text_encoder_folder(folder, lm_config)
    try:
        config = MusicgenConfig(
            text_encoder=T5Config.from_dict(read_json(SPEC, text_folder / CONFIG)),
            audio_encoder=_codec_config(codec_config),
            decoder=_decoder_config(lm_config),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise damaged(SPEC, folder / AUDIOCRAFT_LM, f"its configuration lacks {error}") from error
    text_encoder = TensorFolder(SPEC, text_folder)
    readers = text_encoder.readers("text_encoder.")
    for name, tensor in lm_state.items():
        readers |= _lm_tensor(name, tensor)
    for name, tensor in codec_state.items():
        readers[_renamed(name, CODEC_NAMES)] = partial(_identity, tensor)
    return Checkpoint(folder, config, readers, tokenizer_folder=text_folder, files=[text_encoder])


def _load(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    try:
        package = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
    except FileNotFoundError:
        raise unusable(SPEC, path, "is missing") from None
    except Exception as error:  # torch raises half a dozen kinds for files that are no checkpoint
        raise damaged(SPEC, path, error) from error
    if not isinstance(package, dict) or "best_state" not in package or "xp.cfg" not in package:
        raise unusable(SPEC, path, "does not hold the weights themselves (no best_state and xp.cfg)")
    try:
        config = yaml.safe_load(package["xp.cfg"])
    except yaml.YAMLError as error:
        raise damaged(SPEC, path, error) from error
    return package["best_state"], config


def _text_encoder_folder(folder: Path, config: dict[str, Any]) -> Path:
    name = config.get("conditioners", {}).get("description", {}).get("t5", {}).get("name", "t5-base")
    last = Path(str(name)).name
    for candidate in (folder / last, folder / "text_encoder", folder.parent / last):
        if (candidate / CONFIG).exists():
            return candidate
    raise unusable(SPEC, folder / last, "is missing (audiocraft's layout leaves out the text encoder)")


def _decoder_config(config: dict[str, Any]) -> Any:
    lm = config["transformer_lm"]
    channels = 2 if config.get("interleave_stereo_codebooks", {}).get("use") else 1
    return MusicgenDecoderConfig(
        vocab_size=lm["card"],
        hidden_size=lm["dim"],
        num_hidden_layers=lm["num_layers"],
        num_attention_heads=lm["num_heads"],
        ffn_dim=lm["dim"] * lm.get("hidden_scale", 4),
        activation_function=lm.get("activation", "gelu"),
        num_codebooks=lm["n_q"],
        audio_channels=channels,
        pad_token_id=lm["card"],
        bos_token_id=lm["card"],
    )


def _codec_config(config: dict[str, Any]) -> Any:
    seanet, quantizer = config["seanet"], config["rvq"]
    rate = config["sample_rate"]
    codec = EncodecConfig(
        sampling_rate=rate,
        audio_channels=seanet.get("channels", 1),
        hidden_size=seanet["dimension"],
        num_filters=seanet["n_filters"],
        num_residual_layers=seanet["n_residual_layers"],
        upsampling_ratios=seanet["ratios"],
        kernel_size=seanet["kernel_size"],
        last_kernel_size=seanet["last_kernel_size"],
        residual_kernel_size=seanet["residual_kernel_size"],
        dilation_growth_rate=seanet["dilation_base"],
        use_causal_conv=seanet["causal"],
        pad_mode=seanet["pad_mode"],
        compress=seanet["compress"],
        num_lstm_layers=seanet["lstm"],
        use_conv_shortcut=not seanet["true_skip"],
        codebook_size=quantizer["bins"],
        normalize=config.get("encodec", {}).get("renormalize", False),
    )
    codec.target_bandwidths = [quantizer["n_q"] * codec.frame_rate * codec.codebook_nbits / 1000]
    return codec


def _identity(tensor: Tensor) -> Tensor:
    return tensor


def _renamed(name: str, rules: tuple[tuple[str, str], ...]) -> str:
    for pattern, replacement in rules:
        name = re.sub(pattern, replacement, name)
    return name


def _lm_tensor(name: str, tensor: Tensor) -> dict[str, TensorReader]:
    new = _renamed(name, LM_NAMES)
    if not new.endswith("in_proj_weight"):
        return {new: partial(_identity, tensor)}
    base = new.removesuffix("in_proj_weight")
    return {
        f"{base}{part}_proj.weight": partial(_identity, tensor.chunk(3)[index])
        for index, part in enumerate("qkv")
    }
