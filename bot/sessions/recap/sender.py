"""What follows when a session has ended: the recap message, and with it the page and the mixtape.

The message comes at once, without files, and says that they are being made; one edit puts them in. Its id is
stored, and what was made is noted beside it, so that a kill at any moment costs no more than that work, and
never a second message.
"""

from __future__ import annotations

import asyncio
import datetime
import json
import logging
import secrets
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import aiohttp
import discord

from albumgen_core.errors import MixtapeError, TaskError
from albumgen_core.files import remove_paths, write_durably
from albumgen_core.keyed_lock import KeyedLock
from bot.delivery.deliverer import usual_pause
from bot.guilds.settings import GuildSettingsStore
from bot.i18n.catalogue import text
from bot.messages.http_errors import ErrorKind, classify
from bot.messages.reply import Reply, ReplyFile
from bot.privacy.retention import DAY, days_kept
from bot.sessions import formatting
from bot.sessions.recap.files import MIXTAPE, PAGE, PODIUM, make_page, make_recap_mixtape
from bot.sessions.recap.message import footer, recap_embed
from bot.sessions.recap.page import MAX_PAGE_BYTES
from bot.sessions.recap.podium import SHOWN
from bot.sessions.recap.statistics import Recap, summarise
from bot.sessions.results import read_results
from bot.sessions.state.model import EndReason, Session, SessionRecord, SessionState
from bot.sessions.state.store import SessionStore
from bot.settings import BotSettings

log = logging.getLogger(__name__)

MANIFEST = "recap.json"
"""Written last, beside the files that it lists. See `RecapManifest`."""

SERVED_TAPE_BYTES = 500 * 2**20
"""Of a mixtape that the operator serves: some six hours at 192 kbit/s."""

_TRIES = 6
_SEARCHED = 50
_SHARES = ((1.0, 1.0), (0.35, 0.55))
"""Of the upload limit, for page and mixtape: first each file for itself, then both in one."""


@dataclass(frozen=True, slots=True)
class RecapManifest:
    """What was made of a session.

    Attributes:
        ended_at: of which of its ends (it may have been taken up again). step: with which of _SHARES.
        secret: part of the address under which it is served.
        page, tape, podium: which files there are.
        words: what is to be said about them.
    """

    ended_at: float
    step: int
    secret: str
    page: bool
    tape: bool
    podium: bool
    words: str = ""


def folder_of(data_dir: Path, session_id: str) -> Path:
    """The folder of a session's files."""
    return data_dir / "sessions" / session_id


def read_manifest(folder: Path) -> RecapManifest | None:
    """The manifest in a session's folder (blocking); None where it is missing or unreadable."""
    try:
        return RecapManifest(**json.loads((folder / MANIFEST).read_text("utf-8")))
    except (OSError, ValueError, TypeError):
        return None


def link_to(public_url: str, session_id: str, manifest: RecapManifest, name: str = "") -> str:
    """The address of a served file; of the page without a name."""
    return f"{public_url.rstrip('/')}/recaps/{session_id}-{manifest.secret}/{name}"


