from __future__ import annotations

import time
from pathlib import Path

import pytest

from albumgen_core.inference.client import InferenceClient
from albumgen_core.inference.settings import ClientSettings
from albumgen_core.jobs.spec import JobSpec, new_job_id
from albumgen_core.settings import Settings
from bot.bot import MIGRATIONS
from bot.guilds.settings import GuildSettings, GuildSettingsStore
from bot.privacy.retention import DAY, Retention, days_kept
from bot.settings import GuildDefaults

RUNNER = "tests.albumgen_core.inference.runners:obedient"


async def finished(client: InferenceClient, group: str) -> Path:
    """The folder of a clip that was made and delivered."""
    spec = JobSpec(new_job_id(), "/nowhere/cover.png", group=group, member="1")
    handle = await client.submit(spec, b"cover")
    outcome = await handle.result()
    assert outcome.result_dir is not None
    await client.mark_delivered(spec.job_id)
    return Path(outcome.result_dir)


async def test_each_servers_clips_go_when_that_server_says_so(tmp_path: Path) -> None:
    (tmp_path / "config.toml").touch()
    client = InferenceClient(
        ClientSettings(
            tmp_path / "data",
            runner=RUNNER,
            config=tmp_path / "config.toml",
            migrations=(MIGRATIONS,),
            min_free_bytes=0,
            keep_results=None,
        )
    )
    await client.start()
    try:
        guilds = GuildSettingsStore(client.database, GuildDefaults(retention_days=20), Settings())
        await guilds.change(1, retention_days=3)
        short, usual, direct = [await finished(client, group) for group in ("1", "2", "dm:9")]
        retention = Retention(client, guilds, results_days=30)
        now = time.time()
        assert await retention.enforce(now + 2.9 * DAY) == 0
        assert await retention.enforce(now + 3.1 * DAY) == 1
        assert [folder.exists() for folder in (short, usual, direct)] == [False, True, True]
        assert await retention.enforce(now + 20.1 * DAY) == 1
        assert [folder.exists() for folder in (usual, direct)] == [False, True]
        assert await retention.enforce(now + 30.1 * DAY) == 1
        assert not direct.exists()
        assert await retention.enforce(now + 99 * DAY) == 0, "what is gone is not counted again"
    finally:
        await client.close(grace=0.0)


@pytest.mark.parametrize(("wish", "bound", "kept"), [(90, 30, 30), (10, 30, 10)])
def test_the_operators_bound_is_the_upper_one(wish: int, bound: int, kept: int) -> None:
    assert days_kept(GuildSettings(retention_days=wish), bound) == kept
