from __future__ import annotations

import asyncio
import json
import logging
from pathlib import Path

import aiohttp
import pytest
from prometheus_client.parser import text_string_to_metric_families

from bot.monitoring.http import HttpServer
from tests.bot.operated import Operated, operated

MISSING = "tests.albumgen_core.inference.runners:unavailable"


def server_of(house: Operated) -> HttpServer:
    return house.bot.services[HttpServer]


async def get(house: Operated, path: str) -> tuple[int, str]:
    async with (
        aiohttp.ClientSession() as session,
        session.get(f"http://127.0.0.1:{server_of(house).port}{path}") as answer,
    ):
        return answer.status, await answer.text()


async def metrics(house: Operated) -> dict[tuple[str, tuple[str, ...]], float]:
    status, body = await get(house, "/metrics")
    assert status == 200
    return {
        (sample.name, tuple(sample.labels.values())): sample.value
        for family in text_string_to_metric_families(body)
        for sample in family.samples
    }


async def until_ready(house: Operated) -> None:
    await house.until(lambda state: any(worker.state == "idle" for worker in state.workers))


async def test_metrics_tell_what_is_there(tmp_path: Path) -> None:
    async with operated(tmp_path) as house:
        await until_ready(house)
        await (await house.owner.slash(house.channel, "settings")).wait_message()
        logging.getLogger("albumgen.test").warning("counted")
        seen = await metrics(house)
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
    async with operated(tmp_path, runner=MISSING) as house:
        await house.until(lambda state: state.not_ready)
        assert (await get(house, "/healthz"))[0] == 200
        status, body = await get(house, "/readyz")
        assert status == 503
        assert "model.safetensors is missing" in json.loads(body)["because"][0]
        (tmp_path / "weights").touch()
        house.bot.inference.retry_engine()
        await until_ready(house)
        assert await get(house, "/readyz") == (200, '{"status": "ok"}')


async def test_a_taken_port_does_not_keep_the_bot_from_starting(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    server = await asyncio.start_server(lambda *_: None, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with operated(tmp_path, http_port=port) as house:
        assert server_of(house).port == 0
        assert "discord.http_port" in caplog.text
        await (await house.owner.slash(house.channel, "settings")).wait_message()
    server.close()


async def test_the_port_is_free_again_after_a_stop(tmp_path: Path) -> None:
    async with operated(tmp_path) as house:
        port = server_of(house).port
        assert port > 0
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection("127.0.0.1", port)
