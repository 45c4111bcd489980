"""Reading MusicGen checkpoints: transformers' folders and audiocraft's, without a second copy in memory.

Tensors are memory-mapped and come one at a time, under transformers' names, so that whoever packs them
(into int8, say) never holds the whole model twice.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from torch import Tensor
from transformers import MusicgenConfig

from albumgen_core.engines.neural.checkpoints.mapped import MappedFile
from albumgen_core.engines.neural.musicgen.errors import damaged, missing
from albumgen_core.errors import DamagedFileError, EngineUnavailableError

CONFIG = "config.json"
WEIGHTS = "model.safetensors"
WEIGHTS_INDEX = "model.safetensors.index.json"
AUDIOCRAFT_LM = "state_dict.bin"
AUDIOCRAFT_CODEC = "compression_state_dict.bin"

TensorReader = Callable[[], Tensor]


class Checkpoint:
    """A checkpoint's configuration, and its tensors by transformers' names.

    Attributes:
        folder: where it lies.
        config: transformers' MusicgenConfig.
        tokenizer_folder: where the text encoder's tokenizer lies.
    """

    def __init__(
        self,
        folder: Path,
        config: Any,
        readers: dict[str, TensorReader],
        *,
        tokenizer_folder: Path | None = None,
        files: Sequence[MappedFile] = (),
    ) -> None:
        self.folder = folder
        self.config = config
        self.tokenizer_folder = tokenizer_folder or folder
        self._readers = readers
        self._files = files

    def __contains__(self, name: str) -> bool:
        return name in self._readers

    def get(self, name: str) -> Tensor:
        """The tensor called `name`. Raises EngineUnavailableError when it is not there or unreadable."""
        reader = self._readers.get(name)
        if reader is None:
            raise missing(self.folder, f"lacks the tensor {name}")
        try:
            return reader()
        except (OSError, RuntimeError) as error:
            raise damaged(self.folder, error) from error

    def release(self) -> None:
        """Give the files' pages back; for when what was read has been packed. Tensors stay valid."""
        for file in self._files:
            file.release()

    def section(self, prefix: str) -> Iterator[tuple[str, Tensor]]:
        """Tensors whose name begins with `prefix`, without it."""
        for name in self._readers:
            if name.startswith(prefix):
                yield name.removeprefix(prefix), self.get(name)


def open_checkpoint(folder: Path) -> Checkpoint:
    """Open the checkpoint in `folder`, in transformers' or, failing that, audiocraft's layout.

    Raises EngineUnavailableError, naming the file and the fix, when something is missing or damaged, or
    when it is a model that needs more than a text (MusicGen-melody, MusicGen-style).
    """
    if not folder.is_dir():
        raise missing(folder)
    has_weights = (folder / WEIGHTS).exists() or (folder / WEIGHTS_INDEX).exists()
    if not has_weights and (folder / AUDIOCRAFT_LM).exists():
        from albumgen_core.engines.neural.musicgen.audiocraft_format import open_audiocraft

        return open_audiocraft(folder)
    config = _read_config(folder / CONFIG)
    files = _open_files(_weight_files(folder))
    return Checkpoint(folder, config, _readers(files), files=files)


def _read_config(path: Path) -> Any:
    values = read_json(path)
    kind = values.get("model_type")
    if kind == "musicgen_melody":
        raise EngineUnavailableError(
            f"{path.parent} is a MusicGen-melody checkpoint, which wants a tune to follow beside the text; "
            "choose a text-to-music one, such as facebook/musicgen-small."
        )
    if kind != "musicgen":
        raise missing(path, f"describes a model of type {kind!r}, not musicgen")
    try:
        return MusicgenConfig.from_dict(values)
    except Exception as error:  # transformers raises whatever a field's own validator raises
        raise damaged(path, error) from error


def read_json(path: Path) -> dict[str, Any]:
    """A JSON object from a file of the checkpoint; EngineUnavailableError when that fails."""
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise missing(path) from None
    except (OSError, ValueError) as error:
        raise damaged(path, error) from error
    if not isinstance(values, dict):
        raise damaged(path, "not a JSON object")
    return values


def _weight_files(folder: Path) -> list[Path]:
    if (folder / WEIGHTS).exists():
        return [folder / WEIGHTS]
    if not (folder / WEIGHTS_INDEX).exists():
        raise missing(folder / WEIGHTS)
    index = read_json(folder / WEIGHTS_INDEX).get("weight_map")
    if not isinstance(index, dict):
        raise damaged(folder / WEIGHTS_INDEX, "no weight_map")
    # Only the name: an index must not reach outside its folder.
    return [folder / Path(name).name for name in sorted(set(index.values()))]


def _open_files(paths: list[Path]) -> list[MappedFile]:
    files = []
    for path in paths:
        try:
            files.append(MappedFile(path))
        except FileNotFoundError:
            raise missing(path) from None
        except (DamagedFileError, OSError) as error:
            raise damaged(path, error) from error
    return files


def _readers(files: list[MappedFile]) -> dict[str, TensorReader]:
    return {name: partial(file.get, name) for file in files for name in file}


def open_text_encoder(folder: Path) -> dict[str, TensorReader]:
    """Tensors of a separate T5 folder, under the names they have inside a MusicGen checkpoint."""
    readers = _readers(_open_files(_weight_files(folder)))
    return {f"text_encoder.{name}": reader for name, reader in readers.items()}
