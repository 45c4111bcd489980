"""One way of saying that a checkpoint cannot be used."""

from __future__ import annotations

from pathlib import Path

from albumgen_core.errors import EngineUnavailableError

FETCH = "run `albumgen weights pull` to fetch it again, or point engine.musicgen.model at a whole checkpoint"


def missing(path: Path, what: str = "is missing") -> EngineUnavailableError:
    """The file or folder `path` is not as it should be."""
    return EngineUnavailableError(f"MusicGen cannot start: {path} {what}; {FETCH}.")


def damaged(path: Path, detail: object) -> EngineUnavailableError:
    """The file `path` is there, but cannot be read."""
    return missing(path, f"is damaged ({' '.join(str(detail).split())[:160]})")
