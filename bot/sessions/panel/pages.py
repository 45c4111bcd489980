"""A server's sessions as pages, and one session as a page."""

from __future__ import annotations

import asyncio
from typing import Any

import discord
from discord import app_commands

from bot.i18n.catalogue import text
from bot.i18n.reply_language import locale_of
from bot.messages.embeds import DONE, plain
from bot.messages.errors import Refusal
from bot.messages.reply import Reply
from bot.services import services_of
from bot.sessions import formatting
from bot.sessions.lifecycle.manager import SessionManager
from bot.sessions.panel.content import panel_content, panel_embed
from bot.sessions.recap.message import recap_embed
from bot.sessions.recap.statistics import summarise
from bot.sessions.results import read_result, read_results
from bot.sessions.state.model import EntryState, Session, SessionState
from bot.ui.paginator import Turn, defer, show

PAGE_ROOM = "sessions"
_A_PAGE = 8
_KNOWN = 200
_MOST_CHOICES = 25


async def turn_page(interaction: discord.Interaction[Any], to: str) -> None:
    """An arrow under a list was pressed."""
    await defer(interaction)
    locale = await locale_of(interaction)
    sessions = services_of(interaction)[SessionManager]
    page = await list_page(sessions, interaction.guild_id or 0, int(to or 0), locale)
    await show(interaction, page, locale)


async def list_page(sessions: SessionManager, guild_id: int, page: int, locale: str) -> Reply:
    """Running and planned sessions first, then the latest; `page` from 0."""
    found = await _sessions(sessions, guild_id)
    if not found:
        return Reply(content=text(locale, "session.list.none"))
    pages = -(-len(found) // _A_PAGE)
    page = min(max(page, 0), pages - 1)
    shown = found[page * _A_PAGE : (page + 1) * _A_PAGE]
    lines = [await _line(sessions, session, locale) for session in shown]
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


async def show_page(sessions: SessionManager, session: Session, locale: str) -> Reply:
    """What plays and comes, or how it ended."""
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
    sessions: SessionManager, guild_id: int, typed: str, command: str, locale: str
) -> list[app_commands.Choice[str]]:
    """Sessions that a command may be about, whose title holds what was typed."""
    found = []
    for session in await _sessions(sessions, guild_id):
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


async def _sessions(sessions: SessionManager, guild_id: int) -> list[Session]:
    order = {SessionState.RUNNING: 0, SessionState.PAUSED: 0, SessionState.PLANNED: 1, SessionState.ENDED: 2}
    found = await sessions.store.of_guild(guild_id, limit=_KNOWN)
    return sorted(found, key=lambda session: (order[session.state], -session.created_at))


async def _line(sessions: SessionManager, session: Session, locale: str) -> str:
    covers = formatting.counted(locale, "covers", len(await sessions.store.entries(session.session_id)))
    state = text(locale, f"session.state.{session.state}")
    when = round(session.started_at or session.created_at)
    return f"**{plain(session.title, 80)}** · {state} · <t:{when}:D> · {covers} · <@{session.host_id}>"
