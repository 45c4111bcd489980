"""What the session's panel says: worked out as plain values first, so that nothing hidden can slip out.

Until votes are in, a `blind` session shows neither cover, title nor submitter of what plays or comes, and a
`versus` session does not say which of its two takes was made with RAG; names would vote along.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import discord

from albumgen_core.attributes import AUDIO_FEATURES
from albumgen_core.result import COVER
from bot.embeds import DONE, WAITING, WORKING, bar, plain
from bot.i18n import text
from bot.sessions import wording
from bot.sessions.model import HIGHEST_SCORE, Clip, Entry, EntryState, SessionRecord, SessionState
from bot.sessions.votes import Tally, tally

SHOWN_UPCOMING = 5
PICTURE_NAME = "board.png"

_OVER = (EntryState.PLAYED, EntryState.SKIPPED, EntryState.FAILED)
_LETTERS = "AB"


@dataclass(frozen=True, slots=True)
class NowPlaying:
    """What plays.

    Attributes:
        entry_id: the session's number of the cover.
        title, submitter: None while they are hidden.
        take, takes: which of how many, from 0.
        rag: whether kindred albums were consulted; None while that is hidden.
        music, engine: lines about it; "" where the result is gone.
        features: the eight attributes in the order of AUDIO_FEATURES, None where the result is gone.
        cover: the picture, None while it is hidden or where there is none.
        seconds, left: length of the take, and what remains of it.
        ends_at: Unix seconds; None while paused.
        tally: votes for it; voted: how many of the `listeners` gave a score.
        revealed: whether everything is shown.
    """

    entry_id: int
    title: str | None
    submitter: str | None
    take: int
    takes: int
    rag: bool | None
    music: str
    engine: str
    features: tuple[float, ...] | None
    cover: Path | None
    seconds: float
    left: float
    ends_at: float | None
    tally: Tally
    voted: int
    listeners: int
    revealed: bool


@dataclass(frozen=True, slots=True)
class Upcoming:
    """What comes: title and submitter are None while hidden; not `ready` while it is being composed."""

    entry_id: int
    title: str | None
    submitter: str | None
    ready: bool


@dataclass(frozen=True, slots=True)
class Played:
    """What was heard last, with everything revealed."""

    title: str
    submitter: str
    results: tuple[tuple[bool, Tally], ...]


@dataclass(frozen=True, slots=True)
class Board:
    """The panel.

    Attributes:
        title, theme: cleaned words; theme "" for none.
        state: of the session. blind, versus: its rules.
        now: what plays, None between clips.
        upcoming: the next ones, at most SHOWN_UPCOMING, ready ones first; more: how many follow them.
        composing: how many are not ready yet.
        last: what was heard before.
        skips, skips_needed: votes to skip what plays.
        left: seconds of music from now on that are ready.
        locale: of all words.
    """

    title: str
    theme: str
    state: SessionState
    blind: bool
    versus: bool
    now: NowPlaying | None
    upcoming: tuple[Upcoming, ...]
    more: int
    composing: int
    last: Played | None
    skips: int
    skips_needed: int
    left: float
    locale: str

    @property
    def picture_key(self) -> str:
        """Changes when the picture must be drawn anew: not with votes and time, which are in the words."""
        now = self.now
        shown = (now.entry_id, now.take, now.revealed, now.title, now.cover) if now else ()
        return hashlib.sha256(repr((shown, self.title, self.state, self.locale)).encode()).hexdigest()[:16]


def is_revealed(record: SessionRecord, entry: Entry, listeners: Set[int]) -> bool:
    """Whether votes are in: the clip is over, or everybody who listens has scored every take of it.

    The member who brought it knows anyway and is not waited for; without other listeners it stays hidden.
    """
    session = record.session
    if session.state is SessionState.ENDED or entry.state in _OVER:
        return True
    if not session.blind and not entry.versus:
        return True
    judges = listeners - {entry.submitter_id}
    return bool(judges) and all(judges <= _scorers(record, clip) for clip in entry.clips)


def board_of(
    record: SessionRecord,
    documents: Mapping[str, Mapping[str, Any]],
    *,
    now: float,
    position: float,
    listeners: Set[int],
    skips: int = 0,
    skips_needed: int = 1,
) -> Board:
    """Work out the panel.

    Args:
        record: the session; its `current_entry_id` and `current_clip` say what plays.
        documents: result documents by job id (`bot.sessions.documents`).
        now: Unix seconds. position: seconds into the current take.
        listeners: members in the channel who hear (not deafened, no bots).
        skips, skips_needed: votes to skip, and how many it takes.
    """
    session = record.session
    current = next((e for e in record.entries if e.entry_id == session.current_entry_id), None)
    if current is not None and current.state in _OVER:
        current = None
    playing = _now(record, current, documents, now, position, listeners) if current else None
    waiting = [
        entry
        for entry in record.entries
        if entry is not current and entry.state in (EntryState.READY, EntryState.COMPOSING)
    ]
    ready = [entry for entry in waiting if entry.state is EntryState.READY]
    composing = [entry for entry in waiting if entry.state is EntryState.COMPOSING]
    upcoming = [_upcoming(record, entry, listeners) for entry in ready + composing]
    rest = sum(clip.seconds for clip in current.clips[playing.take + 1 :]) if current and playing else 0.0
    return Board(
        title=wording.short(session.title, 120) or text(session.locale, "page.kicker"),
        theme=wording.short(session.theme, 120),
        state=session.state,
        blind=session.blind,
        versus=session.versus,
        now=playing,
        upcoming=tuple(upcoming[:SHOWN_UPCOMING]),
        more=max(0, len(upcoming) - SHOWN_UPCOMING),
        composing=len(composing),
        last=_last(record, current),
        skips=skips,
        skips_needed=skips_needed,
        left=(playing.left if playing else 0.0) + rest + sum(entry.seconds for entry in ready),
        locale=session.locale,
    )


def board_embed(board: Board, *, picture: bool = True) -> discord.Embed:
    """The panel as an embed; with `picture` it shows the attachment PICTURE_NAME."""
    locale = board.locale
    embed = discord.Embed(title=plain(board.title, 200), description=_now_words(board), colour=_colour(board))
    if board.now is not None:
        embed.add_field(name=text(locale, "board.votes"), value=_vote_words(board.now, board), inline=False)
    if board.upcoming:
        embed.add_field(name=text(locale, "board.next"), value=_next_words(board), inline=False)
    if board.last is not None:
        embed.add_field(name=text(locale, "board.last"), value=_last_words(board.last, locale), inline=False)
    embed.set_footer(text=" · ".join(_footer(board))[:2048])
    if picture and board.now is not None:
        embed.set_image(url=f"attachment://{PICTURE_NAME}")
    return embed


def take_words(now: NowPlaying, locale: str) -> str:
    """ "with RAG", or "take A" while that is hidden; "" for a cover's only take that says so elsewhere."""
    if now.rag is None:
        return text(locale, "board.take", letter=_LETTERS[now.take])
    return text(locale, "take.with_rag" if now.rag else "take.without_rag")


