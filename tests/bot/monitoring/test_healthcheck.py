from __future__ import annotations

import asyncio
import shutil
import socket
import sys
from pathlib import Path

import pytest

from tests.bot import instant_bot
from tests.discord.driver import LoopbackDiscord
from tests.discord.process import BotProcess
from tests.paths import REPOSITORY
from tests.waiting import eventually

CONFIG = """
data_dir = "{data}"
[discord]
http_host = "0.0.0.0"
http_port = {port}
"""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


async def check(config: Path, **environment: str) -> tuple[int, str]:
    """Exit status and output of the health check."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "bot.monitoring.healthcheck", "--config", str(config)),
        cwd=REPOSITORY,
        env={"PATH": ""} | environment,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await process.communicate()
    assert process.returncode is not None
    return process.returncode, output.decode()


@pytest.mark.slow
async def test_it_follows_the_configured_port_and_a_polite_stop_exits_with_0(tmp_path: Path) -> None:
    port, config = free_port(), tmp_path / "config.toml"
    config.write_text(CONFIG.format(data=tmp_path / "data", port=port))
    async with LoopbackDiscord() as loopback:
        loopback.guild("House", loopback.user("Ann"))
        bot = await loopback.start_bot(
            ["--config", str(config)],
            environment={"ALBUMGEN_DISCORD__TOKEN": loopback.token},
            entry=instant_bot.ENTRY,
        )
        await until_ready(bot)
        assert await check(config) == (0, "")
        # The environment wins over the file, for the check as for the bot.
        status, output = await check(config, ALBUMGEN_DISCORD__HTTP_PORT=str(free_port()))
        assert status == 1
        assert "does not answer" in output
        bot.terminate()
        assert await bot.wait() == 0
    status, output = await check(config)
    assert status == 1
    assert output.count("\n") == 1


async def test_a_bot_that_is_not_connected_is_not_healthy(tmp_path: Path) -> None:
    async def answer(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        body = b'{"status": "unavailable", "because": ["discord: not connected"]}'
        writer.write(b"HTTP/1.1 503 -\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        config = tmp_path / "config.toml"
        config.write_text(f"[discord]\nhttp_port = {server.sockets[0].getsockname()[1]}\n")
        status, output = await check(config)
    assert status == 1
    assert "discord: not connected" in output


@pytest.mark.parametrize(
    ("text", "said"),
    [("[discord]\nhttp_port = 0\n", "http_port is 0"), ("[discord]\nhtp_port = 1\n", "htp_port")],
)
async def test_what_cannot_be_checked_is_said(tmp_path: Path, text: str, said: str) -> None:
    config = tmp_path / "config.toml"
    config.write_text(text)
    status, output = await check(config)
    assert status == 1
    assert said in output


@pytest.mark.skipif(shutil.which("tini") is None, reason="tini is not installed")
async def test_below_tini_a_polite_stop_exits_with_0(tmp_path: Path) -> None:
    config = tmp_path / "config.toml"
    config.write_text(CONFIG.format(data=tmp_path / "data", port=0))
    async with LoopbackDiscord() as loopback:
        loopback.guild("House", loopback.user("Ann"))
        bot = await loopback.start_bot(
            ["--config", str(config)],
            environment={"ALBUMGEN_DISCORD__TOKEN": loopback.token},
            entry=instant_bot.ENTRY,
            below=("tini", "-s", "--"),
        )
        await until_ready(bot)
        bot.terminate()
        assert await bot.wait() == 0


async def until_ready(bot: BotProcess) -> None:
    await eventually(lambda: "Ready:" in bot.text or not bot.running, 30)
    assert bot.running, bot.text
