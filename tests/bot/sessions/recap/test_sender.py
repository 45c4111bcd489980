"""The end of an evening on the loopback Discord: one message, whole files, through kills and refusals."""

from __future__ import annotations

import asyncio
import contextlib
import io
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from mutagen.id3 import ID3
from PIL import Image
from yarl import URL

from albumgen_core.errors import MixtapeTooLongError
from bot.monitoring.http import HttpServer
from bot.privacy.retention import DAY
from bot.sessions.lifecycle.erasure import SessionErasure
from bot.sessions.recap.files import chosen_takes, make_recap_mixtape
from bot.sessions.recap.message import recap_embed
from bot.sessions.recap.sender import RecapSender, folder_of, read_manifest
from bot.sessions.recap.statistics import summarise
from bot.sessions.state.model import EndReason, EntryState, SessionRecord
from tests.bot.running_bot import RunningBot, running_bot
from tests.bot.sessions.records import ANA, BO, CY, DI, NAMES, SESSION, entry, session, votes
from tests.bot.sessions.result_folders import take
from tests.discord.state import Message
from tests.waiting import eventually, no_longer

EDIT, SEND = "PATCH /channels/*/messages/*", "POST /channels/*/messages"
HOSTILE = "Low *Tide* @everyone <b>\u202e"


@dataclass
class Ended:
    """A bot whose store holds an evening that has just ended."""

    harness: RunningBot
    home: Path

    @property
    def endings(self) -> RecapSender:
        bot = self.harness.bot
        found = RecapSender(bot, bot.settings, bot.sessions.store, bot.guild_settings)
        found.pause = lambda attempt: 0.01
        return found

    @property
    def folder(self) -> Path:
        return folder_of(self.home / "data", SESSION)

    @property
    def messages(self) -> list[Message]:
        return self.harness.loopback.messages(self.harness.channel)

    async def record(self) -> SessionRecord:
        return await self.harness.bot.sessions.store.record(SESSION)

    async def finish(self, reason: EndReason = EndReason.HOST) -> Message:
        """The one message of the recap, as it is afterwards."""
        await self.endings.finish(await self.record(), reason)
        (message,) = self.messages
        return message

    async def owed(self) -> bool:
        return any(one.session_id == SESSION for one in await self.harness.bot.sessions.store.owed_recaps())

    async def store(self, home: Path, **changes: Any) -> None:
        store = self.harness.bot.sessions.store
        await store.create(
            session(
                guild_id=self.harness.guild.id,
                text_channel_id=self.harness.channel.id,
                host_id=self.harness.ann.id,
                versus=True,
                **changes,
            )
        )
        for number, who in ((1, ANA), (2, BO), (3, CY)):
            folders = [take(home / f"{number}{kind}", rag=kind == "r", seconds=2.0) for kind in "rp"]
            title = HOSTILE if number == 2 else f"Cover {number}"
            await store.add_entry(entry(number, who, folders=folders, title=title))
        for vote in votes(
            {
                (1, 0): {ANA: 5, BO: 4, CY: 5},
                (1, 1): {ANA: 4, BO: 4},
                (2, 0): {ANA: 1, CY: 5, DI: 1},
                (2, 1): {ANA: 2},
                (3, 1): {BO: 3},
            },
            stars=[(1, DI)],
        ):
            await store.vote(
                SESSION, vote.entry_id, vote.job_id, vote.user_id, score=vote.score, starred=vote.starred
            )
        for user, name in NAMES.items():
            await store.note_member(SESSION, user, name)


@contextlib.asynccontextmanager
async def ended(
    home: Path, *, settings: dict[str, Any] | None = None, **changes: Any
) -> AsyncIterator[Ended]:
    async with running_bot(home, **settings or {}) as harness:
        made = Ended(harness, home)
        await made.store(home / "takes", **changes)
        yield made


