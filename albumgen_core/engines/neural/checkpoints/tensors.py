"""Reading a checkpoint's tensors one at a time, and putting them into a model that was built on no device.

A model is laid out on torch's meta device, where it costs nothing; its tensors are memory-mapped from the
file and put in their places. So nothing is held twice, and a checkpoint that does not fit is noticed name by
name.
"""

from __future__ import annotations

import pickle
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import contextmanager
from functools import lru_cache, partial
from pathlib import Path
from time import perf_counter
from typing import Any

import torch
from torch import Tensor, nn

from albumgen_core.engines.neural.checkpoints.hub import (
    PICKLED,
    SAFETENSORS,
    SAFETENSORS_INDEX,
    ModelSpec,
    damaged,
    shards_of,
    unusable,
)
from albumgen_core.engines.neural.checkpoints.mapped import MappedFile
from albumgen_core.errors import ConfigError, DamagedFileError


class TensorFolder:
    """The tensors of the checkpoint in `folder`, by their names in the file.

    Raises EngineUnavailableError when a file is missing, truncated or otherwise damaged.
    """

    def __init__(self, spec: ModelSpec, folder: Path) -> None:
        self.spec = spec
        self.folder = folder
        self._readers: dict[str, tuple[Path, Callable[[], Tensor]]] = {}
        self._files: list[MappedFile] = []
        if (folder / SAFETENSORS).is_file():
            self._open(folder / SAFETENSORS)
        elif (folder / SAFETENSORS_INDEX).is_file():
            for shard in shards_of(spec, folder):
                self._open(folder / shard)
        elif (folder / PICKLED).is_file() and any((PICKLED,) in group for group in spec.required):
            self._open_pickled(folder / PICKLED)
        else:
            raise unusable(spec, folder / SAFETENSORS, "is missing")

    def __iter__(self) -> Iterator[str]:
        return iter(self._readers)

    def __contains__(self, name: object) -> bool:
        return name in self._readers

    def get(self, name: str) -> Tensor:
        """The tensor called `name`; on the CPU, in the file's dtype."""
        path, read = self._readers[name]
        try:
            return read()
        except (OSError, RuntimeError) as error:
            raise damaged(self.spec, path, error) from error

    def readers(self, prefix: str = "") -> dict[str, Callable[[], Tensor]]:
        """What reads each tensor, by its name behind `prefix`."""
        return {prefix + name: read for name, (_, read) in self._readers.items()}

    def release(self, tensor: Tensor | None = None) -> None:
        """Return the mapped pages of `tensor`, or of all, to the system, once copies have been made."""
        for file in self._files:
            file.release(tensor)

    def _open(self, path: Path) -> None:
        try:
            file = MappedFile(path)
            self._files.append(file)
            for name in file:
                self._readers[name] = (path, partial(file.get, name))
        except FileNotFoundError:
            raise unusable(self.spec, path, "is missing") from None
        except (DamagedFileError, OSError) as error:
            raise damaged(self.spec, path, error) from error

    def _open_pickled(self, path: Path) -> None:
        try:
            state = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
            for name, tensor in state.items():
                self._readers[name] = (path, tensor.detach)
        except (OSError, RuntimeError, ValueError, AttributeError, EOFError, pickle.UnpicklingError) as error:
            raise damaged(self.spec, path, error) from error


