"""Tiny MusicGen checkpoints with random weights, in the upstream file formats.

Same files, same tensor names and same architecture as facebook/musicgen-small (T5 encoder and its
unigram tokenizer, decoder with delayed codebooks, convolutional codec with an LSTM), so that the loading
code cannot tell them from the real ones; only the sizes are small.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
import yaml
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors
from transformers import (
    EncodecConfig,
    GenerationConfig,
    MusicgenConfig,
    MusicgenDecoderConfig,
    MusicgenForConditionalGeneration,
    T5Config,
    T5TokenizerFast,
)

from albumgen_core.engines.neural.musicgen.checkpoint import Checkpoint

VOCABULARY = 64
"""Tokens of each of the tiny codec's codebooks."""
FRAME_RATE = 50
SAMPLE_RATE = 1600
TEXT = [
    "an upbeat hip hop track with a heavy bass line and bright synths",
    "a calm, acoustic folk ballad in D minor with soft vocals, 84 bpm",
    "slow dark ambient drone; a fast punk rock song with loud guitars",
    "energetic dance music, danceable and happy, recorded live in 3/4 time",
]


def tiny_config(channels: int = 1, *, hidden: int = 32, layers: int = 2) -> MusicgenConfig:
    """MusicGen's architecture at a size that composes a second of music in an instant."""
    text = T5Config(
        vocab_size=200, d_model=24, d_kv=8, d_ff=48, num_layers=2, num_heads=3, feed_forward_proj="relu"
    )
    codec = EncodecConfig(
        target_bandwidths=[FRAME_RATE * 4 * 6 / 1000],
        sampling_rate=SAMPLE_RATE,
        audio_channels=1,
        hidden_size=16,
        num_filters=4,
        upsampling_ratios=[4, 4, 2],
        codebook_size=VOCABULARY,
        use_causal_conv=False,
        use_conv_shortcut=False,
        num_lstm_layers=2,
    )
    decoder = MusicgenDecoderConfig(
        vocab_size=VOCABULARY,
        hidden_size=hidden,
        num_hidden_layers=layers,
        num_attention_heads=4,
        ffn_dim=4 * hidden,
        num_codebooks=4 * channels,
        audio_channels=channels,
        pad_token_id=VOCABULARY,
        bos_token_id=VOCABULARY,
        max_position_embeddings=256,
    )
    return MusicgenConfig(text_encoder=text, audio_encoder=codec, decoder=decoder)


def tiny_model(channels: int = 1, *, seed: int = 0) -> Any:
    """transformers' own model of `tiny_config`, with random weights that make lively music."""
    torch.manual_seed(seed)
    model = MusicgenForConditionalGeneration(tiny_config(channels)).eval()
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, weight in model.named_parameters():
            # The library's initial weights are so small that every token would be about equally likely.
            if name.startswith("decoder.") and weight.ndim == 2:
                weight.normal_(0, weight.shape[1] ** -0.5, generator=generator)
            elif "layer_norm.weight" in name:
                weight.uniform_(0.5, 1.5, generator=generator)
            elif "layer_norm.bias" in name:
                weight.normal_(0, 0.1, generator=generator)
        for layer in model.audio_encoder.quantizer.layers:
            layer.codebook.embed.normal_(generator=generator)
    model.generation_config = GenerationConfig(
        bos_token_id=VOCABULARY,
        decoder_start_token_id=VOCABULARY,
        pad_token_id=VOCABULARY,
        do_sample=True,
        guidance_scale=3.0,
        max_length=1500,
    )
    return model


def tiny_tokenizer() -> T5TokenizerFast:
    """A T5 tokenizer (unigram, like SentencePiece's) that knows some words and spells the others."""
    letters = sorted(set(" ".join(TEXT)) - {" "})
    words = sorted({word for text in TEXT for word in text.split()})
    pieces = ["▁", *letters, *(f"▁{word}" for word in words)]
    # A piece costs the same however long it is, so whole words win over their letters.
    vocabulary = [(special, 0.0) for special in ("<pad>", "</s>", "<unk>")]
    vocabulary += [(piece, -float(5 + place % 3)) for place, piece in enumerate(pieces)]
    tokenizer = Tokenizer(models.Unigram(vocabulary, unk_id=2))
    tokenizer.normalizer = normalizers.Sequence([normalizers.Nmt(), normalizers.NFKC()])
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.decoder = decoders.Metaspace()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="$A </s>", special_tokens=[("</s>", tokenizer.token_to_id("</s>"))]
    )
    return T5TokenizerFast(
        tokenizer_object=tokenizer, pad_token="<pad>", eos_token="</s>", unk_token="<unk>", extra_ids=0
    )


def build(folder: Path, channels: int = 1, *, seed: int = 0, shard: str | None = None) -> Path:
    """Write a tiny checkpoint in transformers' format; `shard` is a maximal file size ("100KB")."""
    options = {} if shard is None else {"max_shard_size": shard}
    tiny_model(channels, seed=seed).save_pretrained(folder, **options)
    tiny_tokenizer().save_pretrained(folder)
    return folder


