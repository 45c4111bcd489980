"""Where the files of a job lie in the data directory."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from albumgen_core.files import remove_paths

_CHECKPOINT = ".tokens.part.npz"


def checkpoint_path(results_dir: Path, job_id: str) -> Path:
    """Where a composer keeps what it has of a clip, until the result is whole."""
    return results_dir / f"{job_id}{_CHECKPOINT}"


def remove_checkpoint(results_dir: Path, job_id: str) -> None:
    """Remove a job's checkpoint, and what a save that was cut off has left of one."""
    remove_paths(str(path) for path in results_dir.glob(f"{job_id}{_CHECKPOINT}*"))


def remove_stray_checkpoints(results_dir: Path, live: Collection[str]) -> None:
    """Remove the checkpoints of jobs that are not among `live`: nobody will go on with those."""
    for path in results_dir.glob(f"*{_CHECKPOINT}*"):
        if path.name.partition(".")[0] not in live:
            remove_paths([str(path)])
