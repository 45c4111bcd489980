"""`/compare`: one cover with RAG and without, heard blind, and a vote."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import discord
from discord import app_commands
from discord.app_commands import locale_str
from discord.ext import commands

from albumgen_core.inference.records import JobRecord
from bot.comparisons.reply import CHART, NAMES, comparison_reply, lone_reply, read_pair, votes_line
from bot.comparisons.votes import KIND, Choice, Comparisons, rag_comes_first
from bot.delivery.controls import DeleteButton, jobs_of
from bot.i18n.catalogue import text
from bot.messages.embeds import kindred_lines
from bot.messages.errors import Refusal
from bot.messages.reply import Reply
from bot.requests.intake import SEEDS
from bot.requests.pictures import picture_in
from bot.requests.regenerate import another_pair, with_and_without
from bot.ui.buttons import JobButton
from cogs.albumgen import STYLES, option

if TYPE_CHECKING:
    from bot.bot import AlbumGenBot

_RECOUNTS = 5
"""How often a message is changed once more because others voted while it was being changed."""


class CompareCog(commands.Cog):
    """The command and the context menu; votes live as long as the message."""

    def __init__(self, bot: AlbumGenBot) -> None:
        self.bot = bot
        self.menu = app_commands.ContextMenu(
            name=locale_str("Compare with and without RAG", key="command.compare_this"),
            callback=self.compare_this,
            allowed_contexts=app_commands.AppCommandContext(
                guild=True, dm_channel=True, private_channel=True
            ),
            allowed_installs=app_commands.AppInstallationType(guild=True, user=True),
        )

    async def cog_load(self) -> None:
        """Hear the buttons, write the replies, and take part in forgetting."""
        self.bot.tree.add_command(self.menu)
        self.bot.add_dynamic_items(VoteA, VoteB, VoteSame, Which, AgainBoth)
        self.bot.delivery.register(KIND, ComparisonRenderer())
        votes = Comparisons(self.bot.database)
        self.bot.forgetting.register("votes", votes.forget, votes.of_member)

    async def cog_unload(self) -> None:
        """Take the context menu back."""
        self.bot.tree.remove_command(self.menu.name, type=self.menu.type)

    @app_commands.command(
        name="compare",
        description=locale_str("Hear a cover twice, with and without RAG, and vote", key="command.compare"),
    )
    @app_commands.describe(
        image=option("image", "The cover: PNG, JPEG, WebP or GIF"),
        seconds=option("seconds", "Length of the clip in seconds"),
        seed=option("seed", "The same seed gives the same music again"),
        style=option("style", "How the prompt is written"),
        private=option("private", "Only you see the result"),
    )
    @app_commands.choices(style=STYLES)
    @app_commands.allowed_installs(guilds=True, users=True)
    @app_commands.allowed_contexts(guilds=True, dms=True, private_channels=True)
    async def compare(
        self,
        interaction: discord.Interaction[Any],
        image: discord.Attachment,
        seconds: app_commands.Range[int, 1, 300] | None = None,
        seed: app_commands.Range[int, 0, SEEDS - 1] | None = None,
        style: str | None = None,
        private: bool = False,
    ) -> None:
        """Queue two clips that differ in nothing but RAG, answered together."""
        requests = self.bot.requests
        await requests.check(interaction, jobs=2, private=private)
        asker = await requests.asker(interaction, private=private)
        length = None if seconds is None else float(seconds)
        spec = await requests.base_spec(asker, seconds=length, seed=seed, prompt_style=style)
        await requests.submit(asker, with_and_without(spec), image, kind=KIND)

    async def compare_this(self, interaction: discord.Interaction[Any], message: discord.Message) -> None:
        """The same from a right click on a message with a picture."""
        requests = self.bot.requests
        picture = picture_in(message)
        if picture is None:
            raise Refusal("refusal.no_picture")
        await requests.check(interaction, jobs=2)
        asker = await requests.asker(interaction)
        await requests.submit(asker, with_and_without(await requests.base_spec(asker)), picture, kind=KIND)


class ComparisonRenderer:
    """Writes the reply of a comparison."""

    async def render(self, bot: AlbumGenBot, records: Sequence[JobRecord], locale: str) -> Reply:
        """Both takes, or the one that there is, or why there is none."""
        pair = await read_pair(records)
        if pair.comparable:
            view = comparison_view(pair.bundle_id, locale)
            return await comparison_reply(pair, locale, Comparisons(bot.database), view)
        view = discord.ui.View(timeout=None)
        if pair.takes:
            view.add_item(AgainBoth(pair.bundle_id, locale))
        view.add_item(DeleteButton(pair.bundle_id, locale))
        return lone_reply(pair, records, locale, view)


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

    async def act(self, bot: AlbumGenBot, interaction: discord.Interaction[Any]) -> None:
        """Store it, then tell."""
        jobs = await jobs_of(bot, self.job_id)
        votes = Comparisons(bot.database)
        await votes.vote(self.job_id, interaction.user.id, interaction.guild_id, self.choice())
        locale = await bot.locale_of(interaction)
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

    async def act(self, bot: AlbumGenBot, interaction: discord.Interaction[Any]) -> None:
        """Close, then tell."""
        pair = await read_pair(await jobs_of(bot, self.job_id))
        votes = Comparisons(bot.database)
        choice = await votes.tell(self.job_id, interaction.user.id, interaction.guild_id)
        locale = await bot.locale_of(interaction)
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
            embed.add_field(name=text(locale, "compare.told.kindred"), value=kindred_lines(kindred))
        await interaction.response.send_message(embed=embed, ephemeral=True)


class AgainBoth(JobButton, action="again-both"):
    """🔁: the same cover compared once more, with another seed."""

    emoji, label_key = "🔁", "button.again"

    async def act(self, bot: AlbumGenBot, interaction: discord.Interaction[Any]) -> None:
        """Submit; a private comparison's next one is private too."""
        jobs = await jobs_of(bot, self.job_id)
        private = bool(interaction.message and interaction.message.flags.ephemeral)
        await bot.requests.check(interaction, jobs=2, private=private)
        await another_pair(bot, await bot.requests.asker(interaction, private=private), jobs)


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


async def setup(bot: AlbumGenBot) -> None:
    """Called by discord.py."""
    await bot.add_cog(CompareCog(bot))
