"""CLIP (Radford et al. 2021): covers and words as points of one space."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from transformers import CLIPConfig, CLIPTextModelWithProjection, CLIPTokenizer, CLIPVisionModelWithProjection

# By its own name: the automatic class would want torchvision, and would not agree to the last bit with it.
from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil

from albumgen_core.cover.read import Cover
from albumgen_core.engines.base import EMBEDDING_DIMENSIONS
from albumgen_core.engines.neural.checkpoints.hub import CONFIG, SPECS, damaged, locate, read_json, unusable
from albumgen_core.engines.neural.checkpoints.tensors import TensorFolder, choose_device, fill, memory_errors

SPEC = SPECS["clip"]
BATCH = 32
"""Covers that go through the model together."""
_VISION = ("vision_model.", "visual_projection.")
_TEXT = ("text_model.", "text_projection.")


class ClipEmbedder:
    """Embeds covers with CLIP's image tower, and texts (genres, for instance) with its text tower.

    The text tower is read from disk when it is first asked for: retrieval does not need it.

    Args:
        folder: a CLIP checkpoint in transformers' format.
        device: "auto", "cpu", "cuda", …
        dtype: computed in; float32 by default on every device, so that an index built on one machine
            holds on another (the model is small).
        batch: covers that go through the model together.

    Raises EngineUnavailableError when the checkpoint is missing, damaged, or not 512 wide.
    """

    def __init__(
        self,
        folder: Path,
        *,
        device: str = "auto",
        dtype: torch.dtype = torch.float32,
        batch: int = BATCH,
    ) -> None:
        self._folder = folder
        self._device = choose_device(device)
        self._dtype = dtype
        self._batch = batch
        self._config = _read_config(folder)
        self._tensors = TensorFolder(SPEC, folder)
        self._vision: Any = self._load(CLIPVisionModelWithProjection, self._config.vision_config, _VISION)
        self._text: tuple[Any, Any] | None = None
        try:
            self._processor = CLIPImageProcessorPil.from_pretrained(folder, local_files_only=True)
        except (OSError, ValueError, TypeError) as error:
            raise damaged(SPEC, folder / "preprocessor_config.json", error) from error
        self._name = _identity(self._config, self._tensors)

    @property
    def name(self) -> str:
        """Identity of the embedding space: architecture, and a digest of the weights that define it."""
        return self._name

    @torch.inference_mode()
    def embed(self, covers: Sequence[Cover]) -> NDArray[np.float32]:
        """Embed covers: float32 (n, 512), each row of unit L2 norm; (0, 512) for no cover."""
        rows = [_no_rows()]
        for start in range(0, len(covers), self._batch):
            images = [cover.image.convert("RGB") for cover in covers[start : start + self._batch]]
            pixels = self._processor(images, return_tensors="pt")["pixel_values"]
            with memory_errors():
                rows.append(_unit(self._vision(pixels.to(self._device, self._dtype)).image_embeds))
        return np.concatenate(rows)

    @torch.inference_mode()
    def embed_texts(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Embed texts in the covers' space: float32 (n, 512), unit rows. Beyond 77 tokens a text is cut."""
        if self._text is None:
            self._text = self._load_text()
        tokenizer, model = self._text
        rows = [_no_rows()]
        for start in range(0, len(texts), self._batch):
            tokens = tokenizer(
                list(texts[start : start + self._batch]),
                padding=True,
                truncation=True,
                max_length=self._config.text_config.max_position_embeddings,
                return_tensors="pt",
            ).to(self._device)
            outputs = model(input_ids=tokens["input_ids"], attention_mask=tokens["attention_mask"])
            rows.append(_unit(outputs.text_embeds))
        return np.concatenate(rows)

    def _load_text(self) -> tuple[Any, Any]:
        try:
            tokenizer = CLIPTokenizer.from_pretrained(self._folder, local_files_only=True)
        except (OSError, ValueError, TypeError) as error:
            raise damaged(SPEC, self._folder / "tokenizer.json", error) from error
        return tokenizer, self._load(CLIPTextModelWithProjection, self._config.text_config, _TEXT)

    def _load(self, kind: Any, config: Any, prefixes: tuple[str, ...]) -> Any:
        with torch.device("meta"):
            model = kind._from_config(config, attn_implementation="sdpa").eval()
        # Old checkpoints also hold the position numbers 0, 1, 2, …, which are no weights.
        mine = [n for n in self._tensors if n.startswith(prefixes) and not n.endswith(".position_ids")]
        pairs = ((name, self._tensors.get(name)) for name in mine)
        fill(model, pairs, self._tensors, device=self._device, dtype=self._dtype)
        return model


def load_embedder(
    model: str = SPEC.default, revision: str = "main", *, device: str = "auto", dtype: str = "auto"
) -> ClipEmbedder:
    """Load CLIP from a folder or the hub's cache. Raises EngineUnavailableError naming file and fix."""
    number = {"bfloat16": torch.bfloat16, "float16": torch.float16}.get(dtype, torch.float32)
    return ClipEmbedder(locate(SPEC, model, revision), device=device, dtype=number)


def _read_config(folder: Path) -> Any:
    values = read_json(SPEC, folder / CONFIG)
    if values.get("model_type") not in SPEC.model_types:
        raise unusable(
            SPEC, folder / CONFIG, f"describes a model of type {values.get('model_type')!r}, not clip"
        )
    try:
        config: Any = CLIPConfig.from_dict(values)
    except Exception as error:  # transformers raises whatever a field's own validator raises
        raise damaged(SPEC, folder / CONFIG, error) from error
    for part in (config.vision_config, config.text_config):
        part.projection_dim = config.projection_dim  # the parts' own copies are absent from old files
    if config.projection_dim != EMBEDDING_DIMENSIONS:
        raise unusable(
            SPEC,
            folder / CONFIG,
            f"is {config.projection_dim} wide where the album index is {EMBEDDING_DIMENSIONS}",
        )
    return config


def _identity(config: Any, tensors: TensorFolder) -> str:
    """The same for every copy of the same model, wherever it lies; half precision copies included."""
    projection = tensors.get("visual_projection.weight").to(torch.float16).contiguous()
    digest = hashlib.sha256(projection.numpy().tobytes()).hexdigest()[:12]
    return f"clip-vit-p{config.vision_config.patch_size}-{config.projection_dim}-{digest}"


def _no_rows() -> NDArray[np.float32]:
    return np.empty((0, EMBEDDING_DIMENSIONS), dtype=np.float32)


def _unit(vectors: Tensor) -> NDArray[np.float32]:
    wide = torch.nn.functional.normalize(vectors.float(), dim=-1)
    return np.asarray(wide.cpu().numpy(), dtype=np.float32)
