"""The bot as a process of its own: start it, read its log, stop it politely or not."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import Sequence

from tests.paths import REPOSITORY


class BotProcess:
    """A running bot. ``log`` holds its standard output and error, line by line."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.log: list[str] = []
        self._reader = asyncio.create_task(self._read())

    @classmethod
    async def start(
        cls, arguments: Sequence[str], environment: dict[str, str], below: Sequence[str] = ()
    ) -> BotProcess:
        """Runs the launcher from the repository with ``environment`` on top of this process's own.

        ``below`` is a command that runs it, such as an init process.
        """
        process = await asyncio.create_subprocess_exec(
            *below,
            sys.executable,
            "-m",
            "tests.discord.launch",
            *arguments,
            cwd=REPOSITORY,
            env=os.environ | {"PYTHONUNBUFFERED": "1"} | environment,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            start_new_session=True,
        )
        return cls(process)

    async def _read(self) -> None:
        assert self.process.stdout is not None
        while line := await self.process.stdout.readline():
            self.log.append(line.decode(errors="replace").rstrip())

    @property
    def running(self) -> bool:
        return self.process.returncode is None

    @property
    def text(self) -> str:
        """The whole log."""
        return "\n".join(self.log)

    def kill(self) -> None:
        """SIGKILL to the bot alone: its children must notice by themselves."""
        if self.running:
            self.process.send_signal(signal.SIGKILL)

    def terminate(self) -> None:
        """SIGTERM, as a service manager would."""
        if self.running:
            self.process.send_signal(signal.SIGTERM)

    async def wait(self, within: float = 20.0) -> int:
        """The exit status; TimeoutError carries the end of the log."""
        try:
            async with asyncio.timeout(within):
                return await self.process.wait()
        except TimeoutError:
            raise TimeoutError("the bot did not exit; its log ends:\n" + "\n".join(self.log[-30:])) from None

    async def end(self) -> None:
        """Kills what is left of the process group this object started, and reads the log to its end."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        await self.process.wait()
        await self._reader
