"""What an inference client can be told."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from albumgen_core.errors import ConfigError
from albumgen_core.files import free_bytes
from albumgen_core.inference.backend import Backend
from albumgen_core.inference.database import BUSY_TIMEOUT
from albumgen_core.inference.journal import MAX_INTERRUPTIONS
from albumgen_core.inference.migrations import MigrationSet
from albumgen_core.inference.queue import QueueLimits
from albumgen_core.inference.subprocess_backend import SubprocessBackend, WorkerOptions
from albumgen_core.jobs.running import DEFAULT_RUNNER

DAY = 86400.0


@dataclass(frozen=True, slots=True)
class ClientSettings:
    """How a client works.

    Attributes:
        data_dir: journal, lock and covers live here; one client at a time.
        runner: `module:factory` for the workers. config: the config.toml handed to it.
        workers: how many worker processes. devices: one CUDA_VISIBLE_DEVICES value for each, or empty.
        limits: batch size and caps.
        max_attempts: runs that may break before a job fails.
        max_interruptions: deaths of the client that a running job may live through.
        start_timeout, progress_timeout, heartbeat_timeout: see WorkerOptions, seconds.
        when_not_ready: queue new jobs, or refuse them, while no worker's engine can start.
        min_free_bytes: new jobs are refused below this much free disk space.
        keep_covers: seconds a cover is kept after its reply; None for ever.
        keep_results: seconds a result is kept after it was made (and answered); None for ever.
        keep_rows: seconds a job without result and cover stays in the journal; None for ever.
        busy_timeout: seconds to wait for a locked journal.
        keep_received: at a start, leave requests whose cover was not read yet to the caller, who takes them
            up from `InferenceClient.unread`; otherwise their members get an apology.
        migrations: further tables in the same database.
        free_bytes: how free space is measured.
        make_backend: what runs the batches of one worker; by default a child process.
    """

    data_dir: Path
    runner: str = DEFAULT_RUNNER
    config: Path | None = None
    workers: int = 1
    devices: tuple[str, ...] = ()
    limits: QueueLimits = field(default_factory=QueueLimits)
    max_attempts: int = 3
    max_interruptions: int = MAX_INTERRUPTIONS
    start_timeout: float = 900.0
    progress_timeout: float = 300.0
    heartbeat_timeout: float = 60.0
    when_not_ready: Literal["queue", "refuse"] = "queue"
    min_free_bytes: int = 512 * 2**20
    keep_covers: float | None = 0.0
    keep_results: float | None = 30 * DAY
    keep_rows: float | None = 365 * DAY
    busy_timeout: float = BUSY_TIMEOUT
    keep_received: bool = False
    migrations: tuple[MigrationSet, ...] = ()
    free_bytes: Callable[[Path], int] = free_bytes
    make_backend: Callable[[WorkerOptions], Backend] = SubprocessBackend

    def worker_options(self) -> list[WorkerOptions]:
        """One WorkerOptions for each worker process. Raises ConfigError."""
        if self.workers < 1:
            raise ConfigError("inference.workers", "at least one worker is needed")
        if self.devices and len(self.devices) != self.workers:
            raise ConfigError(
                "inference.devices",
                f"names {len(self.devices)} device(s) for {self.workers} worker(s); name one for each",
            )
        return [
            WorkerOptions(
                runner=self.runner,
                config=self.config,
                environment={"CUDA_VISIBLE_DEVICES": self.devices[index]} if self.devices else {},
                start_timeout=self.start_timeout,
                progress_timeout=self.progress_timeout,
                heartbeat_timeout=self.heartbeat_timeout,
            )
            for index in range(self.workers)
        ]
