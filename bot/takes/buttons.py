"""The buttons under a take."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import discord

from albumgen_core.errors import AttributeRangeError
from albumgen_core.inference.client import InferenceClient
from albumgen_core.inference.records import JobRecord
from albumgen_core.result import read_document
from bot.delivery.controls import DeleteButton
from bot.i18n.catalogue import text
from bot.i18n.reply_language import locale_of
from bot.messages.errors import Refusal, sentence_for, tell
from bot.requests.context import RequestContext
from bot.requests.intake import Requests
from bot.services import services_of
from bot.sessions.lifecycle.channels import check_session_place
from bot.sessions.lifecycle.manager import SessionManager
from bot.sessions.lifecycle.submissions import Submissions
from bot.takes.edit_modal import EditDrafts, EditModal, Typed, read_edit
from bot.takes.regenerate import edited_by_hand, finished, regenerate
from bot.ui.buttons import JobButton

AGAIN_EMOJI = "🔁"
LONGER_BY = 10.0
"""Seconds that ➕ adds."""

_SHOWN_PROMPT = 1800


def take_view(job_id: str, locale: str, *, sessions: bool) -> discord.ui.View:
    """The buttons under a take. `sessions`: whether there can be a listening session where it is shown."""
    view = discord.ui.View(timeout=None)
    for button in (Again, Flip, Edit, Longer, Prompt):
        view.add_item(button(job_id, locale))
    if sessions:
        view.add_item(Listen(job_id, locale, row=1))
    view.add_item(DeleteButton(job_id, locale, row=1))
    return view


async def _from_button(interaction: discord.Interaction[Any], record: JobRecord) -> RequestContext:
    """Who pressed; a private take's next one is private too."""
    private = bool(record.spec.origin.get("ephemeral")) or bool(
        interaction.message and interaction.message.flags.ephemeral
    )
    requests = services_of(interaction)[Requests]
    context = await requests.context(interaction, private=private)
    await requests.check(context)
    return context


class Again(JobButton, action="again"):
    """🔁: a new seed."""

    emoji, label_key = AGAIN_EMOJI, "button.again"

    async def act(self, interaction: discord.Interaction[Any]) -> None:
        """Submit."""
        services = services_of(interaction)
        record, folder = await finished(services[InferenceClient], self.job_id)
        await regenerate(services[Requests], await _from_button(interaction, record), record, folder)


class Flip(JobButton, action="rag"):
    """🔀: the same seed, with kindred albums where it was without, and the other way round."""

    emoji, label_key = "🔀", "button.flip"

    async def act(self, interaction: discord.Interaction[Any]) -> None:
        """Submit."""
        services = services_of(interaction)
        record, folder = await finished(services[InferenceClient], self.job_id)
        context = await _from_button(interaction, record)
        # What RAG may change must not be pinned to what was predicted without it, or with it.
        await regenerate(
            services[Requests],
            context,
            record,
            folder,
            rag=not record.spec.rag,
            seed=record.spec.seed,
            overrides=dict(edited_by_hand(record)),
        )


class Edit(JobButton, action="edit"):
    """✏️: a modal with the attributes."""

    emoji, label_key = "✏️", "button.edit"

    async def act(self, interaction: discord.Interaction[Any]) -> None:
        """Open the modal."""
        services = services_of(interaction)
        record, folder = await finished(services[InferenceClient], self.job_id)
        document = await asyncio.to_thread(read_document, folder)
        context = await services[Requests].context(interaction)
        modal = EditModal(
            document, record.job_id, record.spec.seconds, context.locale, edited, longest=context.longest
        )
        await interaction.response.send_modal(modal)


class EditAgain(JobButton, action="edit-again"):
    """✏️ under a refused edit: the same modal, filled with what its member had typed."""

    emoji, label_key = "✏️", "button.edit_again"

    async def act(self, interaction: discord.Interaction[Any]) -> None:
        """Open the modal."""
        services = services_of(interaction)
        record, folder = await finished(services[InferenceClient], self.job_id)
        document = await asyncio.to_thread(read_document, folder)
        context = await services[Requests].context(interaction)
        modal = EditModal(
            document,
            record.job_id,
            record.spec.seconds,
            context.locale,
            edited,
            longest=context.longest,
            typed=services[EditDrafts].of(interaction.user.id, record.job_id),
        )
        await interaction.response.send_modal(modal)


