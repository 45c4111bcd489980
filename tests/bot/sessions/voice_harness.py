"""The real bot in a voice channel of the loopback Discord; clips of a second instead of composed ones."""

from __future__ import annotations

import asyncio
import contextlib
import io
import itertools
import shutil
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from albumgen_core.audio.encode import encode_clip
from albumgen_core.audio.tags import ClipTags
from albumgen_core.audio.types import Audio
from albumgen_core.files import write_durably
from albumgen_core.jobs.spec import JobCancelCheck, JobOutcome, JobSpec
from bot.bot import AlbumGenBot
from bot.sessions.lifecycle.manager import SessionManager
from bot.sessions.lifecycle.submissions import Submissions
from bot.sessions.playback.view import PlaybackStatus, SessionView
from bot.sessions.state.model import EndReason, Entry, EntryState, Session, SessionPlan, SessionRecord
from bot.setup.invite import permissions
from tests.bot.fake_runner import FakeRunner
from tests.bot.running_bot import bot_settings, new_bot, started
from tests.discord.driver import LoopbackDiscord, Person
from tests.discord.permissions import P
from tests.discord.state import Channel, Guild
from tests.waiting import eventually

RUNNER = "tests.bot.sessions.voice_harness:voice_runner"


@lru_cache(maxsize=4)
def ogg(seconds: float) -> bytes:
    """A tone as packets of 20 ms."""
    time = np.arange(round(seconds * 48_000)) / 48_000
    samples = np.tile(0.3 * np.sin(2 * np.pi * 330 * time), (2, 1)).astype(np.float32)
    tags = ClipTags("t", "sketch", "jazz", 118, "C#", "minor", None, "p", 1)
    return encode_clip(Audio(samples, 48_000), tags).ogg


class VoiceRunner(FakeRunner):
    """Makes clips of the file `clip.ogg` beside the config; with a file `fail-<member>`, none of theirs."""

    def _outcome(self, job: JobSpec, is_cancelled: JobCancelCheck) -> JobOutcome:
        if (self.home / f"fail-{job.member}").exists():
            return JobOutcome(job.job_id, "failed", error="This cover defeats the engine.")
        if (self.home / f"fail-rag-{job.rag}").exists():
            return JobOutcome(job.job_id, "failed", error="This take defeats the engine.")
        outcome = super()._outcome(job, is_cancelled)
        if outcome.result_dir is not None:
            write_durably(Path(outcome.result_dir) / "clip.ogg", (self.home / "clip.ogg").read_bytes())
        return outcome


def voice_runner(config: Path | None) -> VoiceRunner:
    assert config is not None
    return VoiceRunner(config.parent)


_colours = itertools.count(1)


def cover() -> bytes:
    number = next(_colours)
    target = io.BytesIO()
    colour = (37 * number % 256, 91 * number % 256, 200)
    Image.new("RGB", (64, 64), colour).save(target, "PNG")
    return target.getvalue()


