"""The long-lived objects of the bot, found by their class."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, TypeVar

import discord

T = TypeVar("T")


class Services:
    """A fixed set of objects, one of each class: `services[InferenceClient]`.

    A module that needs a service imports that service's class and nothing else, so features do not depend on
    the bot that assembles them. The set is made once, in `AlbumGenBot.setup_hook`, and never changes.
    """

    def __init__(self, instances: Iterable[object]) -> None:
        self._instances: dict[type, object] = {}
        for instance in instances:
            if type(instance) in self._instances:
                raise ValueError(f"there are two services of the class {type(instance).__name__}")
            self._instances[type(instance)] = instance

    def __getitem__(self, kind: type[T]) -> T:
        """The service of exactly this class. Raises KeyError where there is none."""
        instance = self._instances[kind]
        assert isinstance(instance, kind)
        return instance


def services_of(interaction: discord.Interaction[Any]) -> Services:
    """The services of the bot that received an interaction."""
    services: Services = interaction.client.services
    return services
