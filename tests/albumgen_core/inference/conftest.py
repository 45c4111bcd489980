from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from albumgen_core.inference.client import InferenceClient
from albumgen_core.inference.queue import QueueLimits
from albumgen_core.inference.settings import ClientSettings
from albumgen_core.jobs.spec import JobSpec, new_job_id

RUNNERS = "tests.albumgen_core.inference.runners"
StartClient = Callable[..., Awaitable[InferenceClient]]


def make_spec(*orders: str, **changes: Any) -> JobSpec:
    spec = JobSpec(job_id=new_job_id(), cover_path="/nowhere/cover.png", group="guild", member="ann")
    return spec.replace(overrides={"do": list(orders)} if orders else {}, **changes)


@pytest.fixture
def settings(tmp_path: Path) -> ClientSettings:
    config = tmp_path / "config.toml"
    config.touch()
    return ClientSettings(
        data_dir=tmp_path / "data",
        runner=f"{RUNNERS}:obedient",
        config=config,
        limits=QueueLimits(batch=4, per_member=50),
        min_free_bytes=0,
    )


@pytest.fixture
async def start_client(settings: ClientSettings) -> AsyncIterator[StartClient]:
    clients: list[InferenceClient] = []

    async def start(**changes: Any) -> InferenceClient:
        client = InferenceClient(replace(settings, **changes))
        clients.append(client)
        await client.start()
        return client

    yield start
    await asyncio.gather(*(client.close(grace=0.0) for client in clients))


@pytest.fixture
async def client(start_client: StartClient) -> InferenceClient:
    return await start_client()
