"""The worker process: owns the models, runs batches, speaks JSON lines with its client over pipes.

    python -m albumgen_core.worker.main --runner module:factory [--config path]

Little is imported before the client says hello, so that the process starts in milliseconds and can report
anything that goes wrong while the engine loads.
"""

from __future__ import annotations

import argparse
import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Literal

from albumgen_core.jobs import protocol
from albumgen_core.jobs.running import (
    DEFAULT_RUNNER,
    describe_error,
    engine_info,
    is_out_of_memory,
    load_runner,
    release_memory,
)
from albumgen_core.jobs.spec import BatchRunner, JobOutcome, JobSpec, TwoPhaseRunner
from albumgen_core.vocabulary import Stage

BEAT_SECONDS = 1.0
REPORT_SECONDS = 0.05
"""Least time between two reports of one job within one stage."""

STOP_GRACE = 20.0
"""Seconds a batch may still take after SIGTERM."""

_EXIT_SIGTERM = 128 + signal.SIGTERM

log = logging.getLogger(__name__)


class ReplyWriter:
    """The pipe to the client; whole lines only, from any thread."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._lock = threading.Lock()

    def write(self, message: protocol.Reply) -> None:
        """Send one message. A client that is gone ends this process."""
        line = protocol.encode(message)
        with self._lock:
            try:
                self._stream.write(line)
                self._stream.flush()
            except OSError:
                os._exit(0)  # nobody is listening: whatever was half done is run again elsewhere


class StageTimer:
    """Turns a runner's progress into few messages, and into seconds spent in each stage of the batch."""

    def __init__(self, replies: ReplyWriter) -> None:
        self._replies = replies
        self._started = self._since = time.monotonic()
        self._stage: str | None = None
        self._reported: dict[str, tuple[str, float]] = {}
        self._waited = 0.0
        self.timings: dict[str, float] = {}

    def report(self, job_id: str, stage: Stage, fraction: float) -> None:
        """The runner's JobProgress."""
        now = time.monotonic()
        self._attribute(now)
        self._stage = stage
        last_stage, last_time = self._reported.get(job_id, ("", 0.0))
        if stage != last_stage or fraction >= 1.0 or now - last_time >= REPORT_SECONDS:
            self._reported[job_id] = (stage, now)
            self._replies.write(protocol.Progress(job_id, stage, min(max(fraction, 0.0), 1.0)))

    @contextmanager
    def waiting(self) -> Iterator[None]:
        """Time in here belongs to no stage and is not counted as work on the batch."""
        began = time.monotonic()
        self._attribute(began)
        yield
        self._since = time.monotonic()
        self._waited += self._since - began

    def finish(self) -> float:
        """Seconds of work on the batch in all; `timings` is final."""
        now = time.monotonic()
        self._attribute(now)
        return now - self._started - self._waited

    def _attribute(self, now: float) -> None:
        # Work before the first report belongs to no stage we know of; the time of a stage runs from its
        # first report to the next stage's first.
        if self._stage is not None:
            self.timings[self._stage] = self.timings.get(self._stage, 0.0) + now - self._since
        self._since = now


@dataclass(frozen=True, slots=True)
class _Batch:
    name: str
    jobs: list[JobSpec]
    timer: StageTimer


