"""The routes of REST v10 that a bot of this kind meets, one module a resource."""

from tests.discord.rest import Router

router = Router()

from tests.discord.routes import (  # noqa: E402  (they register themselves on the router above)
    account,
    channels,
    commands,
    events,
    guilds,
    messages,
    reactions,
    threads,
    voice,
    webhooks,
)

__all__ = [
    "account",
    "channels",
    "commands",
    "events",
    "guilds",
    "messages",
    "reactions",
    "router",
    "threads",
    "voice",
    "webhooks",
]
