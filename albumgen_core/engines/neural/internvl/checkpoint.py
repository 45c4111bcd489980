"""InternVL checkpoints in transformers' native classes, without running code that comes with them.

Two layouts are read. OpenGVLab's own (`model_type: internvl_chat`: InternVL2-1B and its kin) is brought
into the native classes by renaming its tensors; transformers' (`model_type: internvl`: repositories whose
name ends in -hf) is loaded as it is.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor
from transformers import InternVLConfig, InternVLForConditionalGeneration, Qwen2Config
from transformers.models.internvl import InternVLVisionConfig
from transformers.utils import logging

from albumgen_core.engines.neural.checkpoints.hub import CONFIG, SPECS, damaged, read_json, unusable
from albumgen_core.engines.neural.checkpoints.tensors import TensorFolder, fill

SPEC = SPECS["internvl"]
Layout = Literal["original", "native"]

# Parts of transformers are untyped.
_MODEL: Any = InternVLForConditionalGeneration
_logging: Any = logging

_RENAMES: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (re.compile(pattern), ours)
    for pattern, ours in (
        (r"^mlp1\.0\.", "model.multi_modal_projector.layer_norm."),
        (r"^mlp1\.1\.", "model.multi_modal_projector.linear_1."),
        (r"^mlp1\.3\.", "model.multi_modal_projector.linear_2."),
        (r"^language_model\.lm_head\.", "lm_head."),
        (r"^language_model\.model\.", "model.language_model."),
        (r"^vision_model\.embeddings\.class_embedding$", "model.vision_tower.embeddings.cls_token"),
        (
            r"^vision_model\.embeddings\.position_embedding$",
            "model.vision_tower.embeddings.position_embeddings",
        ),
        (
            r"^vision_model\.embeddings\.patch_embedding\.",
            "model.vision_tower.embeddings.patch_embeddings.projection.",
        ),
        (r"^vision_model\.encoder\.layers\.(\d+)\.", r"model.vision_tower.encoder.layer.\1."),
        (r"(vision_tower.*)\.attn\.proj\.", r"\1.attention.projection_layer."),
        (r"(vision_tower.*)\.attn\.([qk])_norm\.", r"\1.attention.\2_norm."),
        (r"(vision_tower.*)\.norm1\.", r"\1.layernorm_before."),
        (r"(vision_tower.*)\.norm2\.", r"\1.layernorm_after."),
        (r"(vision_tower.*)\.ls([12])$", r"\1.lambda_\2"),
    )
)
_WORDS = "model.language_model.embed_tokens.weight"
_FUSED = re.compile(r"^(model\.vision_tower\.encoder\.layer\.\d+)\.attn\.qkv\.(weight|bias)$")


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What a folder says about its model.

    Attributes:
        folder: where it lies.
        layout: "original" (OpenGVLab's) or "native" (transformers').
        config: transformers' InternVLConfig; `image_token_id` comes from the tokenizer.
        template: name of the chat template that an original config asks for; None for native ones.
        tile: side of an image tile in pixels.
        tokens_per_tile: how many places a tile takes in the prompt.
        thumbnail: whether several tiles are followed by the whole picture.
    """

    folder: Path
    layout: Layout
    config: Any
    template: str | None
    tile: int
    tokens_per_tile: int
    thumbnail: bool


def open_checkpoint(folder: Path) -> Checkpoint:
    """Read the configuration in `folder`. Raises EngineUnavailableError when it is not one we can run."""
    values = read_json(SPEC, folder / CONFIG)
    kind = values.get("model_type")
    if kind not in SPEC.model_types:
        raise unusable(SPEC, folder / CONFIG, f"describes a model of type {kind!r}, not InternVL")
    try:
        config: Any = (
            InternVLConfig.from_dict(values) if kind == "internvl" else _native_config(folder, values)
        )
        tile = int(config.vision_config.image_size[0])
        side = tile // int(config.vision_config.patch_size[0])
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise damaged(SPEC, folder / CONFIG, error) from error
    return Checkpoint(
        folder,
        "native" if kind == "internvl" else "original",
        config,
        None if kind == "internvl" else str(values.get("template", "Hermes-2")),
        tile,
        int((side * config.downsample_ratio) ** 2),
        bool(values.get("use_thumbnail", True)),
    )


def load_model(checkpoint: Checkpoint, *, image_token: int, device: torch.device, dtype: torch.dtype) -> Any:
    """The model in evaluation mode on `device`, all of its tensors from the checkpoint and none left over.

    `image_token` is the id of <IMG_CONTEXT>. Raises EngineUnavailableError when a tensor is missing,
    unknown or misshapen.
    """
    checkpoint.config.image_token_id = image_token
    if checkpoint.layout == "native":
        return _load_native(checkpoint, device, dtype)
    tensors = TensorFolder(SPEC, checkpoint.folder)
    checkpoint.config.tie_word_embeddings = "language_model.lm_head.weight" not in tensors
    with torch.device("meta"):
        model = _MODEL._from_config(checkpoint.config, attn_implementation="sdpa")
    tied = checkpoint.config.tie_word_embeddings
    stored = () if tied else (_WORDS,)
    fill(model, native_tensors(tensors), tensors, device=device, dtype=dtype, as_stored=stored)
    if not tied:
        # A table that is only looked up in: its rows are widened as they are read, with the same result,
        # instead of half a gigabyte when it is loaded.
        model.get_input_embeddings().register_forward_hook(lambda _module, _ids, rows: rows.to(dtype))
    return model.eval()


