"""A backend in a child process: start it, hand it batches, notice when it dies or hangs."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import sys
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from albumgen_core.errors import EngineNotReadyError, ProtocolError
from albumgen_core.inference.backend import (
    BackendDiedError,
    BatchFailedError,
    BatchResult,
    EngineInfo,
    ignore_free,
    ignore_progress,
)
from albumgen_core.jobs import protocol
from albumgen_core.jobs.spec import JobProgress, JobSpec

log = logging.getLogger("albumgen.worker")

_Answer = protocol.Ready | protocol.Unavailable | protocol.Finished | protocol.Broken

_STDERR_KEPT = 20


@dataclass(frozen=True, slots=True)
class WorkerOptions:
    """How a worker is run.

    Attributes:
        runner: `module:factory`, a RunnerFactory.
        config: config.toml for it.
        environment: variables added to ours (a device of its own for each worker).
        start_timeout: seconds the engine may take to load.
        progress_timeout: seconds a batch may go without any progress before it counts as hung.
        heartbeat_timeout: seconds of silence after which the process counts as frozen.
    """

    runner: str
    config: Path | None = None
    environment: Mapping[str, str] = field(default_factory=dict)
    start_timeout: float = 900.0
    progress_timeout: float = 300.0
    heartbeat_timeout: float = 60.0


class SubprocessBackend:
    """A Backend that is one worker process; it is not started again, another one is made."""

    def __init__(self, options: WorkerOptions) -> None:
        self.pid: int | None = None
        self._options = options
        self._process: asyncio.subprocess.Process
        self._stderr_tail: deque[str] = deque(maxlen=_STDERR_KEPT)
        # Whoever waits for an answer, by batch; "" is the loading of the engine.
        self._answers: dict[str, asyncio.Future[_Answer]] = {}
        self._on_free: dict[str, Callable[[], None]] = {}
        self._on_progress: dict[str, JobProgress] = {}  # by job id
        self._batches = 0
        self._reported: dict[str, tuple[str, float]] = {}
        self._last_reply = self._progressed = time.monotonic()
        self._has_replied = False
        self._kill_reason: str | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self.dead = asyncio.Event()

    async def start(self) -> EngineInfo:
        """Spawn it and wait until its engine is loaded. Raises EngineNotReadyError, BackendDiedError."""
        arguments = [sys.executable, "-m", "albumgen_core.worker.main", "--runner", self._options.runner]
        if self._options.config is not None:
            arguments += ["--config", str(self._options.config)]
        spawning = asyncio.ensure_future(self._spawn(arguments))
        try:
            self._process = await asyncio.shield(spawning)
        except asyncio.CancelledError:
            # Stopped in the very moment of its birth: nobody else would ever wait for it.
            spawned = await spawning
            spawned.kill()
            await spawned.communicate()
            raise
        self.pid = self._process.pid
        self._tasks = [
            asyncio.create_task(self._read_stderr()),
            asyncio.create_task(self._read_replies()),
            asyncio.create_task(self._watch()),
        ]
        answer = await self._request(protocol.Hello(), limit=self._options.start_timeout)
        if isinstance(answer, protocol.Unavailable):
            await self.dead.wait()
            raise EngineNotReadyError(answer.error)
        return dict(answer.engine) if isinstance(answer, protocol.Ready) else {}

    async def _spawn(self, arguments: list[str]) -> asyncio.subprocess.Process:
        return await asyncio.create_subprocess_exec(
            *arguments,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env={**os.environ, **self._options.environment},
            limit=protocol.LINE_LIMIT,
            start_new_session=True,  # Ctrl-C is the client's to handle, and a kill takes the whole group
        )

    async def run(
        self,
        batch: Sequence[JobSpec],
        *,
        on_progress: JobProgress = ignore_progress,
        on_free: Callable[[], None] = ignore_free,
    ) -> BatchResult:
        """See Backend."""
        self._batches += 1
        name = str(self._batches)
        job_ids = [job.job_id for job in batch]
        self._on_free[name] = on_free
        self._on_progress.update(dict.fromkeys(job_ids, on_progress))
        self._progressed = time.monotonic()
        try:
            answer = await self._request(protocol.Run(name, [job.without_origin() for job in batch]), name)
        finally:
            del self._on_free[name]
            for job_id in job_ids:
                self._reported.pop(job_id, None)
                self._on_progress.pop(job_id, None)
        if isinstance(answer, protocol.Broken):
            raise BatchFailedError(answer.error, out_of_memory=answer.kind == "out_of_memory")
        if not isinstance(answer, protocol.Finished):
            raise BatchFailedError(f"unexpected answer: {answer}", out_of_memory=False)
        try:
            protocol.check_outcomes(answer.outcomes, job_ids)
        except ProtocolError as error:
            raise BatchFailedError(str(error), out_of_memory=False) from error
        return BatchResult(answer.outcomes, answer.timings, answer.elapsed)

    def cancel(self, job_id: str) -> None:
        """Tell a running batch that one of its jobs is no longer wanted."""
        self._send(protocol.Cancel(job_id))

    async def stop(self, grace: float) -> None:
        """Ask it to leave, and insist after `grace` seconds."""
        if self.pid is None:
            return
        self._send(protocol.Stop())
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self.dead.wait(), grace)
        self.kill("it was told to stop")
        await self.dead.wait()
        pipe = self._process.stdin
        if pipe is not None:
            pipe.close()
            with contextlib.suppress(OSError, TimeoutError):
                await asyncio.wait_for(pipe.wait_closed(), 1.0)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def kill(self, why: str) -> None:
        """SIGKILL to the process and to whatever it has started."""
        if self.pid is None or self.dead.is_set():
            return
        self._kill_reason = self._kill_reason or why
        self._kill_group()

    def _kill_group(self) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)

    async def _request(
        self, request: protocol.Request, batch: str = "", limit: float | None = None
    ) -> _Answer:
        if self.dead.is_set():
            raise BackendDiedError(self._end_reason())
        answer = self._answers[batch] = asyncio.get_running_loop().create_future()
        self._send(request)
        try:
            return await asyncio.wait_for(answer, limit)
        except TimeoutError:
            self.kill(f"its engine took longer than {limit:g} s to load")
            await self.dead.wait()
            raise BackendDiedError(self._end_reason()) from None
        finally:
            del self._answers[batch]

    def _send(self, message: protocol.Request) -> None:
        pipe = self._process.stdin
        if pipe is not None and not pipe.is_closing():
            pipe.write(protocol.encode(message))  # a dead reader shows as end-of-file on its stdout

    async def _read_replies(self) -> None:
        pipe = self._process.stdout
        assert pipe is not None
        try:
            while line := await pipe.readline():
                self._on_reply(protocol.decode_reply(line))
        except (ProtocolError, ValueError) as error:
            self.kill(f"it did not keep to the protocol ({error})")
        except OSError as error:
            self.kill(f"its pipe broke ({error})")
        try:
            await asyncio.wait_for(self._process.wait(), 2.0)
        except TimeoutError:
            self.kill("it closed its pipe")
            await self._process.wait()
        # The last lines of its stderr explain its end; something that it started may hold the pipe open.
        await asyncio.wait(self._tasks[:1], timeout=0.2)
        self._kill_group()  # whatever it had started (a decoder, a loader) does not outlive it
        self.dead.set()
        for answer in self._answers.values():
            if not answer.done():
                answer.set_exception(BackendDiedError(self._end_reason()))

    def _on_reply(self, reply: protocol.Reply) -> None:
        self._last_reply, self._has_replied = time.monotonic(), True
        match reply:
            case protocol.Beat():
                pass
            case protocol.Progress(job_id, stage, fraction):
                # Only news is progress: a stage repeating itself for ever is a hang.
                if self._reported.get(job_id) != (stage, fraction):
                    self._reported[job_id] = (stage, fraction)
                    self._progressed = self._last_reply
                    self._on_progress.get(job_id, ignore_progress)(job_id, stage, fraction)
            case protocol.Free(batch):
                self._progressed = self._last_reply
                self._on_free.get(batch, lambda: None)()
            case protocol.Ready() | protocol.Unavailable():
                self._answer("", reply)
            case protocol.Finished(batch) | protocol.Broken(batch):
                self._answer(batch, reply)

    def _answer(self, batch: str, reply: _Answer) -> None:
        self._progressed = self._last_reply
        answer = self._answers.get(batch)
        if answer is not None and not answer.done():
            answer.set_result(reply)

    async def _watch(self) -> None:
        """Kill the process when it is silent, or when its batch does not move."""
        pause = min(1.0, self._options.heartbeat_timeout / 4, self._options.progress_timeout / 4)
        while not self.dead.is_set():
            before = time.monotonic()
            await asyncio.sleep(pause)
            now = time.monotonic()
            # Had we been asleep ourselves (suspended, or blocked), its words would still wait in the pipe.
            slept = max(0.0, now - before - 2 * pause)
            self._last_reply += slept
            self._progressed += slept
            # Until its first word the interpreter may still be starting; start_timeout covers that.
            if self._has_replied and now - self._last_reply > self._options.heartbeat_timeout:
                self.kill(f"it gave no sign of life for {self._options.heartbeat_timeout:g} s")
            elif self._on_free and now - self._progressed > self._options.progress_timeout:
                self.kill(f"it made no progress for {self._options.progress_timeout:g} s")

    async def _read_stderr(self) -> None:
        pipe = self._process.stderr
        assert pipe is not None
        while True:
            try:
                line = await pipe.readline()
            except ValueError:  # a line beyond the limit: what was read of it is dropped
                continue
            if not line:
                return
            text = line.decode("utf-8", "replace").rstrip()
            if text:
                self._stderr_tail.append(text)
                log.info("[%s] %s", self.pid, text)

    def _end_reason(self) -> str:
        if self._kill_reason is not None:
            return self._kill_reason
        code = self._process.returncode
        if code is not None and code < 0:
            with contextlib.suppress(ValueError):
                return f"it was ended by {signal.Signals(-code).name}"
        last = f": {self._stderr_tail[-1]}" if self._stderr_tail else ""
        return f"it ended with status {code}{last}"
