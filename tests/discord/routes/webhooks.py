"""Interaction callbacks, and the webhook that follows an interaction for fifteen minutes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.discord import messages, payloads
from tests.discord.errors import unknown
from tests.discord.interactions import Interaction
from tests.discord.rest import Call
from tests.discord.routes import router

if TYPE_CHECKING:
    from tests.discord.server import Server

ONE = "/webhooks/{application_id}/{token}/messages/{message_id}"


def interaction_of(server: Server, call: Call) -> Interaction:
    if call.id("application_id") != server.world.bot.id:
        raise unknown("webhook")
    return server.interactions.of_token(call.params["token"])


@router.add("POST", "/interactions/{interaction_id}/{token}/callback", auth=False)
def callback(server: Server, call: Call) -> Any:
    identity, token = call.id("interaction_id"), call.params["token"]
    answer = server.interactions.respond(identity, token, call.body or {}, call.uploads)
    wants_answer = call.query.get("with_response") in ("1", "true")
    return answer if wants_answer else (204, None)


@router.add("POST", "/webhooks/{application_id}/{token}", auth=False)
def follow_up(server: Server, call: Call) -> Any:
    interaction = interaction_of(server, call)
    message = server.interactions.follow_up(interaction, call.body or {}, call.uploads)
    return payloads.message(message)


@router.add("GET", ONE, auth=False)
def fetch(server: Server, call: Call) -> Any:
    interaction = interaction_of(server, call)
    return payloads.message(server.interactions.find_message(interaction, call.params["message_id"]))


@router.add("PATCH", ONE, auth=False)
def edit(server: Server, call: Call) -> Any:
    interaction = interaction_of(server, call)
    message = server.interactions.find_message(interaction, call.params["message_id"])
    return payloads.message(messages.edit(message, call.body or {}, call.uploads))


@router.add("DELETE", ONE, auth=False)
def delete(server: Server, call: Call) -> Any:
    interaction = interaction_of(server, call)
    messages.delete(server.interactions.find_message(interaction, call.params["message_id"]))
