"""What a job reads and writes besides its specification: cover, earlier take, checkpoint, result."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from albumgen_core.audio.encode import decode_mp3
from albumgen_core.audio.types import Audio
from albumgen_core.cover.read import Cover, load_checked_cover
from albumgen_core.errors import JobError
from albumgen_core.jobs.layout import checkpoint_path, remove_checkpoint, result_path
from albumgen_core.jobs.spec import JobSpec
from albumgen_core.result import CLIP_MP3, Take, is_whole, read_embedding, read_tokens, write_take

log = logging.getLogger(__name__)


class Artifacts(Protocol):
    """Where a runner finds and leaves what belongs to a job: a folder here, elsewhere an object store."""

    def cover(self, job: JobSpec) -> Cover:
        """The checked cover. Raises AlbumGenError where it is gone."""
        ...

    def earlier_take(self, job: JobSpec) -> Audio | None:
        """The sound that the job continues, with its tokens where they were kept; None if it continues none.

        Raises AlbumGenError where it is gone.
        """
        ...

    def embedding(self, job: JobSpec, cover: Cover, embedder: str) -> NDArray[np.float32] | None:
        """The vector (512,) that an earlier take of the same cover was made with, or None.

        Args:
            job: the new job. cover: its cover.
            embedder: name of the embedding space that is wanted.
        """
        ...

    def checkpoint(self, job_id: str) -> Path | None:
        """The local file where a composer keeps what it has of the clip; None keeps nothing."""
        ...

    def remove_checkpoint(self, job_id: str) -> None:
        """Nobody will go on from it; harmless where there is none."""
        ...

    def finished(self, job_id: str) -> str | None:
        """Reference of the job's whole result, if there is one already."""
        ...

    def put(self, job_id: str, take: Take) -> str:
        """Store a finished take, whole or not at all; returns its reference. Raises OSError."""
        ...


class FolderArtifacts:
    """Artifacts in folders of this machine.

    Args:
        results: where result folders are made, one a job, named by its id; references are their paths.
    """

    def __init__(self, results: Path) -> None:
        self.results = results

    def cover(self, job: JobSpec) -> Cover:
        """See Artifacts."""
        return load_checked_cover(Path(job.cover_path))

    def earlier_take(self, job: JobSpec) -> Audio | None:
        """See Artifacts."""
        if job.continue_from is None:
            return None
        folder = Path(job.continue_from)
        try:
            audio = decode_mp3(folder / CLIP_MP3)
            tokens = read_tokens(folder)
        except OSError as error:
            raise JobError(
                "The earlier clip is no longer kept, so it cannot be continued.", "core.not_kept"
            ) from error
        return Audio(audio.samples, audio.sample_rate, tokens)

    def embedding(self, job: JobSpec, cover: Cover, embedder: str) -> NDArray[np.float32] | None:
        """See Artifacts."""
        for earlier in dict.fromkeys(filter(None, (job.parent_id, job.root_id))):
            vector = read_embedding(result_path(self.results, earlier), cover.sha256, embedder)
            if vector is not None:
                return vector
        return None

    def checkpoint(self, job_id: str) -> Path | None:
        """See Artifacts."""
        # The first checkpoint comes before any result.
        self.results.mkdir(parents=True, exist_ok=True)
        return checkpoint_path(self.results, job_id)

    def remove_checkpoint(self, job_id: str) -> None:
        """See Artifacts."""
        remove_checkpoint(self.results, job_id)

    def finished(self, job_id: str) -> str | None:
        """See Artifacts."""
        folder = result_path(self.results, job_id)
        return str(folder) if is_whole(folder) else None

    def put(self, job_id: str, take: Take) -> str:
        """See Artifacts."""
        return str(write_take(take, result_path(self.results, job_id)))
