"""Another take of a result: the same cover and settings, another seed."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import aiofiles

from albumgen_core.attributes.fields import FIELDS
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


async def regenerate(
    requests: Requests,
    context: RequestContext,
    record: JobRecord,
    folder: Path,
    *,
    edited: Mapping[str, Any] | None = None,
    **changes: Any,
) -> None:
    """Submit a take made from `record`: the same cover and settings, but for `changes`.

    Args:
        requests, context: who asks, and who is asked.
        record, folder: the earlier take and its files.
        edited: the fields that members set by hand, where they are others than the earlier take's.
        changes: fields of the new job.
    """
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
    cover, notes = await cover_of(folder)
    by_hand = dict(edited_by_hand(record) if edited is None else edited)
    await requests.submit(context, [spec], cover, notes=notes, edited=by_hand)


def edited_by_hand(record: JobRecord) -> Mapping[str, Any]:
    """The fields of a take that members set by hand; the others are pinned to what was predicted, or free."""
    edited = record.spec.origin.get("edited")
    if isinstance(edited, Mapping):
        return edited
    overrides = record.spec.overrides
    return overrides if len(overrides) < len(FIELDS) else {}


async def cover_of(folder: Path) -> tuple[bytes, Sequence[str]]:
    """The cover that a result keeps, and what is to be said of it (see `Requests.submit`)."""
    exact = await asyncio.to_thread(exact_cover_path, folder)
    async with aiofiles.open(exact or folder / COVER, "rb") as file:
        return await file.read(), () if exact else ("note.cover_recompressed",)