class Worker:
    """Reads requests on a thread of its own, so that a cancel arrives while a batch runs.

    The models work on the main thread. A runner in two phases finishes its batches on another one, one at a
    time, while the main thread begins the next.
    """

    def __init__(self, requests: BinaryIO, replies: ReplyWriter, runner: str, config: Path | None) -> None:
        self._requests = requests
        self._replies = replies
        self._runner_name = runner
        self._config = config
        self._cancelled: set[str] = set()
        self._inbox: list[protocol.Request] = []
        self._changed = threading.Condition()
        self._stopping = False
        self._finishing: threading.Thread | None = None

    def serve(self) -> int:
        """Until told to stop; returns the exit status."""
        threading.Thread(target=self._read, name="requests", daemon=True).start()
        signal.signal(signal.SIGTERM, lambda *_: self._stop_soon())
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the client decides
        if not isinstance(self._next(), protocol.Hello):
            return 0
        threading.Thread(target=self._beat, name="heartbeat", daemon=True).start()
        runner = self._load()
        if runner is None:
            return protocol.EXIT_UNAVAILABLE
        while (message := self._next()) is not None:
            if isinstance(message, protocol.Run):
                self._run(runner, message)
        self._wait_for_files()
        return 0

    def _load(self) -> BatchRunner | None:
        started = time.monotonic()
        try:
            runner = load_runner(self._runner_name, self._config)
        except (Exception, SystemExit) as error:
            log.exception("the engine cannot start")
            self._replies.write(protocol.Unavailable(describe_error(error)))
            return None
        self._replies.write(
            protocol.Ready(os.getpid(), engine_info(runner), load_seconds=time.monotonic() - started)
        )
        return runner

    def _run(self, runner: BatchRunner, message: protocol.Run) -> None:
        batch = _Batch(message.batch, message.jobs, StageTimer(self._replies))
        report, is_cancelled = batch.timer.report, self._cancelled.__contains__
        if not isinstance(runner, TwoPhaseRunner):
            self._finish(batch, lambda: runner.run(batch.jobs, on_progress=report, is_cancelled=is_cancelled))
            return
        try:
            finish = runner.begin(batch.jobs, on_progress=report, is_cancelled=is_cancelled)
        except Exception as error:
            self._on_failure(batch, error)
            return
        with batch.timer.waiting():
            self._wait_for_files()  # composing is never more than a batch ahead
        self._finishing = threading.Thread(target=self._finish, args=(batch, finish), name="files")
        self._finishing.start()
        self._replies.write(protocol.Free(batch.name))

    def _wait_for_files(self) -> None:
        if self._finishing is not None:
            self._finishing.join()

    def _finish(self, batch: _Batch, finish: Callable[[], list[JobOutcome]]) -> None:
        try:
            outcomes = finish()
        except Exception as error:
            self._on_failure(batch, error)
            return
        elapsed = batch.timer.finish()
        self._replies.write(protocol.Finished(batch.name, outcomes, batch.timer.timings, elapsed))
        self._forget(batch)

    def _on_failure(self, batch: _Batch, error: Exception) -> None:
        log.exception("batch %s failed", batch.name)
        kind: Literal["out_of_memory", "error"] = "out_of_memory" if is_out_of_memory(error) else "error"
        # The traceback holds the tensors of the failed batch; only without it can memory be freed.
        error.__traceback__ = None
        release_memory()
        self._replies.write(protocol.Broken(batch.name, kind, describe_error(error)))
        self._forget(batch)

    def _forget(self, batch: _Batch) -> None:
        self._cancelled.difference_update(job.job_id for job in batch.jobs)

    def _next(self) -> protocol.Request | None:
        """The next request; None when it is time to exit."""
        with self._changed:
            # Short waits, so that a signal's handler (which Python runs between them) is not held up.
            while not self._inbox and not self._stopping:
                self._changed.wait(0.5)
            if self._stopping:
                return None
            message = self._inbox.pop(0)
            return None if isinstance(message, protocol.Stop) else message

    def _read(self) -> None:
        for raw in self._requests:
            message = protocol.decode_request(raw)
            if isinstance(message, protocol.Cancel):
                self._cancelled.add(message.job_id)
                continue
            with self._changed:
                self._inbox.append(message)
                self._changed.notify()
        # End of file: the client is dead. Its successor runs the batch again, so leave at once.
        os._exit(0)

    def _beat(self) -> None:
        """Tell apart a long stage (this thread goes on) and a frozen process (nothing does)."""
        while True:
            time.sleep(BEAT_SECONDS)
            self._replies.write(protocol.Beat())

    def _stop_soon(self) -> None:
        # Runs in the main thread between two of its instructions: it must not wait for a lock.
        self._stopping = True
        timer = threading.Timer(STOP_GRACE, os._exit, args=(_EXIT_SIGTERM,))
        timer.daemon = True
        timer.start()


def protect_pipes() -> tuple[BinaryIO, BinaryIO]:
    """Keep the two pipes to ourselves: (requests, replies).

    Libraries print to stdout, natively too, and children inherit descriptors: stdout becomes stderr,
    stdin becomes /dev/null, and the duplicates are close-on-exec.
    """
    requests, replies = os.dup(0), os.dup(1)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.dup2(2, 1)
    sys.stdout = sys.stderr
    return os.fdopen(requests, "rb"), os.fdopen(replies, "wb")


def main(arguments: Sequence[str] | None = None) -> int:
    """Entry point of the process."""
    parser = argparse.ArgumentParser(
        prog="albumgen-worker", description="Runs AlbumGen's models for a client."
    )
    parser.add_argument("--runner", default=DEFAULT_RUNNER, help="module:factory that builds the runner")
    parser.add_argument("--config", type=Path, help="config.toml to read")
    options = parser.parse_args(arguments)
    if ":" not in options.runner:
        parser.error("--runner must look like module:factory")
    requests, replies = protect_pipes()
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s: %(message)s", stream=sys.stderr)
    return Worker(requests, ReplyWriter(replies), options.runner, options.config).serve()


if __name__ == "__main__":
    status = main()
    # Not sys.exit: native threads of a model library may hold a normal interpreter shutdown up for ever.
    logging.shutdown()
    sys.stderr.flush()
    os._exit(status)
