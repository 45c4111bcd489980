"""The models of the neural family, and the files that each is made of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Role = Literal["clip", "internvl", "musicgen"]

CONFIG = "config.json"
SAFETENSORS = "model.safetensors"
SAFETENSORS_INDEX = "model.safetensors.index.json"
PICKLED = "pytorch_model.bin"

Alternatives = tuple[tuple[str, ...], ...]
"""Sets of files, any one of which will do; the first that is whole is used."""

_ONE_OR_SHARDS: Alternatives = ((SAFETENSORS,), (SAFETENSORS_INDEX,))
_BPE: Alternatives = (("tokenizer.json",), ("vocab.json", "merges.txt"))


@dataclass(frozen=True, slots=True)
class ModelSpec:
    """A model of the family, and the files that it cannot do without.

    Attributes:
        role: its name in the settings (`engine.<role>.model`) and on the command line.
        title: its name in sentences.
        default: hub id that is used when nothing else is asked for.
        licence: of the default's weights.
        model_types: what `model_type` in its config.json may be.
        required: files it needs, each as alternatives.
        optional: files that are used when they are there.
    """

    role: Role
    title: str
    default: str
    licence: str
    model_types: frozenset[str]
    required: tuple[Alternatives, ...]
    optional: tuple[str, ...] = ()


_TOKENIZER_EXTRAS = (
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "generation_config.json",
)

SPECS: dict[Role, ModelSpec] = {
    "clip": ModelSpec(
        "clip",
        "CLIP",
        "openai/clip-vit-base-patch16",
        "MIT",
        frozenset({"clip"}),
        # The hub's main revision of the default holds no safetensors file, only PyTorch's own format, which
        # is read with `weights_only`: tensors come out of it, code cannot.
        (((CONFIG,),), (*_ONE_OR_SHARDS, (PICKLED,)), (("preprocessor_config.json",),), _BPE),
        _TOKENIZER_EXTRAS,
    ),
    "internvl": ModelSpec(
        "internvl",
        "InternVL2",
        "OpenGVLab/InternVL2-1B",
        "MIT (its language model, Qwen2-0.5B: Apache-2.0)",
        frozenset({"internvl_chat", "internvl"}),
        (((CONFIG,),), _ONE_OR_SHARDS, _BPE),
        (*_TOKENIZER_EXTRAS, "preprocessor_config.json", "chat_template.jinja", "chat_template.json"),
    ),
    "musicgen": ModelSpec(
        "musicgen",
        "MusicGen",
        "facebook/musicgen-small",
        "CC-BY-NC 4.0",
        frozenset({"musicgen"}),
        (
            ((CONFIG,), ("state_dict.bin",)),
            (*_ONE_OR_SHARDS, ("state_dict.bin", "compression_state_dict.bin")),
            (("tokenizer.json",), ("spiece.model",), ("t5-base/tokenizer.json",), ("t5-base/spiece.model",)),
        ),
        (*_TOKENIZER_EXTRAS, "preprocessor_config.json"),
    ),
}
"""The three models, by role."""