def build_audiocraft(folder: Path, channels: int = 1, *, seed: int = 0) -> Path:
    """Write the same checkpoint in audiocraft's layout, its T5 in a folder of its own."""
    model = tiny_model(channels, seed=seed)
    folder.mkdir(parents=True, exist_ok=True)
    model.text_encoder.save_pretrained(folder / "t5-base")
    tiny_tokenizer().save_pretrained(folder / "t5-base")
    torch.save(lm_package(model), folder / "state_dict.bin")
    torch.save(codec_package(model), folder / "compression_state_dict.bin")
    return folder


def lm_state(decoder: Any) -> dict[str, torch.Tensor]:
    """The weights of transformers' MusicgenForCausalLM as audiocraft's LMModel names and joins them."""
    state: dict[str, torch.Tensor] = {}
    for name, tensor in decoder.state_dict().items():
        for theirs, ours in (
            ("model.decoder.embed_tokens.", "emb."),
            ("lm_heads.", "linears."),
            ("model.decoder.layer_norm.", "out_norm."),
            ("model.decoder.layers.", "transformer.layers."),
            ("encoder_attn_layer_norm", "norm_cross"),
            ("self_attn_layer_norm", "norm1"),
            ("final_layer_norm", "norm2"),
            ("encoder_attn.", "cross_attention."),
            ("fc1", "linear1"),
            ("fc2", "linear2"),
        ):
            name = name.replace(theirs, ours)
        state[name] = tensor
    for name in [name for name in state if name.endswith("q_proj.weight")]:
        base = name.removesuffix("q_proj.weight")
        state[f"{base}in_proj_weight"] = torch.cat([state.pop(f"{base}{part}_proj.weight") for part in "qkv"])
    return state


def lm_package(model: Any) -> dict[str, Any]:
    """What audiocraft's `state_dict.bin` holds."""
    config = model.config.decoder
    state = lm_state(model.decoder)
    for part in ("weight", "bias"):
        projection = getattr(model.enc_to_dec_proj, part).detach()
        state[f"condition_provider.conditioners.description.output_proj.{part}"] = projection
    lm = {
        "n_q": config.num_codebooks,
        "card": config.vocab_size,
        "dim": config.hidden_size,
        "num_heads": config.num_attention_heads,
        "num_layers": config.num_hidden_layers,
        "hidden_scale": 4,
        "activation": "gelu",
    }
    settings = {
        "transformer_lm": lm,
        "interleave_stereo_codebooks": {"use": config.audio_channels == 2},
        "conditioners": {"description": {"model": "t5", "t5": {"name": "t5-base"}}},
    }
    return {"best_state": state, "xp.cfg": yaml.safe_dump(settings), "version": "1.3.0", "exported": True}


def codec_package(model: Any) -> dict[str, Any]:
    """What audiocraft's `compression_state_dict.bin` holds."""
    config = model.config.audio_encoder
    state: dict[str, torch.Tensor] = {}
    for name, tensor in model.audio_encoder.state_dict().items():
        name = name.replace("quantizer.layers.", "quantizer.vq.layers.").replace(".codebook.", "._codebook.")
        name = name.replace("parametrizations.weight.original0", "weight_g")
        name = name.replace("parametrizations.weight.original1", "weight_v")
        if name.startswith(("encoder.layers.", "decoder.layers.")):
            name = name.replace(".layers.", ".model.", 1)
            number = int(name.split(".")[2])
            upsampling = (
                name.startswith("decoder.") and number >= 3 and number % 3 == 0 and ".block." not in name
            )
            last = name.startswith("decoder.model.12.")
            name = name.replace(".conv.", ".convtr.convtr." if upsampling and not last else ".conv.conv.")
        state[name] = tensor
    seanet = {
        "dimension": config.hidden_size,
        "channels": 1,
        "causal": False,
        "n_filters": config.num_filters,
        "n_residual_layers": 1,
        "ratios": list(config.upsampling_ratios),
        "kernel_size": 7,
        "residual_kernel_size": 3,
        "last_kernel_size": 7,
        "dilation_base": 2,
        "pad_mode": config.pad_mode,
        "true_skip": True,
        "compress": 2,
        "lstm": 2,
    }
    settings = {
        "seanet": seanet,
        "rvq": {"n_q": 4, "bins": config.codebook_size},
        "sample_rate": config.sampling_rate,
    }
    return {"best_state": state, "xp.cfg": yaml.safe_dump(settings), "version": "1.3.0", "exported": True}


def with_outlier_channels(checkpoint: Checkpoint, gain: float = 40.0, every: int = 11) -> Checkpoint:
    """The same function with a few channels of every norm `gain` times louder, as large models have them."""
    width = checkpoint.config.decoder.hidden_size
    louder = torch.ones(width)
    louder[::every] = gain

    def reader(name: str) -> torch.Tensor:
        tensor = checkpoint.get(name)
        if name.endswith(("layer_norm.weight", "layer_norm.bias")) and ".layers." in name:
            return tensor * louder
        after_norm = (
            "self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj", "encoder_attn.q_proj", "fc1"
        )  # fmt: skip
        return tensor / louder if any(part in name for part in after_norm) else tensor

    names = [name for name in checkpoint._readers if name.startswith("decoder.")]
    return Checkpoint(
        checkpoint.folder, checkpoint.config, {name: (lambda name=name: reader(name)) for name in names}
    )
