"""The pages of `/albumgen-help`: how it works, what there is to use, and what each attribute means."""

from __future__ import annotations

from typing import Any

import discord
from discord import app_commands

from albumgen_core.attributes.fields import AUDIO_FEATURES, FIELD, FIELDS, FieldSpec
from albumgen_core.attributes.genres import GENRES
from albumgen_core.attributes.predicted import MusicalAttributes
from bot.i18n.catalogue import text
from bot.i18n.reply_language import locale_of
from bot.messages.attribute_names import name_of, range_of
from bot.messages.embeds import DONE, bar
from bot.messages.reply import Reply
from bot.ui.paginator import Pick, Turn, register

PAGES, ATTRIBUTE = "help", "help-attribute"
START, COMMANDS, BUTTONS, ATTRIBUTES = "start", "commands", "buttons", "attributes"
_ORDER = (START, COMMANDS, BUTTONS, ATTRIBUTES)
_DESCRIPTION = 4096


async def page(tree: app_commands.CommandTree[Any], name: str, locale: str) -> Reply:
    """One of the four pages."""
    embed = discord.Embed(title=text(locale, f"help.{name}.title"), colour=DONE)
    if name == COMMANDS:
        embed.description = _cut(await _commands(tree, locale))
    elif name == ATTRIBUTES:
        lines = [f"**{name_of(spec.name, locale)}** · {_brief(spec, locale)}" for spec in FIELDS]
        embed.description = _cut([text(locale, "help.attributes.intro"), "", *lines])
    else:
        embed.description = text(
            locale, f"help.{name}", count=len(MusicalAttributes.required_fields()), genres=len(GENRES)
        )
    return Reply(embeds=[embed], view=_view(locale, name))


def attribute_page(spec: FieldSpec, locale: str) -> Reply:
    """What one attribute means, what it may be, and how to set it."""
    embed = discord.Embed(
        title=name_of(spec.name, locale), description=text(locale, f"attribute.{spec.name}"), colour=DONE
    )
    embed.add_field(name=text(locale, "help.range"), value=range_of(spec, locale)[:1024], inline=False)
    if spec.name in AUDIO_FEATURES:
        ends = "\n".join(
            f"`{bar(share)}` {text(locale, f'attribute.{spec.name}.{end}')}"
            for end, share in (("low", 0.1), ("high", 0.9))
        )
        embed.add_field(name=text(locale, "help.heard"), value=ends, inline=False)
    else:
        embed.add_field(
            name=text(locale, "help.heard"), value=text(locale, f"attribute.{spec.name}.heard"), inline=False
        )
    settable = "help.set" if spec.name not in ("artist_name", "time_signature") else "help.not_set"
    embed.add_field(name=text(locale, "help.set.title"), value=text(locale, settable), inline=False)
    return Reply(embeds=[embed], view=_view(locale, ATTRIBUTES, spec.name))


async def _turn(interaction: discord.Interaction[Any], to: str) -> None:
    tree: app_commands.CommandTree[Any] = interaction.client.tree
    name = to if to in _ORDER else START
    await _update(interaction, await page(tree, name, await locale_of(interaction)))


async def _choose(interaction: discord.Interaction[Any], to: str) -> None:
    await _update(interaction, attribute_page(FIELD[to], await locale_of(interaction)))


async def _update(interaction: discord.Interaction[Any], reply: Reply) -> None:
    await interaction.response.edit_message(embeds=list(reply.embeds), view=reply.view)


def _view(locale: str, at: str, chosen: str | None = None) -> discord.ui.View:
    view = discord.ui.View(timeout=None)
    for name in _ORDER:
        here = name == at and chosen is None
        view.add_item(Turn(PAGES, name, label=text(locale, f"help.{name}.title")[:80], disabled=here, row=0))
    options = [
        discord.SelectOption(
            label=name_of(spec.name, locale),
            value=spec.name,
            description=text(locale, f"attribute.{spec.name}")[:100],
            default=spec.name == chosen,
        )
        for spec in FIELDS
    ]
    view.add_item(Pick(ATTRIBUTE, "", options, text(locale, "help.choose"), row=1))
    return view


async def _commands(tree: app_commands.CommandTree[Any], locale: str) -> list[str]:
    """Every command that is registered, in the words it is registered with."""
    translator = tree.translator
    slashes: list[str] = []
    menus: list[str] = []
    for command in sorted(tree.get_commands(), key=lambda each: each.name):
        if translator is None:
            payload = command.to_dict(tree)
        else:
            payload = await command.get_translated_payload(tree, translator)
        if payload["type"] == discord.AppCommandType.chat_input.value:
            slashes += _usages(payload, f"/{payload['name']}", locale)
        else:
            menus.append(text(locale, "help.menu", name=_in(payload, "name", locale)))
    return [*slashes, "", *menus]


def _usages(payload: dict[str, Any], name: str, locale: str) -> list[str]:
    """ "**/privacy show** – what it does", a line for each subcommand."""
    inner = [option for option in payload.get("options", ()) if option["type"] in (1, 2)]
    if inner:
        return [line for each in inner for line in _usages(each, f"{name} {each['name']}", locale)]
    return [f"**{name}** – {_in(payload, 'description', locale)}"]


def _in(payload: dict[str, Any], field: str, locale: str) -> str:
    translations: dict[str, str] = payload.get(f"{field}_localizations") or {}
    return str(translations.get(locale) or payload[field])


def _brief(spec: FieldSpec, locale: str) -> str:
    if spec.name == "album_genre":
        return text(locale, "help.genres", count=len(spec.choices))
    return range_of(spec, locale)


def _cut(lines: list[str]) -> str:
    """As many whole lines as an embed takes."""
    words = ""
    for line in lines:
        if len(words) + len(line) + 1 > _DESCRIPTION:
            break
        words += line + "\n"
    return words.strip()


def register_pages() -> None:
    """Let arrows and menus find their pages."""
    register(PAGES, _turn)
    register(ATTRIBUTE, _choose)
