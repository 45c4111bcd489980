"""What the session's panel says, as plain values, and as an embed. See `redaction` for what is withheld."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import discord

from albumgen_core.attributes.fields import AUDIO_FEATURES
from bot.i18n.catalogue import language_of, text
from bot.messages.embeds import DONE, WAITING, WORKING, bar, plain
from bot.sessions import formatting
from bot.sessions.panel.picture import PanelPicture
from bot.sessions.panel.redaction import RedactedEntry, redacted
from bot.sessions.playback.view import PlaybackStatus, SessionView
from bot.sessions.state.model import HIGHEST_SCORE, Entry, EntryState, SessionState
from bot.sessions.state.votes import VoteCount, count_votes

SHOWN_UPCOMING = 5
PICTURE_NAME = "board.png"
_FIELD = 1024


@dataclass(frozen=True, slots=True)
class NowPlaying:
    """What plays.

    Attributes:
        entry: its cover, without what is hidden.
        take, takes: which of how many, from 0.
        music, engine: lines about it; "" where the result is gone.
        features: the eight attributes in the order of AUDIO_FEATURES, None where the result is gone.
        left: seconds that remain of the take.
        ends_at: Unix seconds; None while it is held.
        tally: votes for it. voted: how many of those who hear gave a score.
    """

    entry: RedactedEntry
    take: int
    takes: int
    music: str
    engine: str
    features: tuple[float, ...] | None
    left: float
    ends_at: float | None
    tally: VoteCount
    voted: int


@dataclass(frozen=True, slots=True)
class Upcoming:
    """What comes; not `ready` while it is being composed."""

    entry: RedactedEntry
    ready: bool


@dataclass(frozen=True, slots=True)
class LastPlayed:
    """What was heard last, and the votes for each take."""

    entry: RedactedEntry
    votes: tuple[VoteCount, ...]


@dataclass(frozen=True, slots=True)
class PanelContent:
    """The panel.

    Attributes:
        title, theme: cleaned words; theme "" for none.
        view: what it was made from; of it only status, session rules, skips, listeners and times are read.
        now: what plays, None between clips.
        upcoming: the next ones, at most SHOWN_UPCOMING; more: how many follow them.
        last: what was heard before.
        ready_seconds: music from now on that is ready.
        unheard: whether the bot waits in a stage's audience until somebody lets it speak.
    """

    title: str
    theme: str
    view: SessionView
    now: NowPlaying | None
    upcoming: tuple[Upcoming, ...]
    more: int
    last: LastPlayed | None
    ready_seconds: float
    unheard: bool = False

    @property
    def locale(self) -> str:
        """Language of all words."""
        return self.view.session.locale


def panel_content(
    view: SessionView,
    document: Mapping[str, Any] | None,
    *,
    now: float | None = None,
    unheard: bool = False,
) -> PanelContent:
    """Work out the panel.

    Args:
        view: the session now. document: the result.json of what plays. now: Unix seconds (default: now).
        unheard: see PanelContent.
    """
    session = view.session
    playing = _now(view, view.current, document, time.time() if now is None else now)
    # Once it has ended, nothing comes any more; one that is planned shows what waits.
    over = session.state is SessionState.ENDED
    upcoming = (
        []
        if over
        else [Upcoming(redacted(view, entry), entry.state is EntryState.READY) for entry in view.up_next]
    )
    rest = view.current.clips[view.current_clip + 1 :] if view.current is not None else ()
    ready = [entry for entry in view.up_next if entry.state is EntryState.READY]
    return PanelContent(
        title=formatting.short(session.title, 120) or text(session.locale, "page.kicker"),
        theme=formatting.short(session.theme, 120),
        view=view,
        now=playing,
        upcoming=tuple(upcoming[:SHOWN_UPCOMING]),
        more=max(0, len(upcoming) - SHOWN_UPCOMING),
        last=_last(view),
        ready_seconds=(playing.left if playing else 0.0)
        + sum(clip.seconds for clip in rest)
        + sum(entry.seconds for entry in ready),
        unheard=unheard,
    )


def panel_embed(board: PanelContent, *, picture: bool = True) -> discord.Embed:
    """The panel as an embed; with `picture` it shows the attachment PICTURE_NAME."""
    locale = board.locale
    embed = discord.Embed(title=plain(board.title, 200), description=_now_words(board), colour=_colour(board))
    if board.now is not None:
        embed.add_field(name=text(locale, "board.votes"), value=_vote_words(board.now, board), inline=False)
    if board.upcoming:
        embed.add_field(name=text(locale, "board.next"), value=_next_words(board), inline=False)
    if board.last is not None:
        embed.add_field(name=text(locale, "board.last"), value=_last_words(board.last, locale), inline=False)
    if board.view.trouble:
        embed.add_field(name="\u200b", value=f"⚠ {plain(board.view.trouble, 400)}", inline=False)
    if footer := " · ".join(_footer(board)):
        embed.set_footer(text=footer[:2048])
    if picture and board.now is not None:
        embed.set_image(url=f"attachment://{PICTURE_NAME}")
    return embed


def picture_of(board: PanelContent) -> PanelPicture | None:
    """What the panel's picture holds; None between clips. Votes and times are in the words alone."""
    now = board.now
    if now is None:
        return None
    locale = board.locale
    return PanelPicture(
        kicker=text(locale, "board.now"),
        title=now.entry.title_words(locale),
        submitter=submitter_words(now.entry.submitter, locale),
        take=now.entry.take_words(now.take, locale),
        compared=now.takes > 1,
        music=now.music,
        engine=now.engine,
        features=now.features,
        cover=str(now.entry.cover) if now.entry.cover is not None else None,
        hidden=now.entry.hidden,
        language=language_of(locale),
    )


