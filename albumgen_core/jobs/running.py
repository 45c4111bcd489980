"""What every backend does with a runner, in whichever process it lives."""

from __future__ import annotations

import gc
import importlib
import sys
from pathlib import Path
from typing import Any

from albumgen_core.errors import AlbumGenError
from albumgen_core.jobs.spec import BatchRunner

DEFAULT_RUNNER = "albumgen_core.worker.runner:build_runner"

_LONGEST_ERROR = 2000


def load_runner(name: str, config: Path | None) -> BatchRunner:
    """Call the RunnerFactory named `module:factory`. Raises whatever that raises."""
    module, _, factory = name.partition(":")
    runner: BatchRunner = getattr(importlib.import_module(module), factory)(config)
    return runner


def engine_info(runner: BatchRunner) -> dict[str, Any]:
    """What the runner says of its engine; {} where it says nothing."""
    info: dict[str, Any] = getattr(runner, "engine_info", dict)()
    return info


def describe_error(error: BaseException) -> str:
    """An error for the log and for an operator: the sentence of a deliberate one, else type and text."""
    text = str(error) if isinstance(error, AlbumGenError) else f"{type(error).__name__}: {error}"
    return text[:_LONGEST_ERROR]


def is_out_of_memory(error: BaseException) -> bool:
    """Whether memory ran out, on the host or on a GPU (known without importing torch)."""
    return (
        isinstance(error, MemoryError)
        or type(error).__name__ == "OutOfMemoryError"
        or (isinstance(error, RuntimeError) and "out of memory" in str(error).lower())
    )


def release_memory() -> None:
    """Give cached GPU memory back, where torch is in use at all."""
    gc.collect()
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_available():
        torch.cuda.empty_cache()