@dataclass
class VoiceHarness:
    """A server with three people in a voice channel, and the bot."""

    loopback: LoopbackDiscord
    bot: AlbumGenBot
    home: Path
    guild: Guild
    room: Channel
    people: Sequence[Person]
    recaps: bool = False
    ends: list[EndReason] = field(default_factory=list)

    @property
    def sessions(self) -> SessionManager:
        return self.bot.sessions

    @property
    def submissions(self) -> Submissions:
        return self.bot.services[Submissions]

    def listen(self) -> None:
        """Note ends, and be quick to give a voice channel up."""
        self.sessions.connection_options = {"tries": 2, "timeout": 3.0, "pause": 0.05}
        if not self.recaps:
            self.sessions.notifications.on_end.clear()

        async def ended(record: SessionRecord, reason: EndReason) -> None:
            self.ends.append(reason)

        self.sessions.notifications.on_end.append(ended)

    @contextlib.asynccontextmanager
    async def after_a_kill(self, home: Path, **sessions: Any) -> AsyncIterator[VoiceHarness]:
        """The same server with another bot, on what the disk holds at this moment."""
        await asyncio.to_thread(shutil.copytree, self.home, home, dirs_exist_ok=True)
        await self.bot.close()
        async with voice_bot(self.loopback, home, **sessions) as bot:
            made = VoiceHarness(self.loopback, bot, home, self.guild, self.room, self.people, self.recaps)
            made.listen()
            yield made

    async def start(self, **changes: Any) -> Session:
        values: dict[str, Any] = {
            "guild_id": self.guild.id,
            "voice_channel_id": self.room.id,
            "text_channel_id": self.guild.channel("general").id,
            "host_id": self.people[0].id,
            "title": "Friday",
        }
        return await self.sessions.start(SessionPlan(**(values | changes)))

    async def plan(self, **changes: Any) -> Session:
        general = self.guild.channel("general").id
        return await self.sessions.plan(
            SessionPlan(
                guild_id=self.guild.id,
                voice_channel_id=self.room.id,
                text_channel_id=general,
                host_id=self.people[0].id,
                title="Later",
                **changes,
            )
        )

    async def bring(self, session: Session, *people: Person) -> list[Entry]:
        """A cover of each of them, in this order."""
        brought = []
        for person in people:
            brought.append(
                await self.submissions.submit(
                    session.session_id, person.id, cover(), "A cover", person.user.name
                )
            )
        return brought

    def view(self, session: Session) -> SessionView:
        view = self.sessions.view(session.session_id)
        assert view is not None
        return view

    async def until(self, holds: Callable[[], object], within: float = 15.0) -> None:
        await eventually(holds, within, told=self.sessions.running)

    async def until_view(
        self, session: Session, holds: Callable[[SessionView], object], within: float = 15.0
    ) -> SessionView:
        def look() -> bool:
            view = self.sessions.view(session.session_id)
            return view is not None and bool(holds(view))

        await self.until(look, within)
        return self.view(session)

    async def until_played(self, session: Session, count: int) -> SessionView:
        def heard(view: SessionView) -> bool:
            done = (EntryState.PLAYED, EntryState.SKIPPED)
            return sum(entry.state in done for entry in view.entries) >= count

        return await self.until_view(session, heard)

    async def playing(self, session: Session, entry: Entry | None = None) -> SessionView:
        """Waits until an entry plays (this one, where given)."""
        return await self.until_view(
            session,
            lambda view: (
                view.status is PlaybackStatus.PLAYING
                and view.current is not None
                and (entry is None or view.current.entry_id == entry.entry_id)
            ),
        )

    async def record(self, session: Session) -> SessionRecord:
        return await self.sessions.store.record(session.session_id)

    async def until_running(self) -> None:
        """Waits until a job runs."""

        async def a_job_runs() -> object:
            return (await self.bot.inference.status()).running

        await eventually(a_job_runs, 15)

    def hold(self) -> None:
        """Jobs begin and do not end until `release`."""
        (self.home / "hold").touch()

    def release(self) -> None:
        (self.home / "hold").unlink(missing_ok=True)


@contextlib.asynccontextmanager
async def voice_harness(
    home: Path, *, clip_seconds: float = 0.6, recaps: bool = False, **sessions: Any
) -> AsyncIterator[VoiceHarness]:
    """Without `recaps`, ends are noted and nothing is made of them. `sessions` are settings of
    `[discord.sessions]`."""
    (home / "clip.ogg").write_bytes(ogg(clip_seconds))
    # What the invite link asks for must be enough.
    async with LoopbackDiscord(bot_permissions=P(permissions().value)) as loopback:
        people = [loopback.user(name) for name in ("Ana", "Bo", "Cy")]
        guild = loopback.guild("House", people[0], people[1:])
        room = loopback.voice_channel(guild, "Hall")
        for person in people:
            await person.join(room)
        async with voice_bot(loopback, home, **sessions) as bot:
            made = VoiceHarness(loopback, bot, home, guild, room, people, recaps)
            made.listen()
            try:
                yield made
            finally:
                made.release()
        assert loopback.violations == []


@contextlib.asynccontextmanager
async def voice_bot(loopback: LoopbackDiscord, home: Path, **sessions: Any) -> AsyncIterator[AlbumGenBot]:
    settings = bot_settings(home, core={"inference": {"grace_seconds": 0.2}}, sessions=sessions)
    async with started(loopback, new_bot(loopback, settings, RUNNER)) as bot:
        yield bot