def native_tensors(tensors: TensorFolder) -> Iterator[tuple[str, Tensor]]:
    """An original checkpoint's tensors under the native names, the fused attention weights split."""
    for name in tensors:
        renamed = native_name(name)
        fused = _FUSED.match(renamed)
        if fused is None:
            yield renamed, tensors.get(name)
            continue
        layer, part = fused.groups()
        # The rows of a fused projection are the queries', then the keys', then the values'.
        for which, rows in zip("qkv", tensors.get(name).chunk(3), strict=True):
            yield f"{layer}.attention.{which}_proj.{part}", rows


def native_name(name: str) -> str:
    """An original tensor's name in transformers' classes (of a fused projection, before it is split)."""
    for pattern, ours in _RENAMES:
        name = pattern.sub(ours, name)
    return name


def _native_config(folder: Path, values: dict[str, Any]) -> Any:
    """An `internvl_chat` configuration in transformers' terms."""
    theirs, text = values["vision_config"], dict(values["llm_config"])
    _refuse_unknown(folder, values, text)
    side = int(values.get("force_image_size") or theirs["image_size"])
    vision = InternVLVisionConfig(
        hidden_size=theirs["hidden_size"],
        num_hidden_layers=theirs["num_hidden_layers"],
        num_attention_heads=theirs["num_attention_heads"],
        intermediate_size=theirs["intermediate_size"],
        hidden_act=theirs.get("hidden_act", "gelu"),
        attention_bias=bool(theirs.get("qkv_bias", True)),
        use_qk_norm=bool(theirs.get("qk_normalization", False)),
        norm_type=theirs.get("norm_type", "layer_norm"),
        layer_norm_eps=float(theirs.get("layer_norm_eps", 1e-6)),
        image_size=[side, side],
        patch_size=[int(theirs["patch_size"])] * 2,
    )
    theta = float(text.pop("rope_theta", 1_000_000.0))  # transformers' own default would be 10,000
    scaling = text.pop("rope_scaling", None) or {"rope_type": "default"}
    language = Qwen2Config(
        **{name: value for name, value in text.items() if name in _TEXT_FIELDS},
        rope_parameters={**scaling, "rope_theta": theta},
    )
    return InternVLConfig(
        vision_config=vision,
        text_config=language,
        downsample_ratio=float(values.get("downsample_ratio", 0.5)),
        vision_feature_layer=int(values.get("select_layer", -1)),
        image_seq_length=int(
            (side // int(theirs["patch_size"]) * float(values.get("downsample_ratio", 0.5))) ** 2
        ),
    )


_TEXT_FIELDS = frozenset(
    {
        "vocab_size",
        "hidden_size",
        "intermediate_size",
        "num_hidden_layers",
        "num_attention_heads",
        "num_key_value_heads",
        "hidden_act",
        "max_position_embeddings",
        "initializer_range",
        "rms_norm_eps",
        "use_sliding_window",
        "sliding_window",
        "max_window_layers",
        "attention_dropout",
    }
)
"""The numbers of an `llm_config` that shape the model; the rest is the bookkeeping of old versions."""


def _refuse_unknown(folder: Path, values: dict[str, Any], text: dict[str, Any]) -> None:
    """Other language models and the first pixel shuffle have other mathematics: say no instead of noise."""
    kind = text.get("model_type") or (text.get("architectures") or ["?"])[0]
    if "qwen2" not in str(kind).lower():
        problem = f"has the language model {kind}, where only Qwen2 is supported (InternVL2-1B has it)"
        raise unusable(SPEC, folder / CONFIG, problem)
    if values.get("ps_version", "v2") != "v2":
        raise unusable(SPEC, folder / CONFIG, f"asks for pixel shuffle {values['ps_version']}, not v2")


def _load_native(checkpoint: Checkpoint, device: torch.device, dtype: torch.dtype) -> Any:
    TensorFolder(SPEC, checkpoint.folder)  # for its plain words about damaged files
    bars = _logging.is_progress_bar_enabled()
    _logging.disable_progress_bar()
    try:
        model, report = _MODEL.from_pretrained(
            checkpoint.folder,
            config=checkpoint.config,
            dtype=dtype,
            attn_implementation="sdpa",
            local_files_only=True,
            use_safetensors=True,
            output_loading_info=True,
        )
    except (OSError, ValueError, RuntimeError) as error:
        raise damaged(SPEC, checkpoint.folder, error) from error
    finally:
        if bars:
            _logging.enable_progress_bar()
    for problem in ("missing_keys", "unexpected_keys", "mismatched_keys"):
        names = sorted(str(name) for name in report.get(problem) or ())
        if names:
            words = problem.replace("_", " ").replace("keys", "tensors")
            raise unusable(SPEC, checkpoint.folder, f"has {len(names)} {words} ({names[0]}, …)")
    return model.to(device).eval()
