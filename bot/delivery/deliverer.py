"""Replies that are owed reach their readers: exactly once, whatever Discord or the network do.

Each try edits the message that was there from the start, so repeating it changes nothing. Where that message
is not known, it is searched for, and only then is a new one sent, with a nonce. Discord itself says no in
many ways; `_Outcome` names what follows from each.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from json import JSONDecodeError
from typing import Any, Protocol

import aiohttp
import discord

from albumgen_core.errors import InferenceError, UnknownJobError
from albumgen_core.inference.client import InferenceClient
from albumgen_core.inference.records import JobRecord, OutboxItem
from bot.delivery.progress import QueueMessages
from bot.i18n.catalogue import text
from bot.messages import targets
from bot.messages.embeds import FAILED
from bot.messages.http_errors import ErrorKind, classify
from bot.messages.message_log import MessageLog
from bot.messages.reply import Reply, ReplyFile
from bot.messages.shrink import SHRINK_STEPS, shrunk

__all__ = ["Delivery", "Renderer", "Reply", "ReplyFile"]

log = logging.getLogger(__name__)

_AT_ONCE = 8
"""Deliveries that may be under way at the same time."""

_TIMEOUT = 90.0
"""Seconds one try may take; below the outbox's lease, so that no reply is under way twice."""

_REFUSED_PAUSE = 900.0
"""Seconds to wait after Discord refused us: thousands of such requests in ten minutes get a bot banned."""

_MOST_ATTEMPTS = 60
"""With the longest pause of five minutes: about four hours of trying."""


class Renderer(Protocol):
    """Turns ended jobs into a message."""

    async def render(self, records: Sequence[JobRecord], locale: str) -> Reply:
        """The message for these jobs, whatever became of them (done, failed, cancelled).

        The view must hold a button that names the delivery (the bundle's id, or a job's), so that the
        message can be found again.
        """
        ...


DeliveredHook = Callable[[Sequence[JobRecord], int, int], Awaitable[None]]
"""(records, channel id, message id), after a reply has reached its reader."""

Listener = Callable[[Sequence[JobRecord]], Awaitable[None]]
"""Takes note of ended jobs that owe no message; may be called again for the same ones."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a reply is. `direct`: a direct message stands in for the channel of the request."""

    channel_id: int
    message_id: int
    direct: bool = False


class Undeliverable(Exception):  # noqa: N818  (not a mistake: the reply has nowhere to go)
    """Nobody can be told; the message says why."""


def usual_pause(attempt: int) -> float:
    """Seconds before the next try: 1, 2, 4, … at most 300, give or take a fifth."""
    return min(300.0, 2.0 ** min(attempt - 1, 9)) * random.uniform(0.8, 1.2)


