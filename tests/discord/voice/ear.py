"""A member who listens: a second DAVE client, in the same group as the bot."""

from __future__ import annotations

import davey


class Ear:
    """Holds the group's keys for one listening member and decrypts what the bot sends."""

    def __init__(self, user_id: int, channel_id: int, sender_package: bytes) -> None:
        self.user_id = user_id
        self.session = davey.DaveSession(davey.DAVE_PROTOCOL_VERSION, user_id, channel_id)
        self.session.set_external_sender(sender_package)
        self.key_package = self.session.get_serialized_key_package()

    def welcome(self, message: bytes) -> None:
        """Enters the group."""
        self.session.process_welcome(message)

    @property
    def ready(self) -> bool:
        return self.session.ready

    @property
    def privacy_code(self) -> str | None:
        """The same words that the bot's client shows when both see the same group."""
        return self.session.voice_privacy_code

    def hear(self, speaker: int, payload: bytes) -> bytes:
        """Decrypts one frame of ``speaker``."""
        return self.session.decrypt(speaker, davey.MediaType.audio, payload)
