"""Members who want to be forgotten: what is kept of them goes, also when the process dies half-way.

Each room that keeps something about members registers a part: how to tell what it has, and how to delete it.
A request is journalled first and its row deleted last, so the next start goes on where this one stopped;
every step may be repeated. Messages and files that remain to be removed are noted without a word about whose
they were.
"""

from __future__ import annotations

import asyncio
import logging
import sqlite3
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import aiohttp
import discord

from albumgen_core.errors import InferenceError
from albumgen_core.inference.client import InferenceClient
from albumgen_core.inference.records import JobRecord
from albumgen_core.jobs.layout import DataLayout
from albumgen_core.keyed_lock import KeyedLock
from albumgen_core.settings import Settings
from bot.messages.http_errors import ErrorKind, classify

log = logging.getLogger(__name__)

Forget = Callable[[int, int | None], Awaitable[object]]
"""(user id, guild id or None for everywhere): delete what is kept. May be called again for the same."""

Tell = Callable[[int, int | None], Awaitable[Sequence[Mapping[str, Any]]]]
"""(user id, guild id or None for everywhere): what is kept, one JSON-ready object a thing."""

_STRAY_SECONDS = 900.0
"""How long a worker that was stopped may still write a file of a job nobody knows any more."""

_PAUSE = 0.6
"""Seconds between two deletions of messages: far below what Discord allows a bot."""

_LONGEST_PAUSE = 300.0
_MOST_TRIES = 25
_RETRY_SECONDS = 60.0
_DAY = 86400.0


@dataclass(frozen=True, slots=True)
class Part:
    """One room's share.

    Attributes:
        name: key of the part ("stars"); its words are in the catalogues as privacy.part.<name>.
        forget: see `Forget`.
        tell: see `Tell`; None for what is told by another part already.
    """

    name: str
    forget: Forget
    tell: Tell | None = None