async def get(evening: Ended, path: str, **headers: str) -> tuple[int, bytes, Any]:
    """What the operator's port answers to this very path."""
    http = evening.harness.bot.services[HttpServer]
    url = URL(f"http://127.0.0.1:{http.port}{path}", encoded=True)
    async with aiohttp.ClientSession() as client, client.get(url, headers=headers) as answer:
        return answer.status, await answer.read(), answer.headers


def fields(message: Message) -> dict[str, str]:
    return {field["name"]: field["value"] for field in message.embeds[0]["fields"]}


def chapters(message: Message) -> list[str]:
    """Titles of the mixtape's chapters."""
    tag: Any = ID3(io.BytesIO(message.attachment(".mp3").data))  # type: ignore[no-untyped-call]
    return [str(tag[f"CHAP:{name}"].sub_frames["TIT2"]) for name in tag["CTOC:toc"].child_element_ids]


async def test_the_recap_comes_at_once_its_files_by_one_edit_and_all_of_it_once(tmp_path: Path) -> None:
    async with ended(tmp_path) as evening:
        message = await evening.finish()
        seen = [(len(one.payload["attachments"]), one.payload["content"]) for one in message.revisions]
        assert seen == [(0, "Making the recap page and the mixtape …"), (2, "")], (
            "the picture is in the embed"
        )
        told = fields(message)
        assert list(told) == [
            "Podium",
            "Best take",
            "Most divisive",
            "Similar albums against cover alone",
            "Members",
        ]
        assert "🥇 **Cover 1** – Ana · 4.7" in told["Podium"]
        assert "@everyone" not in told["Podium"]
        assert "scores 1×2 5×1" in told["Most divisive"]
        assert "**Ana**" in told["Members"]
        assert chapters(message) == ["Cover 1 – Ana", "Low *Tide* @everyone <b> – Bo", "Cover 3 – Cy"]
        page = message.attachment(".html")
        assert page.filename == "Friday-covers.html"
        assert b"Cover 1" in page.data
        picture = Image.open(io.BytesIO(message.attachment(".png").data))
        assert picture.size == (1200, 612)
        assert message.embeds[0]["image"]["url"].partition("?")[0].endswith("podium.png")
        assert not await evening.owed()
        note = read_manifest(evening.folder)
        assert note is not None
        path = f"/recaps/{SESSION}-{note.secret}/"
        assert (await get(evening, path))[0] == 404, "nothing is served unless the operator wants it"
        written = (evening.folder / "mixtape.mp3").stat()
        store = evening.harness.bot.sessions.store
        # Killed after the message was sent, before its id was stored.
        await store.set_recap(SESSION, None, complete=False)
        message = await evening.finish()
        assert await store.recap_message(SESSION) == message.id
        assert (evening.folder / "mixtape.mp3").stat() == written, "what is there is not made again"
        assert len(message.attachments) == 3


async def test_lost_answers_and_a_kill_half_way_leave_one_message_and_nothing_broken(tmp_path: Path) -> None:
    async with ended(tmp_path) as evening:
        evening.harness.loopback.faults.reset_after(SEND, count=2)
        finishing = asyncio.create_task(evening.endings.finish(await evening.record(), EndReason.HOST))
        await eventually(lambda: list(evening.folder.glob(".mixtape-*")), 30)
        finishing.cancel()
        await asyncio.gather(finishing, return_exceptions=True)
        assert list(evening.folder.iterdir()) == []
        assert await evening.owed()
        evening.harness.loopback.faults.status(EDIT, 503)
        message = await evening.finish()
        assert len(message.attachments) == 3
        assert not await evening.owed()