class RecapSender:
    """Sends recaps. One per bot; `finish` is the manager's `on_end` callback.

    Attributes:
        pause: seconds before the next try, given the number of the last.
    """

    def __init__(
        self,
        client: discord.Client,
        settings: BotSettings,
        store: SessionStore,
        guilds: GuildSettingsStore,
    ) -> None:
        self._client, self._settings, self._store, self._guilds = client, settings, store, guilds
        self.pause = usual_pause
        self._locks: KeyedLock[str] = KeyedLock()

    async def finish(self, record: SessionRecord, reason: EndReason) -> None:
        """Send the recap of an ended session, or what is missing of it. Safe to repeat, at any time.

        What may pass is tried again for some minutes, and then again after the next start.
        """
        async with self._locks(record.session.session_id):
            record = replace(record, session=replace(record.session, end_reason=reason))
            for attempt in range(1, _TRIES + 1):
                try:
                    await self._finish(record)
                    return
                except (discord.HTTPException, aiohttp.ClientError, OSError, TimeoutError) as error:
                    log.warning("the recap of session %s: %s", record.session.session_id, error)
                    if attempt == _TRIES:
                        raise
                await asyncio.sleep(self.pause(attempt))

    async def expire(self, now: float | None = None) -> int:
        """Remove the files of sessions that ended longer ago than their server keeps clips.

        Args:
            now: Unix seconds.

        Returns how many sessions lost theirs. Sessions, votes and the messages stay.
        """
        now = time.time() if now is None else now
        core = self._settings.core
        gone = []
        for session in await self._store.in_states(SessionState.ENDED):
            guild = await self._guilds.of(session.guild_id)
            kept = DAY * days_kept(guild, core.retention.results_days)
            if session.ended_at is not None and session.ended_at <= now - kept:
                folder = folder_of(core.data_dir, session.session_id)
                if await asyncio.to_thread(folder.is_dir):
                    gone.append(str(folder))
        await asyncio.to_thread(remove_paths, gone)
        return len(gone)

    async def _finish(self, record: SessionRecord) -> None:
        session, store = record.session, self._store
        recap = await asyncio.to_thread(summarise, record)
        documents = await asyncio.to_thread(read_results, record)
        target = _RecapTarget(self._client, session, await store.recap_message(session.session_id))

        def message(**more: Any) -> discord.Embed:
            return recap_embed(record, recap, documents, session.locale, **more)

        if not recap.covers:
            await target.say(Reply(embeds=[message()]))
            await store.set_recap(session.session_id, target.message_id, complete=True)
            return
        # The first sign comes before the work; where nobody can be reached there is still the page.
        await target.say(Reply(content=text(session.locale, "ending.making"), embeds=[message()]))
        await store.set_recap(session.session_id, target.message_id, complete=False)
        folder = folder_of(self._settings.core.data_dir, session.session_id)
        before = await asyncio.to_thread(read_manifest, folder)
        if before is not None and before.ended_at != session.ended_at:
            before = replace(before, step=0)
        for step in range(before.step if before is not None else 0, len(_SHARES)):
            manifest = await self._made(record, recap, step)
            try:
                await target.say(
                    await self._reply(session, manifest, recap, message(picture=manifest.podium))
                )
                break
            except discord.HTTPException as error:
                if classify(error) is not ErrorKind.TOO_LARGE:
                    raise
        else:
            words = text(session.locale, "ending.too_large")
            await target.say(Reply(content=words, embeds=[message()], view=self._links(session, manifest)))
        await store.set_recap(session.session_id, target.message_id, complete=True)

    async def _made(self, record: SessionRecord, recap: Recap, step: int) -> RecapManifest:
        """Page, podium and mixtape, from the disk where they were made already."""
        session = record.session
        folder = folder_of(self._settings.core.data_dir, session.session_id)
        before = await asyncio.to_thread(read_manifest, folder)
        if before is not None and (before.ended_at, before.step) == (session.ended_at or 0.0, step):
            return before
        await asyncio.to_thread(folder.mkdir, parents=True, exist_ok=True)
        await asyncio.to_thread(remove_paths, [str(folder / MANIFEST)])  # from here on it is not whole
        manifest = RecapManifest(
            ended_at=session.ended_at or 0.0,
            step=step,
            secret=before.secret if before is not None else secrets.token_hex(16),
            page=True,
            tape=False,
            podium=False,
        )
        served = self._settings.discord.sessions.public_url
        limit = self._limit(session)
        for_page, for_tape = (int(share * limit) for share in _SHARES[step])
        words = []
        try:
            tape = await make_recap_mixtape(
                record, recap, folder, max_bytes=SERVED_TAPE_BYTES if served else for_tape
            )
            manifest = replace(manifest, tape=tape is not None)
            if tape is not None and tape.takes < tape.of:
                words.append(text(session.locale, "ending.highlights", count=tape.takes, of=tape.of))
        except MixtapeError as error:
            log.warning("no mixtape of session %s: %s", session.session_id, error)
            words.append(text(session.locale, "ending.no_tape"))
        try:
            podium = await make_page(
                self._store.database.path,
                session.session_id,
                folder,
                max_bytes=MAX_PAGE_BYTES if served else min(for_page, MAX_PAGE_BYTES),
                mixtape_url=link_to(served, session.session_id, manifest, MIXTAPE)
                if served and manifest.tape
                else None,
            )
            manifest = replace(manifest, podium=podium)
        except TaskError as error:
            log.warning("no recap page of session %s: %s", session.session_id, error)
            words.append(text(session.locale, "ending.no_page"))
            manifest = replace(manifest, page=False)
        manifest = replace(manifest, words="\n".join(words))
        await asyncio.to_thread(write_durably, folder / MANIFEST, json.dumps(asdict(manifest)).encode())
        return manifest

    def _limit(self, session: Session) -> int:
        """Bytes that an upload may have where the recap goes."""
        guild = self._client.get_guild(session.guild_id)
        ours = int(self._settings.discord.upload_megabytes * 2**20)
        # Discord's own figure can overstate: the operator's is the bound.
        return min(guild.filesize_limit, ours) if guild is not None else ours

    async def _reply(
        self, session: Session, manifest: RecapManifest, recap: Recap, embed: discord.Embed
    ) -> Reply:
        folder, locale = folder_of(self._settings.core.data_dir, session.session_id), session.locale
        name = _file_name(session.title)
        served = self._settings.discord.sessions.public_url
        files = []
        if manifest.podium:
            titles = [formatting.entry_title(placed.result.entry, locale) for placed in recap.podium[:SHOWN]]
            alt = text(locale, "ending.podium", covers=", ".join(titles))
            files.append(ReplyFile(PODIUM, folder / PODIUM, alt[:1024]))
        if manifest.tape and await self._fits(session, folder / MIXTAPE):
            files.append(ReplyFile(f"{name}.mp3", folder / MIXTAPE))
        if manifest.page and not served:
            files.append(ReplyFile(f"{name}.html", folder / PAGE))
        reply = Reply(manifest.words or None, [embed], files, self._links(session, manifest))
        return await reply.loaded()

    async def _fits(self, session: Session, path: Path) -> bool:
        return (await asyncio.to_thread(path.stat)).st_size <= self._limit(session)

    def _links(self, session: Session, manifest: RecapManifest) -> discord.ui.View | None:
        """Buttons to what the operator serves."""
        served = self._settings.discord.sessions.public_url
        if not served or not (manifest.page or manifest.tape):
            return None
        view = discord.ui.View(timeout=None)
        for there, key, name in ((manifest.page, "ending.page", ""), (manifest.tape, "ending.tape", MIXTAPE)):
            if there:
                url = link_to(served, session.session_id, manifest, name)
                view.add_item(discord.ui.Button(label=text(session.locale, key), url=url))
        return view