def fill(
    model: nn.Module,
    tensors: Iterable[tuple[str, Tensor]],
    source: TensorFolder,
    *,
    device: torch.device,
    dtype: torch.dtype,
    as_stored: Collection[str] = (),
) -> None:
    """Give every parameter of a meta-device `model` its tensor; all of them, and no other.

    Those called in `as_stored` keep the number type that they have in the file.

    Raises EngineUnavailableError naming the first tensor that is missing, unknown or of another shape.
    """
    places = {name: tuple(place.shape) for name, place in model.state_dict().items()}
    state: dict[str, Tensor] = {}
    for name, tensor in tensors:
        if name not in places:
            raise unusable(
                source.spec, source.folder, f"holds a tensor that has no place in the model ({name})"
            )
        if tuple(tensor.shape) != places[name]:
            raise unusable(
                source.spec,
                source.folder,
                f"holds {name} with the shape {tuple(tensor.shape)} instead of {places[name]}",
            )
        state[name] = tensor.to(device=device, dtype=tensor.dtype if name in as_stored else dtype)
        if state[name] is not tensor:
            source.release(tensor)
    lacking = sorted(places.keys() - state.keys() - _tied(model))
    if lacking:
        raise unusable(source.spec, source.folder, f"lacks {len(lacking)} tensors ({lacking[0]}, …)")
    model.load_state_dict(state, strict=False, assign=True)
    if _tied(model):
        model.tie_weights()  # type: ignore[operator]
    _restore_buffers(model, device)


def _tied(model: nn.Module) -> set[str]:
    """Names that share another's tensor and so may be absent from the file."""
    config: Any = getattr(model, "config", None)
    if config is None or not getattr(config, "tie_word_embeddings", False):
        return set()
    return set(getattr(model, "_tied_weights_keys", None) or ())


def _restore_buffers(model: nn.Module, device: torch.device) -> None:
    """Compute the buffers that no checkpoint holds: position numbers and rotary frequencies."""
    for path, module in list(model.named_modules()):
        for name, buffer in list(module.named_buffers(recurse=False)):
            if not buffer.is_meta:
                continue
            if name == "position_ids":
                module.register_buffer(
                    name, torch.arange(buffer.shape[-1], device=device).expand(buffer.shape), persistent=False
                )
            elif hasattr(module, "inv_freq"):
                parent = model.get_submodule(path.rpartition(".")[0])
                setattr(parent, path.rpartition(".")[2], type(module)(config=module.config).to(device))
                break
    left = [name for name, value in (*model.named_parameters(), *model.named_buffers()) if value.is_meta]
    if left:
        raise RuntimeError(f"these tensors were never filled: {', '.join(left)}")


@contextmanager
def memory_errors() -> Iterator[None]:
    """Turn the GPU's "out of memory" into Python's MemoryError, which the worker knows how to answer."""
    try:
        yield
    except torch.OutOfMemoryError as error:
        raise MemoryError("the GPU has no memory left") from error


def choose_device(name: str) -> torch.device:
    """`auto` is the first GPU when there is one, else the CPU. Raises ConfigError for an unknown device."""
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError, NotImplementedError) as error:  # torch without CUDA asserts
        raise ConfigError(
            "engine.device", f"the device {name!r} cannot be used here; write auto or cpu"
        ) from error
    return device


def choose_dtype(name: str, device: torch.device) -> torch.dtype:
    """The dtype to compute in; `auto` is bfloat16 on a GPU, and on a CPU only where a probe finds it faster.

    `int8` concerns the composer alone, so it means `auto` here.
    """
    if name not in ("auto", "int8"):
        return {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}[name]
    if device.type == "cuda":
        return torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float16
    return torch.bfloat16 if device.type == "cpu" and _bfloat16_pays() else torch.float32


@lru_cache(maxsize=1)
def _bfloat16_pays() -> bool:
    """Whether this CPU multiplies bfloat16 matrices clearly faster than float32 ones (AMX, AVX512-BF16).

    Without such units it is several times slower. The shape is that of InternVL2's language model.
    """
    times = {}
    for dtype in (torch.float32, torch.bfloat16):
        left, right = torch.randn(256, 896).to(dtype), torch.randn(896, 896).to(dtype)
        left @ right
        rounds = []
        for _ in range(3):
            start = perf_counter()
            left @ right
            rounds.append(perf_counter() - start)
        times[dtype] = min(rounds)
    return times[torch.bfloat16] * 1.5 < times[torch.float32]
