"""Pictures that members upload to a session's chat."""

from __future__ import annotations

import logging
from pathlib import PurePath

import discord

from bot.guilds.policy import ChannelContext, check_place
from bot.guilds.settings import GuildSettingsStore
from bot.messages.errors import Refusal, sentence_for
from bot.requests.intake import Requests
from bot.services import Services
from bot.sessions.lifecycle.manager import SessionManager
from bot.sessions.lifecycle.submissions import Submissions

log = logging.getLogger(__name__)

TAKEN = "🎧"
MOST_AT_ONCE = 4
"""Pictures of one message that are taken."""


async def submit_uploads(services: Services, message: discord.Message) -> None:
    """Add a message's pictures to the session of its channel; a 🎧 says that it worked, a reply why not.

    Without the privileged message content intent Discord shows attachments only of messages that mention the
    bot; then others are empty here, and nothing happens.
    """
    sessions, requests = services[SessionManager], services[Requests]
    session = sessions.of_channel(message.channel.id)
    if session is None or message.author.bot or message.guild is None:
        return
    pictures = [each for each in message.attachments if (each.content_type or "").startswith("image/")]
    if not pictures:
        return
    guild = await services[GuildSettingsStore].of(session.guild_id)
    locale = guild.language or session.locale
    try:
        check_place(ChannelContext.of_channel(message.channel, message.author, None), guild)
        for picture in pictures[:MOST_AT_ONCE]:
            cover = await requests.fetch_cover(picture)
            title = title_of(picture.filename)
            await services[Submissions].submit(
                session.session_id, message.author.id, cover, title, message.author.display_name
            )
    except Exception as error:
        sentence = sentence_for(error, locale)
        if sentence is None:
            log.exception("a picture in a session's chat could not be taken")
            sentence = Refusal("session.picture_failed").sentence(locale)
        await _say(message, sentence)
        return
    try:
        await message.add_reaction(TAKEN)
    except discord.HTTPException as error:
        log.info("a picture's message cannot be marked: %s", error.status)


def title_of(filename: str) -> str:
    """ "Low Tide" for "low_tide.png" would be a guess; what is shown is the name without its ending."""
    return " ".join(PurePath(filename).stem.replace("_", " ").split())[:100]


async def _say(message: discord.Message, sentence: str) -> None:
    try:
        await message.reply(sentence, mention_author=False)
    except discord.HTTPException as error:
        log.info("a refusal could not be said: %s", error.status)
