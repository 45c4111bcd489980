"""Another take of a result, or of both takes of a comparison: the same cover and settings, another seed."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import aiofiles

from albumgen_core.inference.records import JobRecord
from albumgen_core.jobs.spec import JobSpec, new_job_id
from albumgen_core.result import COVER
from bot.comparisons.votes import KIND as COMPARISON
from bot.messages.errors import Refusal
from bot.requests.intake import SEEDS, Asker

if TYPE_CHECKING:
    from bot.bot import AlbumGenBot


async def finished(bot: AlbumGenBot, job_id: str) -> tuple[JobRecord, Path]:
    """A job whose files are still kept, and their folder. Raises Refusal, UnknownJobError."""
    record = await bot.inference.record(job_id)
    folder = Path(record.result_dir) if record.result_dir else None
    if folder is None or not await asyncio.to_thread((folder / COVER).is_file):
        raise Refusal("refusal.clip_expired")
    return record, folder


async def another(bot: AlbumGenBot, asker: Asker, record: JobRecord, folder: Path, **changes: Any) -> None:
    """Submit a take made from `record`: the same cover and settings, but for `changes`."""
    old = record.spec
    settings: dict[str, Any] = {
        "rag": old.rag,
        "seconds": old.seconds,
        "prompt_style": old.prompt_style,
        "seed": secrets.randbelow(SEEDS),
        "overrides": dict(old.overrides),
        # A continued clip that is made again plays on from the same earlier one, while that is kept.
        "continue_from": old.continue_from,
        "parent_id": old.job_id,
        "root_id": old.root_id or old.job_id,
    }
    longest = await bot.requests.longest(asker.guild_id)
    settings["seconds"] = min(settings["seconds"], longest)
    spec: JobSpec = await bot.requests.base_spec(asker, **(settings | changes))
    await bot.requests.submit(asker, [spec], await _cover(folder))


def with_and_without(spec: JobSpec) -> list[JobSpec]:
    """A comparison's two jobs: they differ in nothing but RAG, and are answered together."""
    spec = replace(spec, bundle_id=new_job_id(), rag=True)
    return [spec, replace(spec, job_id=new_job_id(), rag=False)]


async def another_pair(bot: AlbumGenBot, asker: Asker, jobs: Sequence[JobRecord]) -> None:
    """Submit a comparison made from an earlier one's jobs: the same cover and settings, another seed.

    Raises Refusal where no file of the earlier one is kept.
    """
    record, folder = await finished(bot, next((job for job in jobs if job.result_dir), jobs[0]).job_id)
    old = record.spec
    spec: JobSpec = await bot.requests.base_spec(
        asker,
        seconds=min(old.seconds, await bot.requests.longest(asker.guild_id)),
        prompt_style=old.prompt_style,
        parent_id=old.job_id,
        root_id=old.root_id or old.job_id,
    )
    await bot.requests.submit(asker, with_and_without(spec), await _cover(folder), kind=COMPARISON)


async def _cover(folder: Path) -> bytes:
    """The cover that a result keeps; the stored one of an answered job is gone."""
    async with aiofiles.open(folder / COVER, "rb") as file:
        return await file.read()
