"""Where the files of jobs lie in the data directory. No other module makes these paths."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from pathlib import Path

from albumgen_core.files import PART, remove_paths

_CHECKPOINT = ".tokens.part.npz"
_PARTIAL_RESULT = ".partial"


@dataclass(frozen=True, slots=True)
class DataLayout:
    """The folders of one data directory.

    Attributes:
        root: the data directory.
    """

    root: Path

    @property
    def covers(self) -> Path:
        """Checked covers of jobs that are not answered yet."""
        return self.root / "covers"

    @property
    def results(self) -> Path:
        """Finished takes, one folder a job, and checkpoints of clips that are being composed."""
        return self.root / "results"

    def cover(self, job_id: str) -> Path:
        """Where the cover of a job is stored (of jobs that share one: the first)."""
        return self.covers / job_id

    def result(self, job_id: str) -> Path:
        """The folder of a finished take."""
        return result_path(self.results, job_id)

    def remove_files(self, job_ids: Iterable[str]) -> None:
        """Remove everything that is kept of these jobs."""
        for job_id in job_ids:
            result = self.result(job_id)
            partial = result.with_name(result.name + _PARTIAL_RESULT)
            remove_paths(map(str, (result, partial, self.cover(job_id))))
            self.remove_checkpoint(job_id)

    def remove_checkpoint(self, job_id: str) -> None:
        """See `remove_checkpoint`."""
        remove_checkpoint(self.results, job_id)

    def remove_strays(self, *, known_covers: Collection[str], live: Collection[str]) -> None:
        """Remove what earlier processes left: half-written files, and covers and checkpoints of no job.

        Args:
            known_covers: paths of covers that the journal names.
            live: ids of jobs that are queued or running.
        """
        stray = [path for path in self.covers.glob("*") if str(path) not in known_covers]
        stray += self.covers.glob(f"{PART}*")
        stray += self.root.glob(f"{PART}*")
        stray += self.results.glob(f"{PART}*")
        stray += [
            path
            for path in self.results.glob(f"*{_PARTIAL_RESULT}")
            if path.name.removesuffix(_PARTIAL_RESULT) not in live
        ]
        remove_paths(map(str, stray))
        self.remove_stray_checkpoints(live)

    def remove_stray_checkpoints(self, live: Collection[str]) -> None:
        """Remove the checkpoints of jobs that are not among `live`: nobody will go on with those."""
        for path in self.results.glob(f"*{_CHECKPOINT}*"):
            if path.name.partition(".")[0] not in live:
                remove_paths([str(path)])


def result_path(results: Path, job_id: str) -> Path:
    """The folder of a finished take."""
    return results / job_id


def checkpoint_path(results: Path, job_id: str) -> Path:
    """Where a composer keeps what it has of a clip, until the result is whole."""
    return results / f"{job_id}{_CHECKPOINT}"


def remove_checkpoint(results: Path, job_id: str) -> None:
    """Remove a job's checkpoint, and what a save that was cut off has left of one."""
    remove_paths(str(path) for path in results.glob(f"{job_id}{_CHECKPOINT}*"))
