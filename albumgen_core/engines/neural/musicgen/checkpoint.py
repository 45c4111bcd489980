"""A MusicGen checkpoint: its configuration, and its tensors one at a time under transformers' names.

Tensors are memory-mapped, so that packing them (into int8, say) never holds the whole model twice.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from torch import Tensor

from albumgen_core.engines.neural.checkpoints.hub import SPECS, damaged, unusable
from albumgen_core.engines.neural.checkpoints.tensors import TensorFolder

SPEC = SPECS["musicgen"]

TensorReader = Callable[[], Tensor]


class Checkpoint:
    """An open checkpoint.

    Attributes:
        folder: where it lies.
        config: transformers' MusicgenConfig.
        tokenizer_folder: where the text encoder's tokenizer lies.
    """

    def __init__(
        self,
        folder: Path,
        config: Any,
        readers: Mapping[str, TensorReader],
        *,
        tokenizer_folder: Path | None = None,
        files: Sequence[TensorFolder] = (),
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
            raise unusable(SPEC, self.folder, f"lacks the tensor {name}")
        try:
            return reader()
        except (OSError, RuntimeError) as error:
            raise damaged(SPEC, self.folder, error) from error

    def release(self) -> None:
        """Return the files' pages to the system, once what was read has been packed. Tensors stay valid."""
        for file in self._files:
            file.release()

    def section(self, prefix: str) -> Iterator[tuple[str, Tensor]]:
        """Tensors whose name begins with `prefix`, without it."""
        for name in self._readers:
            if name.startswith(prefix):
                yield name.removeprefix(prefix), self.get(name)
