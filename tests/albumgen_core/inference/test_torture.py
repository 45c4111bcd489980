from __future__ import annotations

from pathlib import Path

import pytest

from tests.albumgen_core.inference.torture import Driver


@pytest.mark.slow
async def test_nothing_is_lost_or_told_twice_when_everything_is_killed_at_random(tmp_path: Path) -> None:
    driver = Driver(tmp_path, seed=7)
    report = await driver.run(seconds=8.0, requests=60)
    assert driver.failures == []
    assert (report.lost, report.twice, report.wrong) == ([], [], [])
    assert sum(report.states.values()) == 60
    assert report.client_kills >= 3
    assert report.worker_kills >= 3
