"""Clips are kept as long as their server wants, and no longer.

The operator's `[retention] results_days` is the upper bound; a server may want them gone sooner.
"""

from __future__ import annotations

import asyncio
import logging
import time

from albumgen_core.files import remove_paths
from albumgen_core.inference.client import InferenceClient
from bot.guilds.settings import GuildSettings, GuildSettingsStore

log = logging.getLogger(__name__)

DAY = 86400.0


def days_kept(settings: GuildSettings, results_days: int) -> int:
    """How many days a server's clips live: its own wish, within the operator's bound."""
    return min(settings.retention_days, results_days)


class Retention:
    """Removes what has outlived its server's retention.

    Args:
        inference: whose results.
        guilds: what each server wants.
        results_days: the operator's bound. It also holds for direct messages.
    """

    def __init__(self, inference: InferenceClient, guilds: GuildSettingsStore, results_days: int) -> None:
        self._inference = inference
        self._guilds = guilds
        self._results_days = results_days

    async def enforce(self, now: float | None = None) -> int:
        """Remove every clip that is too old at `now` (seconds since the epoch). Returns how many."""
        now = time.time() if now is None else now
        expired: list[tuple[str, str]] = []
        for job_id, group, folder, finished in await self._kept(now - DAY):
            if finished <= now - DAY * await self._days(group):
                expired.append((job_id, folder))
        # Files first: should we die in between, the rows still name them for the next time.
        await asyncio.to_thread(remove_paths, [folder for _, folder in expired])
        await self._inference.history.forget_results([job_id for job_id, _ in expired])
        if expired:
            log.info("removed %d clips that were older than their servers keep them", len(expired))
        return len(expired)

    async def _kept(self, before: float) -> list[tuple[str, str, str, float]]:
        """(job, group, folder, finished at) of answered jobs whose clip is still there."""
        rows = await self._inference.database.fetch(
            "SELECT job_id, group_key, result_dir, finished_at FROM jobs WHERE result_dir IS NOT NULL"
            " AND delivered_at IS NOT NULL AND finished_at <= ?",
            (before,),
        )
        return [(row[0], row[1], row[2], row[3]) for row in rows]

    async def _days(self, group: str) -> int:
        if not group.isdecimal():  # direct messages, or jobs of the command line
            return self._results_days
        return days_kept(await self._guilds.of(int(group)), self._results_days)
