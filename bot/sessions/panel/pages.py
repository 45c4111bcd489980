"""A server's sessions as pages, and one session as a page."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import discord
from discord import app_commands

from bot.i18n.catalogue import text
from bot.messages.embeds import DONE, plain
from bot.messages.errors import Refusal
from bot.messages.reply import Reply
from bot.sessions import formatting
from bot.sessions.panel.content import panel_content, panel_embed
from bot.sessions.recap.message import recap_embed
from bot.sessions.recap.statistics import summarise
from bot.sessions.results import read_result, read_results
from bot.sessions.state.model import EntryState, Session, SessionState
from bot.ui.paginator import Turn, defer, show

if TYPE_CHECKING:
    from bot.bot import AlbumGenBot

PAGE_ROOM = "sessions"
_A_PAGE = 8
_KNOWN = 200
_MOST_CHOICES = 25


async def turn_page(bot: AlbumGenBot, interaction: discord.Interaction[Any], to: str) -> None:
    """An arrow under a list was pressed."""
    await defer(interaction)
    locale = await bot.locale_of(interaction)
    await show(interaction, await list_page(bot, interaction.guild_id or 0, int(to or 0), locale), locale)


async def list_page(bot: AlbumGenBot, guild_id: int, page: int, locale: str) -> Reply:
    """Running and planned sessions first, then the latest; `page` from 0."""
    sessions = await _sessions(bot, guild_id)
    if not sessions:
        return Reply(content=text(locale, "session.list.none"))
    pages = -(-len(sessions) // _A_PAGE)
    page = min(max(page, 0), pages - 1)
    lines = [await _line(bot, session, locale) for session in sessions[page * _A_PAGE : (page + 1) * _A_PAGE]]
    embed = discord.Embed(
        title=text(locale, "session.list"), description="\n".join(lines)[:4096], colour=DONE
    )
    if pages == 1:
        return Reply(embeds=[embed])
    embed.set_footer(text=text(locale, "session.list.page", page=page + 1, pages=pages))
    view = discord.ui.View(timeout=None)
    view.add_item(Turn(PAGE_ROOM, str(max(page - 1, 0)), emoji="◀️", mark="b", disabled=page == 0))
    view.add_item(Turn(PAGE_ROOM, str(page + 1), emoji="▶️", mark="f", disabled=page == pages - 1))
    return Reply(embeds=[embed], view=view)


async def show_page(bot: AlbumGenBot, session: Session, locale: str) -> Reply:
    """What plays and comes, or how it ended."""
    sessions = bot.sessions
    if session.state is SessionState.ENDED:
        record = await sessions.store.record(session.session_id)
        if not any(entry.state is not EntryState.FAILED for entry in record.entries):
            raise Refusal("session.nothing_heard")
        documents = await asyncio.to_thread(read_results, record)
        return Reply(
            embeds=[recap_embed(record, await asyncio.to_thread(summarise, record), documents, locale)]
        )
    view = await sessions.view_of_stored(session.session_id)
    folder = view.clip.result_dir if view.clip is not None else None
    board = panel_content(view, await asyncio.to_thread(read_result, folder))
    return Reply(embeds=[panel_embed(board, picture=False)])


async def choices(
    bot: AlbumGenBot, guild_id: int, typed: str, command: str, locale: str
) -> list[app_commands.Choice[str]]:
    """Sessions that a command may be about, whose title holds what was typed."""
    found = []
    for session in await _sessions(bot, guild_id):
        ended, reason = session.state is SessionState.ENDED, session.end_reason
        fits = {
            "resume": ended and reason is not None and reason.resumable,
            "submit": not ended,
        }.get(command, True)
        if fits and typed.casefold() in session.title.casefold():
            state = text(locale, f"session.state.{session.state}")
            name = f"{formatting.short(session.title, 70)} · {state}"
            found.append(app_commands.Choice(name=name[:100], value=session.session_id))
    return found[:_MOST_CHOICES]


async def _sessions(bot: AlbumGenBot, guild_id: int) -> list[Session]:
    order = {SessionState.RUNNING: 0, SessionState.PAUSED: 0, SessionState.PLANNED: 1, SessionState.ENDED: 2}
    found = await bot.sessions.store.of_guild(guild_id, limit=_KNOWN)
    return sorted(found, key=lambda session: (order[session.state], -session.created_at))


async def _line(bot: AlbumGenBot, session: Session, locale: str) -> str:
    covers = formatting.counted(locale, "covers", len(await bot.sessions.store.entries(session.session_id)))
    state = text(locale, f"session.state.{session.state}")
    when = round(session.started_at or session.created_at)
    return f"**{plain(session.title, 80)}** · {state} · <t:{when}:D> · {covers} · <@{session.host_id}>"