class Delivery:
    """The outbox's loop. Renderers are registered by `origin["kind"]`.

    Attributes:
        pause: seconds until the next try, given the number of the last.
        timeout: seconds one try may take.
    """

    def __init__(
        self,
        client: discord.Client,
        inference: InferenceClient,
        messages: MessageLog,
        queue_messages: QueueMessages,
    ) -> None:
        self._client, self._inference = client, inference
        self._messages, self._queue_messages = messages, queue_messages
        self.renderers: dict[str, Renderer] = {}
        self.listeners: dict[str, Listener] = {}
        self.hooks: list[DeliveredHook] = []
        self.pause = usual_pause
        self.timeout = _TIMEOUT
        self._refused_until = 0.0
        self._loop: asyncio.Task[None] | None = None
        self._under_way: set[asyncio.Task[None]] = set()

    def register(self, kind: str, renderer: Renderer) -> None:
        """Let `renderer` write the replies of jobs whose origin has this kind."""
        self.renderers[kind] = renderer

    def listen(self, kind: str, listener: Listener) -> None:
        """Tell `listener` of ended jobs of this kind, which are then done with: no message is sent."""
        self.listeners[kind] = listener

    def on_delivered(self, hook: DeliveredHook) -> None:
        """Call `hook(records, channel_id, message_id)` after each delivery."""
        self.hooks.append(hook)

    def start(self) -> None:
        """Begin delivering."""
        self._loop = asyncio.create_task(self._deliver_forever(), name="delivery")

    async def close(self, *, grace: float = 10.0) -> None:
        """Stop; replies under way get `grace` seconds, the rest stays in the journal."""
        if self._loop is not None:
            self._loop.cancel()
            await asyncio.gather(self._loop, return_exceptions=True)
        if self._under_way:
            await asyncio.wait(self._under_way, timeout=grace)
        for task in self._under_way:
            task.cancel()
        await asyncio.gather(*self._under_way, return_exceptions=True)

    async def _deliver_forever(self) -> None:
        room = asyncio.Semaphore(_AT_ONCE)
        while True:
            await room.acquire()
            try:
                item = await self._inference.outbox.next()
            except Exception:
                log.exception("the outbox cannot be read; trying again")
                room.release()
                await asyncio.sleep(self.pause(3))
                continue
            await asyncio.sleep(max(0.0, self._refused_until - time.monotonic()))
            task = asyncio.create_task(self._handle(item), name=f"deliver {item.delivery_id}")
            self._under_way.add(task)
            task.add_done_callback(self._under_way.discard)
            task.add_done_callback(lambda _: room.release())

    async def _handle(self, item: OutboxItem) -> None:
        """One try, and what it came to. If even that cannot be noted, the outbox's lease runs out."""
        try:
            try:
                async with asyncio.timeout(self.timeout):
                    place = await self._deliver(item)
            except Undeliverable as reason:
                log.info("reply %s is dropped: %s", item.delivery_id, reason)
                await self._inference.outbox.drop(item.delivery_id, str(reason))
            except Exception as error:
                await self._put_off(item, error)
            else:
                await self._record(item, place)
        except InferenceError as error:
            log.warning("what became of reply %s could not be noted: %s", item.delivery_id, error)

    async def _put_off(self, item: OutboxItem, error: Exception) -> None:
        outbox = self._inference.outbox
        expected = isinstance(error, discord.DiscordException | aiohttp.ClientError | OSError | TimeoutError)
        if isinstance(error, discord.HTTPException) and error.status == 400:
            expected = False  # Discord does not understand us: a mistake of ours, that time does not mend
        if item.attempt >= _MOST_ATTEMPTS or (not expected and item.attempt >= 5):
            log.error("reply %s is given up", item.delivery_id, exc_info=error)
            await outbox.drop(item.delivery_id, f"given up: {type(error).__name__}")
            return
        pause = self.pause(item.attempt)
        if isinstance(error, discord.HTTPException) and error.status == 403:
            pause = max(pause, _REFUSED_PAUSE)
        if isinstance(error, discord.HTTPException) and error.status == 401:
            # The token was reset. All replies wait, in this process only: the next one may have a new token.
            log.error("Discord does not accept the token any more; replies wait")
            self._refused_until = time.monotonic() + _REFUSED_PAUSE
        log.warning(
            "reply %s failed (try %d: %s); again in %.1f s",
            item.delivery_id,
            item.attempt,
            type(error).__name__,
            pause,
            exc_info=None if expected else error,
        )
        await outbox.retry_later(item.delivery_id, delay=pause, error=type(error).__name__)

    async def _record(self, item: OutboxItem, place: Place | None) -> None:
        origin = item.jobs[0].spec.origin
        if place is not None and (place.direct or origin.get("via") != "token"):
            specs = [job.spec for job in item.jobs]
            await self._messages.note(
                place.message_id, place.channel_id, specs, delivered=True, direct=place.direct
            )
        await self._inference.mark_delivered(item.delivery_id)
        if origin.get("token"):
            for job in item.jobs:  # the reply is there; the token has no further use
                with contextlib.suppress(UnknownJobError):  # its member was forgotten meanwhile
                    await self._inference.update_origin(job.job_id, token=None)
        if place is None:
            return
        for hook in self.hooks:
            try:
                await hook(item.jobs, place.channel_id, place.message_id)
            except Exception:
                log.exception("a delivery's hook failed")

    async def _deliver(self, item: OutboxItem) -> Place | None:
        """One try. Returns where the reply is, None where it went somewhere that is not kept."""
        await self._queue_messages.settle(item.delivery_id)
        origin = item.jobs[0].spec.origin
        listener = self.listeners.get(str(origin.get("kind")))
        if listener is not None:
            await listener(item.jobs)
            return None
        if origin.get("told"):
            return None  # a refusal that its member was told in private
        if not origin.get("channel_id"):
            raise Undeliverable("the request names no channel")
        if (known := origin.get("message_id")) is not None:
            row = await self._messages.find(int(known))
            if row is not None and row.deleted:
                raise Undeliverable("the message was deleted")
        locale = str(origin.get("locale", "en"))
        reply = await self._render(item, str(origin.get("kind", "take")), locale)
        for step in range(SHRINK_STEPS):
            try:
                return await self._send(item, origin, reply, locale)
            except discord.HTTPException as error:
                if classify(error) is not ErrorKind.TOO_LARGE:
                    raise
                reply = await shrunk(reply, step, locale)
        return await self._send(item, origin, reply, locale)

    async def _render(self, item: OutboxItem, kind: str, locale: str) -> Reply:
        try:
            return await (await self.renderers[kind].render(item.jobs, locale)).loaded()
        except (FileNotFoundError, NotADirectoryError, JSONDecodeError) as error:
            # Trying again would not bring the files back: the member is told instead.
            log.error("the result of %s is not there any more: %s", item.delivery_id, error)
            return Reply(
                embeds=[discord.Embed(description=text(locale, "delivery.result_missing"), colour=FAILED)]
            )

    async def _send(
        self, item: OutboxItem, origin: Mapping[str, Any], reply: Reply, locale: str
    ) -> Place | None:
        if origin.get("via") == "token":
            return await self._by_token(item, origin, reply, locale)
        channel_id = int(origin["channel_id"])
        message_id = await self._known_message(item, origin)
        try:
            if message_id is not None:
                await targets.edit(self._client, origin, reply, message_id=message_id, files=True)
            else:
                message_id = await self._new_message(item, origin, reply)
        except discord.HTTPException as error:
            match classify(error):
                case ErrorKind.MESSAGE_GONE:
                    raise Undeliverable("the message was deleted") from error
                case ErrorKind.NO_WAY_IN:
                    return await self._direct(item, reply, text(locale, "delivery.no_way_in"))
                case _:
                    raise
        return Place(channel_id, message_id)

    async def _known_message(self, item: OutboxItem, origin: Mapping[str, Any]) -> int | None:
        """The message that is to be changed: its journalled id, or what a search finds."""
        if origin.get("message_id") is not None:
            return int(origin["message_id"])
        found: int | None = None
        if targets.has_token(origin):
            found = await targets.original_id(self._client, origin)
        if found is None:
            try:
                found = await targets.find(
                    targets.channel(self._client, origin),
                    item.delivery_id,
                    [job.job_id for job in item.jobs],
                    item.jobs[0].received_at,
                )
            except discord.NotFound:
                return None  # the channel is gone; the send that follows finds out in its own way
        if found is not None:
            await self._inference.update_origin(item.jobs[0].job_id, message_id=found)
        return found

    async def _new_message(self, item: OutboxItem, origin: Mapping[str, Any], reply: Reply) -> int:
        """A message that mentions who asked, and nobody else."""
        user = discord.Object(int(origin["user_id"]))
        mention = f"<@{user.id}>"
        words = f"{mention} {reply.content}" if reply.content else mention
        message = await targets.channel(self._client, origin).send(
            words,
            **_parts(reply),
            nonce=targets.nonce(item.delivery_id),
            allowed_mentions=discord.AllowedMentions(users=[user], everyone=False, roles=False),
        )
        if _title(message.embeds) != _title(reply.embeds):
            # The nonce was known: this is the queue message, whose id was lost. Make it say the result.
            known = {**origin, "via": "channel"}
            await targets.edit(self._client, known, reply, message_id=message.id, files=True)
        return message.id

    async def _by_token(
        self, item: OutboxItem, origin: Mapping[str, Any], reply: Reply, locale: str
    ) -> Place | None:
        """Replies that only the token reaches; once it has expired, a direct message, or a mention."""
        if targets.has_token(origin):
            try:
                message_id = origin.get("message_id") or await targets.original_id(self._client, origin)
                if message_id is not None:
                    await targets.edit(self._client, origin, reply, message_id=int(message_id), files=True)
                    return Place(int(origin["channel_id"]), int(message_id))
            except discord.HTTPException as error:
                if classify(error) is ErrorKind.MESSAGE_GONE:
                    raise Undeliverable("the message was dismissed") from error
                if classify(error) is not ErrorKind.TOKEN_DEAD:
                    raise
        try:
            return await self._direct(item, reply, text(locale, "delivery.too_late"))
        except Undeliverable:
            if not origin.get("ephemeral") or not origin.get("in_channel"):
                raise
        # It was asked for in private: the channel hears that it is there, not what it is.
        note = Reply(content=text(locale, "delivery.private_closed"))
        try:
            await self._new_message(item, origin, note)
        except discord.HTTPException as error:
            if classify(error) is ErrorKind.NO_WAY_IN:
                raise Undeliverable("neither direct message nor channel") from error
            raise
        return None

    async def _direct(self, item: OutboxItem, reply: Reply, reason: str) -> Place:
        """One direct message; who takes none cannot be told."""
        user = discord.Object(int(item.jobs[0].spec.origin["user_id"]))
        words = f"{reason}\n{reply.content}" if reply.content else reason
        try:
            target = await self._client.create_dm(user)
            if item.attempt > 1:
                found = await targets.find(
                    target, item.delivery_id, [job.job_id for job in item.jobs], item.jobs[0].received_at
                )
                if found is not None:
                    return Place(target.id, found, direct=True)
            message = await target.send(
                words,
                **_parts(reply),
                nonce=targets.nonce(item.delivery_id),
            )
        except discord.HTTPException as error:
            if classify(error) in (ErrorKind.NO_WAY_IN, ErrorKind.MESSAGE_GONE):
                raise Undeliverable("the member takes no direct messages") from error
            raise
        return Place(target.id, message.id, direct=True)


def _parts(reply: Reply) -> dict[str, Any]:
    """All but the words, for a new message."""
    parts: dict[str, Any] = {"embeds": list(reply.embeds), "files": reply.attachments()}
    return parts | ({"view": reply.view} if reply.view is not None else {})


def _title(embeds: Sequence[discord.Embed]) -> str | None:
    return embeds[0].title if embeds else None
