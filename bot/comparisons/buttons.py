"""The buttons under a comparison: votes, which take is which, and another pair."""

from __future__ import annotations

from typing import Any

import discord

from albumgen_core.inference.client import InferenceClient
from bot.comparisons.regenerate import regenerate_pair
from bot.comparisons.reply import CHART, NAMES, read_pair, votes_line
from bot.comparisons.votes import Choice, Comparisons, rag_comes_first
from bot.delivery.controls import DeleteButton, jobs_of
from bot.i18n.catalogue import text
from bot.i18n.reply_language import locale_of
from bot.messages.embeds import kindred_lines
from bot.requests.intake import Requests
from bot.services import services_of
from bot.ui.buttons import JobButton

_RECOUNTS = 5
"""How often a message is changed once more because others voted while it was being changed."""


def comparison_view(bundle_id: str, locale: str) -> discord.ui.View:
    """The buttons under a comparison."""
    view = discord.ui.View(timeout=None)
    for button in (VoteA, VoteB, VoteSame, Which):
        view.add_item(button(bundle_id, locale))
    view.add_item(AgainBoth(bundle_id, locale, row=1))
    view.add_item(DeleteButton(bundle_id, locale, row=1))
    return view


class _Vote(JobButton, action="vote"):
    """A vote: stored at once, counted on the message, confirmed to who gave it."""

    place: int | None = None
    """0 for take A, 1 for take B, None for no difference."""

    def choice(self) -> Choice:
        """What this button stands for in its comparison."""
        if self.place is None:
            return Choice.SAME
        return Choice.RAG if (self.place == 0) == rag_comes_first(self.job_id) else Choice.WITHOUT

    async def act(self, interaction: discord.Interaction[Any]) -> None:
        """Store it, then tell."""
        services = services_of(interaction)
        jobs = await jobs_of(services[InferenceClient], self.job_id)
        votes = services[Comparisons]
        await votes.vote(self.job_id, interaction.user.id, interaction.guild_id, self.choice())
        locale = await locale_of(interaction)
        await _count_again(interaction, votes, self.job_id, str(jobs[0].spec.origin.get("locale", "en")))
        if self.place is None:
            words = text(locale, "compare.voted.same")
        else:
            words = text(locale, "compare.voted", name=NAMES[self.place])
        await interaction.followup.send(words, ephemeral=True)


class VoteA(_Vote, action="vote-a"):
    """Take A is better."""

    label_key, place = "button.take_a", 0


class VoteB(_Vote, action="vote-b"):
    """Take B is better."""

    label_key, place = "button.take_b", 1


class VoteSame(_Vote, action="vote-same"):
    """Neither is."""

    label_key, place = "button.no_difference", None


class Which(JobButton, action="which"):
    """Tells which take is which, to who asks, and closes their vote."""

    emoji, label_key = "👁️", "button.which"

    async def act(self, interaction: discord.Interaction[Any]) -> None:
        """Close, then tell."""
        services = services_of(interaction)
        pair = await read_pair(await jobs_of(services[InferenceClient], self.job_id))
        votes = services[Comparisons]
        choice = await votes.tell(self.job_id, interaction.user.id, interaction.guild_id)
        locale = await locale_of(interaction)
        names = NAMES if rag_comes_first(self.job_id) else NAMES[::-1]
        so_far = await votes.of_bundle(self.job_id)
        embed = discord.Embed(
            description="\n".join(
                [
                    text(locale, "compare.told", rag=names[0], without=names[1]),
                    text(locale, "compare.told.your_vote" if choice else "compare.told.no_vote"),
                    text(
                        locale,
                        "compare.told.so_far",
                        rag=so_far.rag,
                        without=so_far.without,
                        same=so_far.same,
                    ),
                ]
            )
        )
        kindred = next((take.document["neighbours"] for take in pair.takes if take.document["rag"]), None)
        if kindred:
            embed.add_field(name=text(locale, "compare.told.kindred"), value=kindred_lines(kindred, locale))
        await interaction.response.send_message(embed=embed, ephemeral=True)


class AgainBoth(JobButton, action="again-both"):
    """🔁: the same cover compared once more, with another seed."""

    emoji, label_key = "🔁", "button.again"

    async def act(self, interaction: discord.Interaction[Any]) -> None:
        """Submit; a private comparison's next one is private too."""
        services = services_of(interaction)
        requests = services[Requests]
        jobs = await jobs_of(services[InferenceClient], self.job_id)
        private = bool(interaction.message and interaction.message.flags.ephemeral)
        context = await requests.context(interaction, private=private)
        await requests.check(context, jobs=2)
        await regenerate_pair(services[InferenceClient], requests, context, jobs)


async def _count_again(
    interaction: discord.Interaction[Any], votes: Comparisons, bundle_id: str, locale: str
) -> None:
    """Answer by the same message with the new number of votes in its last field.

    Two who vote at once have their answers in either order, so whoever finds that the number has moved on
    shows it once more.
    """
    message = interaction.message
    if message is None or not message.embeds or not message.embeds[0].fields:
        await interaction.response.defer()  # a moderator hid the embed; the vote counts all the same
        return
    line = await votes_line(votes, bundle_id, locale)
    await interaction.response.edit_message(embed=_with_line(message.embeds[0], line))
    for _ in range(_RECOUNTS):
        shown, line = line, await votes_line(votes, bundle_id, locale)
        if line == shown:
            return
        await interaction.edit_original_response(embed=_with_line(message.embeds[0], line))


def _with_line(embed: discord.Embed, line: str) -> discord.Embed:
    embed = embed.copy()
    last = len(embed.fields) - 1
    embed.set_field_at(last, name=embed.fields[last].name or "\u200b", value=line, inline=False)
    if embed.image.url:
        embed.set_image(url=f"attachment://{CHART}")
    return embed


COMPARISON_BUTTONS = (VoteA, VoteB, VoteSame, Which, AgainBoth)
"""All that have to be registered."""
