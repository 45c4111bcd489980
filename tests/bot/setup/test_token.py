"""The first start on a terminal: the token is asked for once, hidden, and kept if wanted."""

from __future__ import annotations

import asyncio
import contextlib
import os
import pty
import signal
import sys
import tomllib
from pathlib import Path

import pytest

from tests.discord.driver import LoopbackDiscord
from tests.discord.process import REPOSITORY


class Terminal:
    """A process on a terminal of its own."""

    def __init__(self, arguments: list[str], environment: dict[str, str]) -> None:
        variables = {name: value for name, value in os.environ.items() if not name.startswith("DISCORD")}
        self.pid, self.descriptor = pty.fork()
        if self.pid == 0:
            os.chdir(REPOSITORY)
            os.execve(sys.executable, [sys.executable, *arguments], variables | environment)
        self.shown = ""
        self._changed = asyncio.Event()
        asyncio.get_running_loop().add_reader(self.descriptor, self._read)

    def _read(self) -> None:
        try:
            data = os.read(self.descriptor, 4096)
        except OSError:  # the other end is closed
            data = b""
        if not data:
            asyncio.get_running_loop().remove_reader(self.descriptor)
        self.shown += data.decode(errors="replace")
        self._changed.set()

    async def until(self, words: str) -> None:
        async with asyncio.timeout(30):
            while words not in self.shown:
                self._changed.clear()
                await self._changed.wait()

    def type(self, words: str) -> None:
        os.write(self.descriptor, words.encode() + b"\n")

    async def stop(self) -> int:
        os.kill(self.pid, signal.SIGTERM)
        _, status = await asyncio.to_thread(os.waitpid, self.pid, 0)
        with contextlib.suppress(OSError):
            asyncio.get_running_loop().remove_reader(self.descriptor)
            os.close(self.descriptor)
        return os.waitstatus_to_exitcode(status)


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="needs a Unix terminal")
async def test_the_token_is_asked_for_hidden_and_kept(tmp_path: Path) -> None:
    config = tmp_path / "config.toml"
    config.write_text(f'data_dir = "{tmp_path / "data"}"\n[discord]\nhttp_port = 0\n')
    async with LoopbackDiscord() as loopback:
        environment = loopback.environment() | {"ALBUMGEN_CONFIG": str(config)}
        terminal = Terminal(["-m", "tests.discord.launch", "--config", str(config)], environment)
        await terminal.until("Token (not shown):")
        terminal.type(loopback.token)
        await terminal.until("[Y/n]")
        terminal.type("y")
        await terminal.until("Ready:")
        assert loopback.token not in terminal.shown
        assert await terminal.stop() == 0
    kept = tomllib.loads(config.read_text())
    assert kept["discord"] == {"http_port": 0, "token": loopback.token}
    assert config.stat().st_mode & 0o077 == 0
