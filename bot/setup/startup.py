"""What the operator reads while the bot starts: what runs, on what, and what to do next."""

from __future__ import annotations

import discord

from albumgen_core.version import __version__
from bot.settings import BotSettings
from bot.setup.commands_sync import Registration
from bot.setup.invite import invite_link

_ENGINES = {
    "sketch": "sketch (no weights, no GPU; clips say so)",
    "neural": "neural (CLIP, InternVL2, MusicGen)",
}
_LICENCE = (
    "The published MusicGen weights are licensed CC-BY-NC 4.0: no commercial use."
    " CLIP: MIT. InternVL2-1B: MIT, its language model Apache 2.0."
)


def starting(settings: BotSettings) -> list[str]:
    """Lines for before the login: settings, engine, licences."""
    engine = settings.core.engine
    lines = [
        f"AlbumGen {__version__} is starting (discord.py {discord.__version__}).",
        f"  settings   {settings.path or 'defaults and environment (no config.toml here)'}",
        f"  data       {settings.core.data_dir}",
        f"  engine     {_ENGINES.get(engine.family, engine.family)}",
    ]
    if engine.family == "neural":
        if engine.fallback == "sketch":
            lines.append("             if it cannot start, the sketch engine stands in, and results say so")
        lines.append(f"  licences   {_LICENCE}")
    return lines


def ready(client: discord.Client, registration: Registration | None, address: str | None) -> list[str]:
    """Lines for after the login.

    Args:
        client: logged in.
        registration: what became of the commands; None if that failed.
        address: where metrics are served, as "http://…"; None for nowhere.
    """
    user, servers = client.user, len(client.guilds)
    lines = [f"Logged in as {user}, in {servers} {'server' if servers == 1 else 'servers'}."]
    if registration is None:
        lines.append("  commands   could not be registered; the next start tries again")
    else:
        words = "registered anew" if registration.changed else "unchanged, not registered again"
        lines.append(f"  commands   {registration.count}, {words}")
    if address is not None:
        lines.append(f"  metrics    {address}/metrics, health at {address}/healthz")
    if client.application_id is not None:
        # The line people came for goes where they look: last but one, on its own.
        lines.append(f"  invite     {invite_link(client.application_id)}")
    lines.append(
        "Ready: /albumgen takes covers now; the engine is warming up beside it. Ctrl-C stops politely."
    )
    return lines