class Erasure:
    """Forgets members, and removes what is left over in the background.

    Attributes:
        parts: in the order of their registration.
        pause: seconds between two deletions of messages.
    """

    def __init__(self, client: discord.Client, inference: InferenceClient, core: Settings) -> None:
        self._client, self._inference, self._core = client, inference, core
        self._database = inference.database
        self.parts: list[Part] = []
        self.pause = _PAUSE
        self._locks: KeyedLock[int] = KeyedLock()
        self._scrubbing = asyncio.Lock()
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def register(self, name: str, forget: Forget, tell: Tell | None = None) -> None:
        """Let a room take part (in its cog's `cog_load`)."""
        self.parts = [part for part in self.parts if part.name != name] + [Part(name, forget, tell)]

    async def start(self) -> None:
        """Finish what an earlier process began; then look after messages and files in the background.

        To be called once all parts are registered and before replies are delivered.
        """
        for row in await self._database.fetch("SELECT * FROM bot_forgetting ORDER BY request_id"):
            try:
                await self.carry_out(int(row["request_id"]), int(row["user_id"]), row["guild_id"])
            except Exception:
                log.exception("a member could not be forgotten; it is tried again")
        # Every worker of that time is dead: whatever they wrote last can go now.
        await self._remove_files(await self._pending_files())
        await self._database.execute("DELETE FROM bot_doomed_files WHERE until <= ?", (time.time(),))
        await self._drop_old_messages()
        self._task = asyncio.create_task(self._clear_up_forever(), name="forgetting")

    async def close(self) -> None:
        """Stop; what is left is done by the next start."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def tell(self, user_id: int, guild_id: int | None) -> dict[str, list[dict[str, Any]]]:
        """Everything that is kept about a member, by part."""
        told = {
            "jobs": await self._jobs(user_id, guild_id),
            "messages": await self._messages(user_id, guild_id),
        }
        for part in self.parts:
            if part.tell is not None:
                told[part.name] = [dict(each) for each in await part.tell(user_id, guild_id)]
        return told

    async def forget(self, user_id: int, guild_id: int | None) -> None:
        """Forget a member, in one server or (None) everywhere.

        When this returns, nothing of them is in the database or among the files; messages are being deleted.
        Raises whatever a part raises; it is tried again later, and at the next start.
        """
        await self.carry_out(await self.wish(user_id, guild_id), user_id, guild_id)

    async def wish(self, user_id: int, guild_id: int | None) -> int:
        """Journal that a member is to be forgotten: from here on it will happen. Returns its number."""

        def operation(connection: sqlite3.Connection) -> int:
            cursor = connection.execute(
                "INSERT INTO bot_forgetting (user_id, guild_id, tried_at) VALUES (?, ?, ?)",
                (user_id, guild_id, time.time()),
            )
            return int(cursor.lastrowid or 0)

        return await self._database.write(operation)

    async def carry_out(self, request_id: int, user_id: int, guild_id: int | None) -> None:
        """Carry out a wish; see `forget`."""
        async with self._locks(user_id):
            for part in self.parts:
                await part.forget(user_id, guild_id)
            await self._note_pending(user_id, guild_id)
            group = str(guild_id) if guild_id is not None else None
            await self._inference.delete_member(str(user_id), group=group)
            await self._remove_files(await self._pending_files())
            await self._database.execute("DELETE FROM bot_forgetting WHERE request_id = ?", (request_id,))
        try:
            async with self._scrubbing:
                await self._database.scrub()
        except InferenceError as error:  # no room to rebuild the file, say: the rows are gone all the same
            log.warning("the database could not be rebuilt without a forgotten member: %s", error)
        self._wake.set()

    async def _note_pending(self, user_id: int, guild_id: int | None) -> None:
        """Note which messages and files are to go, and forget whose they are."""
        now = time.time()
        mine = "m.user_id = ?1 AND (?2 IS NULL OR m.guild_id = ?2)"
        group = str(guild_id) if guild_id is not None else None

        def operation(connection: sqlite3.Connection) -> None:
            connection.execute(
                "INSERT OR REPLACE INTO bot_doomed_files SELECT job_id, ?3 FROM jobs"
                " WHERE member_key = ?1 AND (?2 IS NULL OR group_key = ?2)",
                (str(user_id), group, now + _STRAY_SECONDS),
            )
            connection.execute(
                "INSERT OR IGNORE INTO bot_doomed_messages (message_id, channel_id, due_at)"
                " SELECT m.message_id, m.channel_id, ?3 FROM bot_messages AS m"
                f" WHERE {mine} AND m.deleted = 0",
                (user_id, guild_id, now),
            )
            connection.execute(
                f"DELETE FROM bot_stars WHERE message_id IN (SELECT m.message_id FROM bot_messages AS m"
                f" WHERE {mine})",
                (user_id, guild_id),
            )
            connection.execute(f"DELETE FROM bot_messages AS m WHERE {mine}", (user_id, guild_id))

        await self._database.write(operation, patient=True)

    async def _drop_old_messages(self) -> None:
        """A message is remembered no longer than its job."""
        old = "NOT EXISTS (SELECT 1 FROM jobs WHERE jobs.job_id = m.job_id) AND m.sent_at <= ?"

        def operation(connection: sqlite3.Connection) -> None:
            before = (time.time() - _DAY,)
            connection.execute(
                "DELETE FROM bot_stars WHERE message_id IN"
                f" (SELECT m.message_id FROM bot_messages AS m WHERE {old})",
                before,
            )
            connection.execute(f"DELETE FROM bot_messages AS m WHERE {old}", before)

        await self._database.write(operation)

    async def too_late(self, records: Sequence[JobRecord], channel_id: int, message_id: int) -> None:
        """After a delivery: a reply was on its way while its member was being forgotten, and goes too."""
        if await self._database.fetch("SELECT 1 FROM jobs WHERE job_id = ?", (records[0].job_id,)):
            return
        await self.delete_soon(channel_id, message_id)

    async def delete_soon(self, channel_id: int, message_id: int) -> None:
        """Delete a message of ours soon, for it shows what nobody is to know any more."""
        await self._database.execute(
            "INSERT OR IGNORE INTO bot_doomed_messages (message_id, channel_id, due_at) VALUES (?, ?, ?)",
            (message_id, channel_id, time.time()),
        )
        self._wake.set()

    async def _clear_up_forever(self) -> None:
        while True:
            self._wake.clear()
            try:
                await self._clear_up()
                pause = await self._nap()
            except InferenceError as error:  # a busy journal, say
                log.warning("what is left of forgotten members could not be removed yet: %s", error)
                pause = _RETRY_SECONDS
            try:
                async with asyncio.timeout(pause):
                    await self._wake.wait()
            except TimeoutError:
                continue

    async def _clear_up(self) -> None:
        now = time.time()
        for row in await self._database.fetch(
            "SELECT * FROM bot_forgetting WHERE tried_at <= ?", (now - _RETRY_SECONDS,)
        ):
            await self._database.execute(
                "UPDATE bot_forgetting SET tried_at = ? WHERE request_id = ?", (now, row["request_id"])
            )
            try:
                await self.carry_out(int(row["request_id"]), int(row["user_id"]), row["guild_id"])
            except Exception:
                log.exception("a member could not be forgotten; it is tried again")
        await self._remove_files(await self._pending_files())
        await self._database.execute("DELETE FROM bot_doomed_files WHERE until <= ?", (now,))
        for row in await self._database.fetch(
            "SELECT * FROM bot_doomed_messages WHERE due_at <= ? ORDER BY message_id DESC", (now,)
        ):
            await self._delete_message(row["message_id"], row["channel_id"], row["tries"])
            await asyncio.sleep(self.pause)

    async def _nap(self) -> float | None:
        """Seconds until there is something to do; None where nothing is left."""
        rows = await self._database.fetch(
            "SELECT min(due) FROM (SELECT due_at AS due FROM bot_doomed_messages"
            " UNION ALL SELECT until FROM bot_doomed_files"
            " UNION ALL SELECT tried_at + ? FROM bot_forgetting)",
            (_RETRY_SECONDS,),
        )
        due = rows[0][0]
        return None if due is None else min(max(due - time.time(), 0.05), _RETRY_SECONDS)

    async def _delete_message(self, message_id: int, channel_id: int, tries: int) -> None:
        target = self._client.get_partial_messageable(channel_id).get_partial_message(message_id)
        try:
            await target.delete()
        except discord.HTTPException as error:
            again = classify(error) is ErrorKind.AGAIN and tries < _MOST_TRIES
            if not again:
                log.info("a message of a forgotten member cannot be deleted any more (%s)", error.code)
        except (aiohttp.ClientError, OSError, TimeoutError):
            again = tries < _MOST_TRIES
        else:
            again = False
        if again:
            due = time.time() + min(_LONGEST_PAUSE, 2.0**tries)
            await self._database.execute(
                "UPDATE bot_doomed_messages SET tries = tries + 1, due_at = ? WHERE message_id = ?",
                (due, message_id),
            )
        else:
            await self._database.execute(
                "DELETE FROM bot_doomed_messages WHERE message_id = ?", (message_id,)
            )

    async def _pending_files(self) -> list[str]:
        """The job ids whose files are to go."""
        rows = await self._database.fetch("SELECT job_id FROM bot_doomed_files")
        return [str(row[0]) for row in rows]

    async def _remove_files(self, job_ids: Sequence[str]) -> None:
        await asyncio.to_thread(DataLayout(self._core.data_dir).remove_files, job_ids)

    async def _jobs(self, user_id: int, guild_id: int | None) -> list[dict[str, Any]]:
        group = str(guild_id) if guild_id is not None else None
        records = await self._inference.history.of_member(str(user_id), group=group, limit=1_000_000)
        return [_job(record) for record in records]

    async def _messages(self, user_id: int, guild_id: int | None) -> list[dict[str, Any]]:
        rows = await self._database.fetch(
            "SELECT * FROM bot_messages WHERE user_id = ?1 AND (?2 IS NULL OR guild_id = ?2)",
            (user_id, guild_id),
        )
        return [dict(row) for row in rows]


def _job(record: JobRecord) -> dict[str, Any]:
    """A job for its member's eyes: all but the interaction's token, which is a key and not knowledge."""
    origin = {name: value for name, value in record.spec.origin.items() if name != "token"}
    names = ("state", "result_dir", "error", "received_at", "started_at", "finished_at", "delivered_at")
    times = {name: getattr(record, name) for name in names}
    spec = record.spec.to_dict() | {"origin": origin}
    return spec | times
