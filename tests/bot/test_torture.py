from __future__ import annotations

from pathlib import Path

import pytest

from tests.bot.torture import Torture


@pytest.mark.slow
async def test_nothing_is_lost_or_told_twice_when_bot_workers_and_discord_fail_at_random(
    tmp_path: Path,
) -> None:
    torture = Torture(tmp_path, seed=11, people=10, job_seconds=0.15, faults=3.0)
    report = await torture.run(jobs=30, kills=8, bot_pause=(1.0, 2.0), worker_pause=(0.3, 1.2), patience=60.0)
    assert report.clean, "\n".join(report.lines())
    assert report.acknowledged >= 30
    assert report.comparisons >= 3
    assert report.votes >= 10
    assert report.bot_kills >= 2
    assert report.worker_kills >= 2
    assert sum(report.faults.values()) >= 3