def status_line(board: PanelContent) -> str | None:
    """The voice channel's status: what plays, with nothing that is hidden; None for nothing."""
    if board.view.status is PlaybackStatus.OVER:
        return None
    if board.now is None:
        return f"🎧 {board.title}"[:500]
    words = board.now.entry.title_words(board.locale)
    if board.now.entry.submitter is not None:
        words += f" – {board.now.entry.submitter}"
    return f"🎧 {words}"[:500]


def submitter_words(name: str | None, locale: str) -> str:
    """Who brought it, or that this is hidden."""
    return text(locale, "board.hidden") if name is None else text(locale, "board.by", name=name)


def _now(
    view: SessionView, entry: Entry | None, document: Mapping[str, Any] | None, now: float
) -> NowPlaying | None:
    if entry is None:
        return None
    locale, clip = view.session.locale, entry.clips[view.current_clip]
    left = max(0.0, clip.seconds - view.position)
    given = view.votes_of(clip.job_id)
    return NowPlaying(
        entry=redacted(view, entry),
        take=view.current_clip,
        takes=len(entry.clips),
        music=formatting.music_line(document["attributes"], locale) if document else "",
        engine=formatting.engine_label(document, locale) if document else "",
        features=tuple(float(document["attributes"][name]) for name in AUDIO_FEATURES) if document else None,
        left=left,
        ends_at=None if view.paused or view.status is PlaybackStatus.RECONNECTING else now + left,
        tally=count_votes(given),
        voted=sum(vote.score is not None and vote.user_id in view.hearing for vote in given),
    )


def _last(view: SessionView) -> LastPlayed | None:
    heard = [
        entry
        for entry in view.entries
        if entry != view.current
        and entry.played_at is not None
        and entry.state in (EntryState.PLAYED, EntryState.SKIPPED)
    ]
    if not heard:
        return None
    entry = max(heard, key=lambda one: (one.played_at or 0.0, one.entry_id))
    votes = tuple(count_votes(view.votes_of(clip.job_id)) for clip in entry.clips)
    return LastPlayed(redacted(view, entry), votes)


def _colour(board: PanelContent) -> discord.Colour:
    if board.view.status is PlaybackStatus.OVER:
        return DONE
    return WORKING if board.view.status in (PlaybackStatus.PLAYING, PlaybackStatus.ENCORE) else WAITING


