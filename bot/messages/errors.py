"""Refusals, and one answer to whatever else goes wrong in commands, buttons and modals."""

from __future__ import annotations

import logging
import secrets
from typing import Any

import aiohttp
import discord
from discord import app_commands

from albumgen_core.errors import (
    AlbumGenError,
    AttributeRangeError,
    ClosingError,
    CoverError,
    DiskFullError,
    EngineNotReadyError,
    JournalBusyError,
    QueueFullError,
    UnknownJobError,
)
from bot.i18n.catalogue import SOURCE, catalogue, text
from bot.i18n.core_sentences import coded, retold
from bot.i18n.reply_language import locale_of
from bot.messages.attribute_names import refusal_of

log = logging.getLogger(__name__)


class Refusal(app_commands.AppCommandError):
    """A request that is turned down on purpose, in one kind sentence of the catalogues.

    Args:
        key: the sentence. params: its placeholders; `permission` is a permission's name.
    """

    def __init__(self, key: str, **params: Any) -> None:
        super().__init__(key)
        self.key = key
        self.params = params

    def sentence(self, locale: str) -> str:
        """What the member reads."""
        params = dict(self.params)
        if "permission" in params:
            params["permission"] = permission_name(str(params["permission"]), locale)
        return text(locale, self.key, **params)


def permission_name(name: str, locale: str) -> str:
    """A permission as Discord's clients call it: "embed_links" is "Embed Links", or "Links einbetten"."""
    key = f"permission.{name.lower().replace(' ', '_')}"
    return text(locale, key) if key in catalogue(SOURCE) else name.replace("_", " ").title()


_KNOWN: dict[type[AlbumGenError], str] = {
    ClosingError: "refusal.closing",
    DiskFullError: "refusal.disk_full",
    EngineNotReadyError: "refusal.engine_not_ready",
    JournalBusyError: "refusal.busy",
    UnknownJobError: "refusal.unknown_clip",
}


def sentence_for(error: BaseException, locale: str) -> str | None:
    """The sentence for an error that was raised on purpose; None for a surprise."""
    if isinstance(error, Refusal):
        return error.sentence(locale)
    if isinstance(error, CoverError):
        key = f"cover.{error.code}"
        return text(locale, key, **error.params) if key in catalogue(SOURCE) else str(error)
    if isinstance(error, QueueFullError):
        return text(locale, f"refusal.queue_{error.scope}", limit=error.limit)
    if isinstance(error, AttributeRangeError):
        return refusal_of(error, locale)
    if isinstance(error, AlbumGenError):
        key = _KNOWN.get(type(error), "")
        if key:
            return text(locale, key)
        return coded(error.code, error.params, locale) or retold(str(error), locale)
    if isinstance(error, app_commands.NoPrivateMessage):
        return text(locale, "refusal.server_only")
    if isinstance(error, app_commands.MissingPermissions):
        return text(locale, "refusal.not_allowed")
    return None


async def answer_error(interaction: discord.Interaction[Any], error: BaseException) -> None:
    """Tell whoever is waiting: the reason of a refusal, or an apology with an id that the log has too."""
    while isinstance(error, app_commands.CommandInvokeError):
        error = error.original
    if isinstance(error, discord.NotFound) and error.code == 10062:
        log.warning("Discord no longer knows interaction %s; nobody can be answered", interaction.id)
        return
    locale = await locale_of(interaction)
    sentence = sentence_for(error, locale)
    if sentence is None:
        error_id = secrets.token_hex(4)
        log.error("error %s while handling interaction %s", error_id, interaction.id, exc_info=error)
        sentence = text(locale, "errors.unexpected", id=error_id)
    await tell(interaction, sentence)


async def tell(interaction: discord.Interaction[Any], sentence: str, **more: Any) -> None:
    """Say something that only the member sees, whether or not the interaction was answered already."""
    try:
        if interaction.response.is_done():
            await interaction.followup.send(sentence, ephemeral=True, **more)
        else:
            await interaction.response.send_message(sentence, ephemeral=True, **more)
    except (discord.HTTPException, aiohttp.ClientError) as failure:
        log.warning("interaction %s could not be answered: %s", interaction.id, failure)
