"""The queue message and its stage bar, changed seldom: when a stage begins, and every few seconds.

Discord allows about five edits in five seconds to a channel, and a result must not wait behind progress. So
each channel has at most one progress edit under way, the pace slows with the number of messages that move in
it, and before a result is delivered `QueueMessages.settle` lets the last edit end.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import discord

from albumgen_core.errors import InferenceError
from albumgen_core.inference.client import InferenceClient
from albumgen_core.inference.events import JobEvent
from albumgen_core.inference.handle import JobHandle
from albumgen_core.vocabulary import STAGES
from bot.delivery.controls import CancelButton
from bot.messages import targets
from bot.messages.embeds import progress_embed
from bot.messages.http_errors import ErrorKind, classify
from bot.messages.reply import Reply

log = logging.getLogger(__name__)

_EDITS_APART = 1.5
"""Seconds between two progress edits in one channel, well below five in five seconds."""

_FIRST_LOOK = 0.5
"""Seconds before a place in line is shown for the first time after the queue message itself."""

_CHANNELS_REMEMBERED = 1000

_PATIENCE = 10.0
"""Seconds a delivery waits for a progress edit that is under way."""


def queue_view(delivery_id: str, locale: str) -> discord.ui.View:
    """❌ under a queue message."""
    view = discord.ui.View(timeout=None)
    view.add_item(CancelButton(delivery_id, locale))
    return view


def overall(events: Sequence[JobEvent]) -> JobEvent:
    """One event for all jobs of a message: the one that is furthest behind."""

    def progress(event: JobEvent) -> tuple[int, int, float]:
        if event.is_final:
            return 2, 0, 0.0
        if event.state != "running" or event.stage not in STAGES:
            return 0, -(event.position or 0), 0.0
        return 1, STAGES.index(event.stage), event.fraction

    return min(events, key=progress)


@dataclass(eq=False)
class _Entry:
    """One message that is kept up to date."""

    delivery_id: str
    origin: Mapping[str, Any]
    locale: str
    events: dict[str, JobEvent]
    changed: asyncio.Event = field(default_factory=asyncio.Event)
    editing: asyncio.Lock = field(default_factory=asyncio.Lock)
    tasks: list[asyncio.Task[None]] = field(default_factory=list)
    closed: bool = False


class QueueMessages:
    """All queue messages of this process.

    Attributes:
        interval: seconds between two edits of a message within a stage.
    """

    def __init__(self, client: discord.Client, inference: InferenceClient, interval: float) -> None:
        self._client, self._inference = client, inference
        self.interval = interval
        self._entries: dict[str, _Entry] = {}
        self._edited: dict[int, float] = {}
        self._busy: Counter[int] = Counter()

    def follow(self, handles: Sequence[JobHandle], origin: Mapping[str, Any], delivery_id: str) -> None:
        """Keep the origin's message up to date until its jobs have ended."""
        if delivery_id in self._entries or origin.get("message_id") is None:
            return
        entry = _Entry(
            delivery_id,
            origin,
            str(origin.get("locale", "en")),
            {handle.job_id: handle.now for handle in handles},
        )
        self._entries[delivery_id] = entry
        entry.tasks = [asyncio.create_task(self._watch(entry, handle)) for handle in handles]
        entry.tasks.append(asyncio.create_task(self._edit_on_change(entry)))

    async def resume(self) -> None:
        """After a start: follow again what is waiting or running."""
        rows = await self._inference.database.fetch(
            "SELECT job_id, bundle_id FROM jobs WHERE state IN ('queued', 'running') ORDER BY rowid"
        )
        bundles: dict[str, list[str]] = {}
        for row in rows:
            bundles.setdefault(row["bundle_id"] or row["job_id"], []).append(row["job_id"])
        for delivery_id, job_ids in bundles.items():
            record = await self._inference.record(job_ids[0])
            handles = [await self._inference.subscribe(job_id) for job_id in job_ids]
            self.follow(handles, record.spec.origin, delivery_id)

    async def settle(self, delivery_id: str) -> None:
        """No progress edit of this message starts any more, and the last one is over when this returns."""
        entry = self._entries.pop(delivery_id, None)
        if entry is None:
            return
        entry.closed = True
        try:
            async with asyncio.timeout(_PATIENCE):
                async with entry.editing:
                    pass
        except TimeoutError:
            log.warning("a progress edit of %s hangs; it is given up", delivery_id)
        self._stop(entry)

    async def close(self) -> None:
        """Stop following."""
        for delivery_id in list(self._entries):
            self._stop(self._entries.pop(delivery_id))

    def _stop(self, entry: _Entry) -> None:
        entry.closed = True
        for task in entry.tasks:
            if task is not asyncio.current_task():
                task.cancel()

    async def _watch(self, entry: _Entry, handle: JobHandle) -> None:
        try:
            async for event in handle.progress():
                entry.events[handle.job_id] = event
                entry.changed.set()
        except InferenceError:
            return  # closing: the next start follows it again

    async def _edit_on_change(self, entry: _Entry) -> None:
        shown: tuple[Any, ...] = ()
        last = -self.interval
        channel = int(entry.origin["channel_id"])
        while not entry.closed:
            await entry.changed.wait()
            entry.changed.clear()
            event = overall(list(entry.events.values()))
            if event.is_final:
                return
            wait = 0.0 if shown and shown[0] != event.stage else last + self.interval - time.monotonic()
            if not shown and event.stage not in STAGES:
                # The message has just said as much; a job that starts at once should show its first stage.
                wait = max(wait, _FIRST_LOOK)
            if wait > 0:
                await asyncio.sleep(wait)
            await self._turn(channel)
            event = overall(list(entry.events.values()))
            now = (event.stage, round(event.fraction, 2), event.position)
            if entry.closed or event.is_final or now == shown:
                continue
            if not await self._edit(entry, event, channel):
                return
            shown, last = now, time.monotonic()

    async def _turn(self, channel: int) -> None:
        """Wait until the channel may be edited again; no other task runs between its return and the edit."""
        while True:
            wait = self._edited.get(channel, -_EDITS_APART) + _EDITS_APART - time.monotonic()
            if wait <= 0 and not self._busy[channel]:
                return
            await asyncio.sleep(max(wait, 0.05))

    async def _edit(self, entry: _Entry, event: JobEvent, channel: int) -> bool:
        """Show an event. False where there is no use in going on."""
        # Taken before the first await, so that others who wait for their turn see it.
        self._edited[channel] = time.monotonic()
        async with entry.editing:
            if entry.closed or (entry.origin.get("via") == "token" and not targets.has_token(entry.origin)):
                return False
            self._busy[channel] += 1
            if len(self._edited) > _CHANNELS_REMEMBERED:
                self._edited.clear()
            reply = Reply(
                embeds=[progress_embed(event, entry.origin, entry.locale)],
                view=queue_view(entry.delivery_id, entry.locale),
            )
            try:
                await targets.edit(self._client, entry.origin, reply, files=False)
            except discord.HTTPException as error:
                # Without this message there is nothing to show; whether there is a reply, delivery decides.
                return classify(error) is ErrorKind.AGAIN
            except (aiohttp.ClientError, OSError, TimeoutError):
                return True
            finally:
                self._busy[channel] -= 1
                if not self._busy[channel]:
                    del self._busy[channel]
        return True
