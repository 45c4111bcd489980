"""A small bot that uses one of everything, to try the server with the real client."""

from __future__ import annotations

import asyncio
import io
import os
import re
from collections.abc import Callable, Sequence
from typing import Any

import aiohttp
import discord
from discord import app_commands
from discord.ext import commands


def intents() -> discord.Intents:
    wanted = discord.Intents.none()
    wanted.guilds = wanted.guild_messages = wanted.guild_reactions = True
    wanted.dm_messages = wanted.dm_reactions = wanted.voice_states = True
    return wanted


class Again(discord.ui.DynamicItem[discord.ui.Button[Any]], template=r"again:(?P<job>\d+)"):
    """A button that outlives the process that made it."""

    def __init__(self, job: int) -> None:
        super().__init__(discord.ui.Button(label="Again", emoji="🔁", custom_id=f"again:{job}"))
        self.job = job

    @classmethod
    async def from_custom_id(
        cls, interaction: discord.Interaction, item: discord.ui.Item[Any], match: re.Match[str]
    ) -> Again:
        return cls(int(match["job"]))

    async def callback(self, interaction: discord.Interaction) -> None:
        await interaction.response.send_message(f"again {self.job}", ephemeral=True)


class Edit(discord.ui.Modal, title="Edit the music"):
    genre: discord.ui.TextInput[Any] = discord.ui.TextInput(label="Genre", max_length=20)
    key: discord.ui.Label[Any] = discord.ui.Label(
        text="Key", component=discord.ui.Select(options=[discord.SelectOption(label=k) for k in ("C", "D")])
    )

    async def on_submit(self, interaction: discord.Interaction) -> None:
        assert isinstance(self.key.component, discord.ui.Select)
        await interaction.response.send_message(f"{self.genre.value} in {self.key.component.values[0]}")


class Panel(discord.ui.View):
    def __init__(self) -> None:
        super().__init__(timeout=None)
        self.add_item(Again(7))

    @discord.ui.button(label="Edit", custom_id="edit")
    async def edit(self, interaction: discord.Interaction, _: discord.ui.Button[Any]) -> None:
        await interaction.response.send_modal(Edit())

    @discord.ui.select(
        placeholder="Style",
        custom_id="style",
        options=[discord.SelectOption(label=s) for s in ("calm", "loud")],
    )
    async def style(self, interaction: discord.Interaction, select: discord.ui.Select[Any]) -> None:
        await interaction.response.edit_message(content=f"style {select.values[0]}")


class SampleBot(commands.AutoShardedBot):
    """Records what it hears in ``heard``."""

    def __init__(self, connector: aiohttp.BaseConnector) -> None:
        super().__init__(
            "!",
            intents=intents(),
            connector=connector,
            guild_ready_timeout=0.05,
            allowed_mentions=discord.AllowedMentions.none(),
        )
        self.heard: asyncio.Queue[Any] = asyncio.Queue()

    async def setup_hook(self) -> None:
        self.add_dynamic_items(Again)
        self.add_view(Panel())
        register(self.tree)
        await self.tree.sync()

    async def on_raw_reaction_add(self, event: discord.RawReactionActionEvent) -> None:
        self.heard.put_nowait((str(event.emoji), event.user_id, event.message_author_id))

    async def on_message(self, message: discord.Message) -> None:
        self.heard.put_nowait(message.content)


def register(tree: app_commands.CommandTree[Any]) -> None:
    """All of the sample's commands."""

    @tree.command(description="Echoes a cover")
    @app_commands.allowed_installs(guilds=True, users=True)
    @app_commands.allowed_contexts(guilds=True, dms=True, private_channels=True)
    async def cover(
        interaction: discord.Interaction,
        image: discord.Attachment,
        seconds: app_commands.Range[int, 1, 30] = 10,
    ) -> None:
        response = await interaction.response.send_message(f"queued {seconds}")
        assert isinstance(response.message_id, int)
        data = await image.read()
        embed = discord.Embed(title=f"{image.width}x{image.height}").set_thumbnail(
            url="attachment://cover.png"
        )
        files = [
            discord.File(io.BytesIO(data), "cover.png"),
            discord.File(io.BytesIO(b"ID3 music"), "clip.mp3"),
        ]
        if interaction.is_guild_integration():
            channel = interaction.channel
            assert isinstance(channel, discord.TextChannel | discord.DMChannel)
            message = channel.get_partial_message(response.message_id)
            await message.edit(content=None, embed=embed, attachments=files, view=Panel())
        else:
            await interaction.edit_original_response(content=None, embed=embed, attachments=files)

    @tree.command(description="Thinks first")
    async def think(interaction: discord.Interaction, private: bool = False) -> None:
        await interaction.response.defer(ephemeral=private, thinking=True)
        await interaction.followup.send("thought")
        await interaction.followup.send("more")

    @tree.command(description="Suggests")
    async def suggest(interaction: discord.Interaction, name: str) -> None:
        await interaction.response.send_message(name)

    @suggest.autocomplete("name")
    async def names(_: discord.Interaction, current: str) -> list[app_commands.Choice[str]]:
        return [app_commands.Choice(name=f"{current}{n}", value=f"{current}{n}") for n in range(3)]

    @tree.context_menu(name="Imagine this album")
    async def imagine(interaction: discord.Interaction, message: discord.Message) -> None:
        await interaction.response.send_message(
            f"{len(message.attachments)} pictures by {message.author.name}"
        )


async def run(_: Sequence[str], *, connector: Callable[[], aiohttp.BaseConnector]) -> int:
    """The launcher's entry point."""
    async with SampleBot(connector()) as bot:
        try:
            await bot.start(os.environ["DISCORD_TOKEN"])
        except asyncio.CancelledError:
            return 0
    return 0
