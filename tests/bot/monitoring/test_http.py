from __future__ import annotations

import asyncio
import json
import logging
from pathlib import Path

import aiohttp
import pytest
from prometheus_client.parser import text_string_to_metric_families

from bot.monitoring.http import HttpServer
from tests.bot.running_bot import RunningBot, running_bot

MISSING = "tests.albumgen_core.inference.runners:unavailable"


def server_of(harness: RunningBot) -> HttpServer:
    return harness.bot.services[HttpServer]


async def get(harness: RunningBot, path: str) -> tuple[int, str]:
    async with (
        aiohttp.ClientSession() as session,
        session.get(f"http://127.0.0.1:{server_of(harness).port}{path}") as answer,
    ):
        return answer.status, await answer.text()


async def metrics(harness: RunningBot) -> dict[tuple[str, tuple[str, ...]], float]:
    status, body = await get(harness, "/metrics")
    assert status == 200
    return {
        (sample.name, tuple(sample.labels.values())): sample.value
        for family in text_string_to_metric_families(body)
        for sample in family.samples
    }


async def until_ready(harness: RunningBot) -> None:
    await harness.until(lambda state: any(worker.state == "idle" for worker in state.workers))


async def test_metrics_tell_what_is_there(tmp_path: Path) -> None:
    async with running_bot(tmp_path) as harness:
        await until_ready(harness)
        await (await harness.owner.slash(harness.channel, "settings")).wait_message()
        logging.getLogger("albumgen.test").warning("counted")
        seen = await metrics(harness)
    assert seen[("albumgen_engine_ready", ())] == 1
    assert seen[("albumgen_jobs_queued", ())] == 0
    assert seen[("albumgen_discord_guilds", ())] == 1
    assert seen[("albumgen_discord_connected", ("0",))] == 1
    assert seen[("albumgen_workers", ("idle",))] == 1
    assert seen[("albumgen_interactions_total", ("application_command",))] == 1
    assert seen[("albumgen_log_records_total", ("warning",))] >= 1
    assert seen[("albumgen_data_free_bytes", ())] > 0
    assert seen[("process_resident_memory_bytes", ())] > 0


async def test_healthy_while_connected_and_ready_once_the_engine_is(tmp_path: Path) -> None:
    async with running_bot(tmp_path, runner=MISSING) as harness:
        await harness.until(lambda state: state.not_ready)
        assert (await get(harness, "/healthz"))[0] == 200
        status, body = await get(harness, "/readyz")
        assert status == 503
        assert "model.safetensors is missing" in json.loads(body)["because"][0]
        (tmp_path / "weights").touch()
        harness.bot.inference.retry_engine()
        await until_ready(harness)
        assert await get(harness, "/readyz") == (200, '{"status": "ok"}')


async def test_a_taken_port_does_not_keep_the_bot_from_starting(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    server = await asyncio.start_server(lambda *_: None, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with running_bot(tmp_path, http_port=port) as harness:
        assert server_of(harness).port == 0
        assert "discord.http_port" in caplog.text
        await (await harness.owner.slash(harness.channel, "settings")).wait_message()
    server.close()


async def test_the_port_is_free_again_after_a_stop(tmp_path: Path) -> None:
    async with running_bot(tmp_path) as harness:
        port = server_of(harness).port
        assert port > 0
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection("127.0.0.1", port)
