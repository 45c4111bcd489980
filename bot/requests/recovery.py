"""Requests that an earlier process had acknowledged but whose picture it had not read: read it now."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from pathlib import Path

import aiofiles

from albumgen_core.errors import InferenceError
from albumgen_core.inference.client import InferenceClient
from albumgen_core.inference.records import JobRecord
from albumgen_core.result import COVER, exact_cover_path
from bot.i18n.catalogue import text
from bot.requests.intake import Requests
from bot.requests.pictures import Picture, is_discords

log = logging.getLogger(__name__)

_AT_ONCE = 2
"""Pictures read at the same time: members who ask now come first."""


class Recovery:
    """Takes up unread requests in the background, oldest first.

    Args:
        inference, requests: both open.
        records: what `InferenceClient.unread` said at the start.
    """

    def __init__(self, inference: InferenceClient, requests: Requests, records: Sequence[JobRecord]) -> None:
        self._inference, self._requests = inference, requests
        self._room = asyncio.Semaphore(_AT_ONCE)
        bundles: dict[str, list[JobRecord]] = {}
        for record in records:
            bundles.setdefault(record.spec.bundle_id or record.job_id, []).append(record)
        if bundles:
            log.info("taking up %d requests whose pictures were not read before the restart", len(bundles))
        self._tasks = [asyncio.create_task(self._take_up(bundle)) for bundle in bundles.values()]

    async def close(self) -> None:
        """Stop; what is left is taken up by the next start."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _take_up(self, records: Sequence[JobRecord]) -> None:
        first = records[0]
        locale = str(first.spec.origin.get("locale", "en"))
        async with self._room:
            try:
                picture = await self._picture(first)
                if picture is None:
                    for record in records:
                        await self._inference.refuse(record.job_id, text(locale, "recovery.no_picture"))
                    return
                specs = [record.spec for record in records]
                await self._requests.accept(specs, picture, first.request_key, locale)
            except InferenceError:
                # A busy journal, say. It stays as it is, and the next start tries again.
                log.exception("the request %s could not be taken up", first.job_id)

    async def _picture(self, record: JobRecord) -> Picture | bytes | None:
        """Where the cover is to be had: on Discord's CDN, or beside the take that this one is made from."""
        thumbnail = str(record.spec.origin.get("thumbnail") or "")
        if is_discords(thumbnail):
            return Picture(thumbnail)
        if record.spec.parent_id is None:
            return None
        try:
            parent = await self._inference.record(record.spec.parent_id)
            if parent.result_dir is None:
                return None
            folder = Path(parent.result_dir)
            exact = await asyncio.to_thread(exact_cover_path, folder)
            async with aiofiles.open(exact or folder / COVER, "rb") as file:
                return await file.read()
        except (InferenceError, OSError):
            return None