def pinned(shown: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """All attributes of the next take: those that were shown, but for what was changed."""
    # The word that a genre was read from goes with the genre.
    kept = {
        name: value for name, value in shown.items() if name != "raw_genre" or "album_genre" not in changes
    }
    return {**kept, **changes}


async def edited(interaction: discord.Interaction[Any], job_id: str, typed: Typed) -> None:
    """A modal was sent: submit a take with what was changed; where it is refused, offer it again filled in.

    All that was shown is pinned, so that nothing changes but what was typed. Raises UnknownJobError, and
    Refusal where the take is gone.
    """
    services = services_of(interaction)
    record, folder = await finished(services[InferenceClient], job_id)
    document = await asyncio.to_thread(read_document, folder)
    try:
        context = await _from_button(interaction, record)
        changes, seconds = read_edit(document, typed, context.locale, context.longest)
        await regenerate(
            services[Requests],
            context,
            record,
            folder,
            edited={**edited_by_hand(record), **changes},
            overrides=pinned(document["attributes"], changes),
            seconds=seconds,
            seed=record.spec.seed,
            continue_from=None if changes else record.spec.continue_from,
        )
    except (Refusal, AttributeRangeError) as error:
        if interaction.response.is_done():
            raise
        services[EditDrafts].keep(interaction.user.id, job_id, typed)
        locale = await locale_of(interaction)
        view = discord.ui.View(timeout=None)
        view.add_item(EditAgain(job_id, locale))
        await tell(interaction, sentence_for(error, locale) or str(error), view=view)


class Longer(JobButton, action="longer"):
    """➕: plays on."""

    emoji, label_key = "➕", "button.longer"

    async def act(self, interaction: discord.Interaction[Any]) -> None:
        """Submit a clip that begins with this one, with the same attributes."""
        services = services_of(interaction)
        record, folder = await finished(services[InferenceClient], self.job_id)
        document = await asyncio.to_thread(read_document, folder)
        context = await _from_button(interaction, record)
        seconds = min(context.longest, float(document["seconds"]) + LONGER_BY)
        if seconds < float(document["seconds"]) + 1.0:
            raise Refusal("refusal.longest_already", limit=f"{context.longest:g}")
        await regenerate(
            services[Requests],
            context,
            record,
            folder,
            seconds=seconds,
            seed=record.spec.seed,
            overrides=document["attributes"],
            continue_from=str(folder),
        )


class Listen(JobButton, action="session"):
    """🎧: into the playlist of the server's listening session."""

    emoji, label_key = "🎧", "button.session"

    async def act(self, interaction: discord.Interaction[Any]) -> None:
        """Add the take as it is."""
        services = services_of(interaction)
        sessions = services[SessionManager]
        await check_session_place(interaction)
        session = sessions.of_guild(interaction.guild_id or 0)
        if session is None:
            raise Refusal("session.none_running")
        record, _ = await finished(services[InferenceClient], self.job_id)
        user = interaction.user
        entry = await services[Submissions].add_result(session.session_id, record, user.id, user.display_name)
        words = text(
            await locale_of(interaction),
            "session.added",
            title=discord.utils.escape_markdown(session.title),
            number=entry.entry_id,
        )
        await interaction.response.send_message(words, ephemeral=True)


class Prompt(JobButton, action="prompt"):
    """📋: the words that were composed from."""

    emoji, label_key = "📋", "button.prompt"

    async def act(self, interaction: discord.Interaction[Any]) -> None:
        """Show them to the one who asks."""
        _, folder = await finished(services_of(interaction)[InferenceClient], self.job_id)
        document = await asyncio.to_thread(read_document, folder)
        words = str(document["prompt"]).replace("```", "'''")[:_SHOWN_PROMPT]
        await interaction.response.send_message(f"```\n{words}\n```", ephemeral=True)


TAKE_BUTTONS = (Again, Flip, Edit, EditAgain, Longer, Listen, Prompt)
"""All that have to be registered, besides those of `bot.delivery.controls`."""