def title_words(now: NowPlaying, locale: str) -> str:
    """The cover's title; "Cover 3" while it is hidden."""
    return now.title or text(locale, "board.nameless", number=now.entry_id)


def submitter_words(name: str | None, locale: str) -> str:
    """Who brought it, or that this is hidden."""
    return text(locale, "board.hidden") if name is None else text(locale, "board.by", name=name)


def _now(
    record: SessionRecord,
    entry: Entry,
    documents: Mapping[str, Mapping[str, Any]],
    now: float,
    position: float,
    listeners: Set[int],
) -> NowPlaying:
    session = record.session
    take = min(max(session.current_clip, 0), len(entry.clips) - 1)
    clip = entry.clips[take]
    revealed = is_revealed(record, entry, listeners)
    shown = revealed or not session.blind
    document = documents.get(clip.job_id)
    left = max(0.0, clip.seconds - position)
    return NowPlaying(
        entry_id=entry.entry_id,
        title=wording.entry_title(entry, session.locale) if shown else None,
        submitter=wording.member_name(entry.submitter_name, session.locale) if shown else None,
        take=take,
        takes=len(entry.clips),
        rag=clip.rag if revealed or not entry.versus else None,
        music=wording.music_line(document["attributes"], session.locale) if document else "",
        engine=wording.engine_label(document, session.locale) if document else "",
        features=tuple(float(document["attributes"][name]) for name in AUDIO_FEATURES) if document else None,
        cover=_cover(entry) if shown else None,
        seconds=clip.seconds,
        left=left,
        ends_at=now + left if session.state is SessionState.RUNNING else None,
        tally=tally(record.votes_of(clip.job_id)),
        voted=len(_scorers(record, clip) & listeners),
        listeners=len(listeners),
        revealed=revealed,
    )


def _upcoming(record: SessionRecord, entry: Entry, listeners: Set[int]) -> Upcoming:
    session = record.session
    shown = not session.blind or is_revealed(record, entry, listeners)
    return Upcoming(
        entry.entry_id,
        wording.entry_title(entry, session.locale) if shown else None,
        wording.member_name(entry.submitter_name, session.locale) if shown else None,
        entry.state is EntryState.READY,
    )