@pytest.mark.slow
async def test_what_discord_finds_too_large_comes_smaller_and_at_last_in_words(tmp_path: Path) -> None:
    async with ended(tmp_path) as evening:
        evening.harness.loopback.faults.refuse(EDIT, 413, 40005, "Request entity too large")
        message = await evening.finish()
        note = read_manifest(evening.folder)
        assert note is not None
        assert note.step == 1
        assert len(message.attachments) == 3
        await evening.harness.bot.sessions.store.set_recap(SESSION, message.id, complete=False)
        # The first edit is the one without files.
        evening.harness.loopback.faults.refuse(EDIT, 413, 40005, "Request entity too large", skip=1)
        message = await evening.finish()
        assert message.attachments == []
        assert "too large" in str(message.content)


@pytest.mark.slow
async def test_an_evening_too_long_for_the_limit_is_cut_to_its_best_takes(tmp_path: Path) -> None:
    entries = [entry(number, ANA, folder=take(tmp_path / str(number), seconds=2.0)) for number in (1, 2, 3)]
    entries = [replace(one, clips=(replace(one.clips[0], seconds=2.0),)) for one in entries]
    given = votes({(1, 0): {BO: 2}, (2, 0): {BO: 5}, (3, 0): {BO: 3}})
    record = SessionRecord(session(), entries, given, NAMES)
    made = await make_recap_mixtape(record, summarise(record), tmp_path, max_bytes=25_000)
    assert made is not None
    assert (made.takes, made.of) == (1, 3)
    assert [chapter.title for chapter in made.tape.chapters] == ["Cover 2 – Ana"]
    with pytest.raises(MixtapeTooLongError):
        await make_recap_mixtape(record, summarise(record), tmp_path, max_bytes=9_000)


@pytest.mark.slow
async def test_where_the_channel_is_gone_the_host_is_told(tmp_path: Path) -> None:
    async with ended(tmp_path, locale="de") as evening:
        evening.harness.loopback.delete_channel(evening.harness.channel)
        await evening.endings.finish(await evening.record(), EndReason.CHANNEL_GONE)
        message = await evening.harness.ann.dm.wait_for_message()
        assert "nicht mehr schreiben" in str(message.content)
        assert "Sprachkanal gelöscht" in message.embeds[0]["description"]
        assert "`/session resume session:Friday covers`" in message.embeds[0]["description"]
        assert next(iter(fields(message))) == "Siegertreppchen"
        assert len(message.attachments) == 3
        assert len(evening.harness.ann.dm.visible_messages) == 1
        assert not await evening.owed()


@pytest.mark.slow
async def test_who_is_forgotten_is_not_in_the_recap_that_is_made_anew(tmp_path: Path) -> None:
    async with ended(tmp_path) as evening:
        await evening.finish()
        # The manager hands on only what has a reason.
        await evening.harness.bot.sessions.store.update(SESSION, end_reason=EndReason.HOST)
        await evening.harness.bot.services[SessionErasure].forget(BO)
        assert await evening.owed()
        await no_longer(evening.owed, 60)
        (message,) = evening.messages
        assert "Bo" not in " ".join(fields(message).values()).replace("Both", "")
        assert b"Bo<" not in message.attachment(".html").data
        assert chapters(message) == ["Cover 1 – Ana", "Cover 3 – Cy"]


async def test_an_evening_without_covers_ends_in_one_sentence(tmp_path: Path) -> None:
    async with running_bot(tmp_path) as harness:
        evening = Ended(harness, tmp_path)
        await harness.bot.sessions.store.create(
            session(guild_id=harness.guild.id, text_channel_id=harness.channel.id, host_id=harness.ann.id)
        )
        message = await evening.finish(EndReason.EMPTY)
        assert message.attachments == []
        assert "Nobody brought a cover." in message.embeds[0]["description"]
        assert not evening.folder.exists()
        assert not await evening.owed()


