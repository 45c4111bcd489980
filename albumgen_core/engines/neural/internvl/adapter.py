"""LoRA adapters (Hu et al. 2021) for InternVL's language model, as peft writes them."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

from albumgen_core.engines.neural.checkpoints.hub import SPECS
from albumgen_core.errors import EngineUnavailableError

LORA_TARGETS = r".*language_model\.layers\.\d+\.(self_attn\.[qkvo]_proj|mlp\.(gate|up|down)_proj)"
"""The linear layers of the language model alone. Bare names ("q_proj") would hit the image tower's too."""

CONFIG = "adapter_config.json"
WEIGHTS = "adapter_model.safetensors"


def apply_adapter(model: Any, adapter: str, *, merge: bool = True) -> Any:
    """`model` with the adapter in the folder `adapter` (or of that name in the hub's cache).

    Merged, its weights are added into the model's own and cost nothing at run time; unmerged, it stays a peft
    model. Raises EngineUnavailableError when a file is missing or damaged, or the adapter is another model's.
    """
    from peft import PeftModel

    folder = _find(adapter)
    for name in (CONFIG, WEIGHTS):
        if not (folder / name).is_file():
            raise _unusable(folder / name, "is missing")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter(
                "ignore", FutureWarning
            )  # peft asks transformers by a name that is going away
            adapted = PeftModel.from_pretrained(
                model, folder, is_trainable=False, autocast_adapter_dtype=False
            )
    except Exception as error:  # peft, safetensors and json each raise their own
        raise _unusable(folder, f"cannot be applied ({' '.join(str(error).split())[:160]})") from error
    _refuse_untouched(adapted, folder)
    # Merging adds to the weights in place, which are the file's own pages: private ones, so the file stays.
    return (adapted.merge_and_unload() if merge else adapted).eval()


def _refuse_untouched(adapted: Any, folder: Path) -> None:
    """An adapter whose every B matrix is zero, as before training, would be applied and change nothing."""
    grown = [weight for name, weight in adapted.named_parameters() if "lora_B" in name]
    if not grown or not any(bool(weight.any()) for weight in grown):
        raise _unusable(folder, "changes nothing: it is untrained, or made for other layers")


def _find(adapter: str) -> Path:
    local = Path(adapter).expanduser()
    if local.is_dir():
        return local
    from huggingface_hub import snapshot_download

    try:
        return Path(snapshot_download(adapter, local_files_only=True))
    except (OSError, ValueError) as error:
        raise _unusable(adapter, "is neither a folder nor in the hub's cache") from error


def _unusable(path: Path | str, problem: str) -> EngineUnavailableError:
    return EngineUnavailableError(
        f"{SPECS['internvl'].title} cannot start: the LoRA adapter {path} {problem}; "
        "point engine.internvl.adapter at the folder of a trained one, or leave it empty."
    )


def bare(model: Any) -> Any:
    """The model itself, out of the wrapper that `apply_adapter` may have put around it and its layers."""
    return model.get_base_model() if hasattr(model, "get_base_model") else model
