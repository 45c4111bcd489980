"""Another take of a result: the same cover and settings, another seed."""

from __future__ import annotations

import asyncio
import secrets
from pathlib import Path
from typing import Any

import aiofiles

from albumgen_core.inference.client import InferenceClient
from albumgen_core.inference.records import JobRecord
from albumgen_core.result import COVER, exact_cover_path
from bot.messages.errors import Refusal
from bot.requests.context import RequestContext
from bot.requests.intake import SEEDS, Requests


async def finished(inference: InferenceClient, job_id: str) -> tuple[JobRecord, Path]:
    """A job whose files are still kept, and their folder. Raises Refusal, UnknownJobError."""
    record = await inference.record(job_id)
    folder = Path(record.result_dir) if record.result_dir else None
    if folder is None or not await asyncio.to_thread((folder / COVER).is_file):
        raise Refusal("refusal.clip_expired")
    return record, folder


async def another(
    requests: Requests, context: RequestContext, record: JobRecord, folder: Path, **changes: Any
) -> None:
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
    settings["seconds"] = min(settings["seconds"], context.longest)
    spec = requests.new_spec(context, **(settings | changes))
    await requests.submit(context, [spec], await cover_of(folder))


async def cover_of(folder: Path) -> bytes:
    """The cover that a result keeps; the stored one of an answered job is gone."""
    exact = await asyncio.to_thread(exact_cover_path, folder)
    async with aiofiles.open(exact or folder / COVER, "rb") as file:
        return await file.read()