class _RecapTarget:
    """Where the recap is said: the message it has, one in the session's channel, or the host's messages."""

    def __init__(self, client: discord.Client, session: Session, message_id: int | None) -> None:
        self._client, self._session = client, session
        self.message_id = message_id
        self._channel: discord.abc.Messageable | None = client.get_partial_messageable(
            session.text_channel_id, guild_id=session.guild_id
        )
        self._direct = False

    async def say(self, reply: Reply) -> None:
        """Edit the message, or send it; where there is no way in, tell the host. Raises what may pass."""
        if self._channel is None:
            return
        try:
            await self._edit_or_send(reply)
        except discord.HTTPException as error:
            if classify(error) is not ErrorKind.NO_WAY_IN:
                raise
            await self._turn_to_host(reply)

    async def _edit_or_send(self, reply: Reply) -> None:
        if self._direct:
            words = text(self._session.locale, "ending.elsewhere")
            reply = replace(reply, content=f"{words}\n{reply.content}" if reply.content else words)
        if self.message_id is None:
            self.message_id = await self._found()
        if self.message_id is not None:
            try:
                await self._partial(self.message_id).edit(
                    content=reply.content,
                    embeds=list(reply.embeds),
                    attachments=reply.attachments(),
                    view=reply.view,
                )
                return
            except discord.HTTPException as error:
                if classify(error) is not ErrorKind.MESSAGE_GONE:
                    raise
        assert self._channel is not None
        parts: dict[str, Any] = {"embeds": list(reply.embeds), "files": reply.attachments()}
        if reply.view is not None:
            parts["view"] = reply.view
        self.message_id = (await self._channel.send(reply.content, **parts)).id

    def _partial(self, message_id: int) -> discord.PartialMessage:
        assert isinstance(self._channel, discord.PartialMessageable | discord.DMChannel)
        return self._channel.get_partial_message(message_id)

    async def _found(self) -> int | None:
        """The message whose id was lost because the bot was killed after it was sent."""
        assert self._channel is not None
        ended = datetime.datetime.fromtimestamp((self._session.ended_at or time.time()) - 60, datetime.UTC)
        wanted = footer(self._session.session_id)
        me = self._client.user
        try:
            async for message in self._channel.history(limit=_SEARCHED, after=ended, oldest_first=True):
                if (
                    me is not None
                    and message.author.id == me.id
                    and any(embed.footer.text == wanted for embed in message.embeds)
                ):
                    return message.id
        except discord.Forbidden:
            pass  # sending may still be allowed
        return None

    async def _turn_to_host(self, reply: Reply) -> None:
        """The channel is gone, or closed to us: the session's host gets it, if they take messages."""
        if self._direct or not self._session.host_id:
            self._channel = None
            return
        self._direct, self.message_id = True, None
        try:
            self._channel = await self._client.create_dm(discord.Object(self._session.host_id))
            await self._edit_or_send(reply)
        except discord.HTTPException as error:
            if classify(error) is not ErrorKind.NO_WAY_IN:
                raise
            log.info("nobody could be sent the recap of session %s", self._session.session_id)
            self._channel, self.message_id = None, None


def _file_name(title: str) -> str:
    """A file's name out of a title: letters, digits and dashes of any script, at most 60 characters."""
    words = "".join(letter if letter.isalnum() else " " for letter in formatting.short(title, 60))
    return "-".join(words.split()) or "mixtape"