def _now_words(board: PanelContent) -> str:
    locale, now, view = board.locale, board.now, board.view
    lines = [text(locale, "board.theme", theme=plain(board.theme))] if board.theme else []
    if view.status is PlaybackStatus.OVER:
        over = view.session.state is SessionState.ENDED
        return "\n".join([*lines, text(locale, "board.ended" if over else "board.planned")])
    lines.append(text(locale, "board.room", channel=f"<#{view.session.voice_channel_id}>"))
    if now is None:
        lines.append(text(locale, f"board.standing.{view.status}"))
    else:
        lines.append(f"### {plain(now.entry.title_words(locale))}")
        by = None if now.entry.submitter is None else plain(now.entry.submitter, 60)
        lines.append(f"{submitter_words(by, locale)} · {now.entry.take_words(now.take, locale)}")
        if now.music:
            lines.append(now.music)
        if now.ends_at is not None:
            lines.append(text(locale, "board.ends", when=f"<t:{round(now.ends_at)}:R>"))
        else:
            lines.append(text(locale, "board.paused", left=formatting.clock(now.left)))
        if view.status is not PlaybackStatus.PLAYING:
            lines.append(text(locale, f"board.standing.{view.status}"))
    if board.unheard:
        lines.append(text(locale, "board.unheard"))
    if view.ends_at is not None:
        lines.append(text(locale, "board.closing", when=f"<t:{round(view.ends_at)}:R>"))
    return "\n".join(lines)


def _vote_words(now: NowPlaying, board: PanelContent) -> str:
    locale = board.locale
    parts = [text(locale, "board.voted", voted=now.voted, listeners=len(board.view.hearing))]
    if not now.entry.counted:
        return parts[0]
    mean = now.tally.mean
    if mean is not None:
        share = (mean - 1) / (HIGHEST_SCORE - 1)
        parts.insert(0, f"`{bar(share)}` **{formatting.number(mean, locale)}**")
    if now.tally.stars:
        parts.append(formatting.counted(locale, "stars", now.tally.stars))
    return " · ".join(parts)


def _next_words(board: PanelContent) -> str:
    locale = board.locale
    lines = []
    for place, entry in enumerate(board.upcoming, 1):
        title = plain(entry.entry.title_words(locale), 60)
        who = "" if entry.entry.submitter is None else f" – {plain(entry.entry.submitter, 40)}"
        state = "" if entry.ready else f" · *{text(locale, 'board.composing')}*"
        lines.append(f"{place}. {title}{who}{state}")
    more = board.more
    while True:
        told = [*lines, text(locale, "board.more", count=more)] if more else lines
        words = "\n".join(told)
        if len(words) <= _FIELD or len(lines) <= 1:
            return words[:_FIELD]
        lines.pop()  # a field holds no more: it is counted instead
        more += 1


def _last_words(last: LastPlayed, locale: str) -> str:
    entry, given = last.entry, []
    for take, count in enumerate(last.votes):
        mean = "–" if count.mean is None or not entry.counted else formatting.number(count.mean, locale)
        words = f"**{mean}** ({formatting.counted(locale, 'votes', count.voters)})"
        if len(last.votes) > 1:
            words += f" {entry.take_words(take, locale)}"
        given.append(words)
    who = submitter_words(None if entry.submitter is None else plain(entry.submitter, 40), locale)
    return f"{plain(entry.title_words(locale), 60)}, {who}: {', '.join(given)}"[:1024]


def _footer(board: PanelContent) -> Sequence[str]:
    locale, now, view = board.locale, board.now, board.view
    parts = []
    if now is not None and now.engine:
        parts.append(now.engine)
    if now is not None and view.skip_votes:
        parts.append(text(locale, "board.skips", skips=view.skip_votes, needed=view.skips_needed))
    if board.ready_seconds and view.status is not PlaybackStatus.OVER:
        parts.append(text(locale, "board.left", left=formatting.clock(board.ready_seconds)))
    if view.session.volume < 1:
        parts.append(text(locale, "board.volume", percent=f"{view.session.volume:.0%}"[:-1]))
    if view.session.blind:
        parts.append(text(locale, "board.blind"))
    if view.session.versus:
        parts.append(text(locale, "board.versus"))
    return parts