async def test_files_go_when_the_server_no_longer_keeps_clips(tmp_path: Path) -> None:
    async with ended(tmp_path) as evening:
        (evening.folder / "covers").mkdir(parents=True)
        await evening.harness.bot.guild_settings.change(evening.harness.guild.id, retention_days=3)
        over = (await evening.record()).session.ended_at or 0.0
        assert await evening.endings.expire(over + 2.9 * DAY) == 0
        assert await evening.endings.expire(over + 3.1 * DAY) == 1
        assert not evening.folder.exists()
        assert len((await evening.record()).entries) == 3


@pytest.mark.slow
async def test_an_operator_serves_what_is_finished_and_nothing_else(tmp_path: Path) -> None:
    served = {"sessions": {"public_url": "https://example.org/albumgen/"}}
    async with ended(tmp_path, settings=served) as evening:
        message = await evening.finish()
        links = [part["url"] for part in message.parts() if "url" in part]
        assert [len(links), *(link.startswith("https://example.org/albumgen/recaps/") for link in links)] == [
            2,
            True,
            True,
        ]
        assert sorted(file.filename.rpartition(".")[2] for file in message.attachments) == ["mp3", "png"]
        page, tape = ("/recaps/" + link.partition("/recaps/")[2] for link in links)
        status, body, told = await get(evening, page)
        assert (status, body) == (200, (evening.folder / "recap.html").read_bytes())
        assert told["Content-Type"] == "text/html; charset=utf-8"
        assert told["X-Content-Type-Options"] == "nosniff"
        assert links[1].encode() in body, "the page leads to the mixtape"
        status, body, told = await get(evening, tape, Range="bytes=0-2")
        assert (status, body, told["Content-Type"]) == (206, b"ID3", "audio/mpeg")
        name = page.split("/")[2]
        wrong = name[:-1] + ("0" if name[-1] != "0" else "1")
        for path in (
            f"/recaps/{wrong}/",
            f"/recaps/{SESSION}/",
            f"/recaps/{name}/recap.json",
            f"/recaps/{name}/podium.png",
            f"/recaps/{name}/%2e%2e/covers",
            f"/recaps/{name}/..%2f..%2f..%2fconfig.toml",
            f"/recaps/{name}/%2fetc%2fpasswd",
            f"/recaps/..%2f{name}/",
            f"/recaps/{name}%00/",
            "/recaps/../../config.toml",
            "/recaps/",
        ):
            assert (await get(evening, path))[0] == 404, path
        (evening.folder / "recap.json").unlink()
        assert (await get(evening, page))[0] == 404, "it is not whole"


async def test_the_better_take_of_each_cover_is_on_the_tape(tmp_path: Path) -> None:
    async with ended(tmp_path) as evening:
        record = await evening.record()
    by_number = {one.entry_id: one for one in record.entries}
    skipped = replace(by_number[3], state=EntryState.SKIPPED)
    unvoted = entry(4, DI, folders=[tmp_path / "4r", tmp_path / "4p"])
    unheard = entry(5, DI, folder=tmp_path / "5", state=EntryState.READY, played_at=None)
    record = replace(record, entries=(unheard, unvoted, skipped, by_number[2], by_number[1]))
    chosen = [(one.entry_id, clip.rag) for one, clip in chosen_takes(record, summarise(record))]
    assert chosen == [(1, True), (2, False), (4, True)]


@pytest.mark.parametrize("locale", ["en", "de"])
def test_long_names_and_long_lists_stay_within_discords_limits(locale: str) -> None:
    entries = [entry(number, ANA, title="*" * 300, submitter_name="_" * 99) for number in range(1, 200)]
    given = votes({(number, 0): dict.fromkeys(range(60), 5) for number in range(1, 200)})
    names = {user: f"[{user}]({'x' * 90})" for user in range(60)}
    record = SessionRecord(session(title="~" * 400, end_reason=EndReason.EMPTY), entries, given, names)
    embed = recap_embed(record, summarise(record), {}, locale)
    assert len(embed) <= 6000
    assert len(embed.title or "") <= 256
    assert all(0 < len(field.value or "") <= 1024 for field in embed.fields)