def _last(record: SessionRecord, current: Entry | None) -> Played | None:
    heard = [
        entry
        for entry in record.entries
        if entry is not current
        and entry.played_at is not None
        and entry.state in (EntryState.PLAYED, EntryState.SKIPPED)
    ]
    if not heard:
        return None
    entry = max(heard, key=lambda one: (one.played_at or 0.0, one.entry_id))
    locale = record.session.locale
    return Played(
        wording.entry_title(entry, locale),
        wording.member_name(entry.submitter_name, locale),
        tuple((clip.rag, tally(record.votes_of(clip.job_id))) for clip in entry.clips),
    )


def _scorers(record: SessionRecord, clip: Clip) -> set[int]:
    return {vote.user_id for vote in record.votes_of(clip.job_id) if vote.score is not None}


def _cover(entry: Entry) -> Path | None:
    kept = next((clip.result_dir / COVER for clip in entry.clips if clip.result_dir is not None), None)
    return kept or entry.cover_path


def _colour(board: Board) -> discord.Colour:
    if board.state is SessionState.ENDED:
        return DONE
    return WORKING if board.now is not None and board.state is SessionState.RUNNING else WAITING


def _now_words(board: Board) -> str:
    locale, now = board.locale, board.now
    lines = [text(locale, "board.theme", theme=plain(board.theme))] if board.theme else []
    if board.state is SessionState.ENDED:
        return "\n".join([*lines, text(locale, "board.ended")])
    if now is None:
        return "\n".join([*lines, text(locale, "board.waiting" if board.composing else "board.empty")])
    lines.append(f"### {plain(title_words(now, locale))}")
    by = None if now.submitter is None else plain(now.submitter, 60)
    about = [submitter_words(by, locale)]
    if now.takes > 1 or now.rag is None:
        about.append(take_words(now, locale))
    lines.append(" · ".join(about))
    if now.music:
        lines.append(now.music)
    if now.ends_at is None:
        lines.append(text(locale, "board.paused", left=wording.clock(now.left)))
    else:
        lines.append(text(locale, "board.ends", when=f"<t:{round(now.ends_at)}:R>"))
    return "\n".join(lines)


def _vote_words(now: NowPlaying, board: Board) -> str:
    locale = board.locale
    voted = text(locale, "board.voted", voted=now.voted, listeners=now.listeners)
    if not now.revealed:
        # A mean that is seen would pull the next vote along.
        return voted
    mean = now.tally.mean
    parts = [voted]
    if mean is not None:
        share = (mean - 1) / (HIGHEST_SCORE - 1)
        parts.insert(0, f"`{bar(share)}` **{wording.number(mean, locale)}**")
    if now.tally.stars:
        parts.append(wording.counted(locale, "stars", now.tally.stars))
    return " · ".join(parts)


def _next_words(board: Board) -> str:
    locale = board.locale
    lines = []
    for place, entry in enumerate(board.upcoming, 1):
        title = plain(entry.title or text(locale, "board.nameless", number=entry.entry_id), 60)
        who = "" if entry.submitter is None else f" – {plain(entry.submitter, 40)}"
        state = "" if entry.ready else f" · *{text(locale, 'board.composing')}*"
        lines.append(f"{place}. {title}{who}{state}")
    if board.more:
        lines.append(text(locale, "board.more", count=board.more))
    return "\n".join(lines)[:1024]


def _last_words(last: Played, locale: str) -> str:
    given = []
    for rag, count in last.results:
        label = text(locale, "take.with_rag" if rag else "take.without_rag")
        mean = "–" if count.mean is None else wording.number(count.mean, locale)
        votes = wording.counted(locale, "votes", count.voters)
        given.append(f"**{mean}** ({votes})" + (f" {label}" if len(last.results) > 1 else ""))
    who = text(locale, "board.by", name=plain(last.submitter, 40))
    return f"{plain(last.title, 60)}, {who}: {', '.join(given)}"[:1024]


def _footer(board: Board) -> Sequence[str]:
    locale, now = board.locale, board.now
    parts = []
    if now is not None and now.engine:
        parts.append(now.engine)
    if now is not None and board.skips:
        parts.append(text(locale, "board.skips", skips=board.skips, needed=board.skips_needed))
    if board.left:
        parts.append(text(locale, "board.left", left=wording.clock(board.left)))
    if board.blind:
        parts.append(text(locale, "board.blind"))
    if board.versus:
        parts.append(text(locale, "board.versus"))
    return parts
