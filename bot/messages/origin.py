"""Where the reply to a job goes: what the bot keeps in `JobSpec.origin`, typed.

The journal stores it as a JSON object beside the job and merges changes into it; the core reads none of it.

    origin = Origin.of(record.spec)
    await inference.update_origin(job_id, **Origin.changes(message_id=7, token=None))
"""

from __future__ import annotations

import logging
import time
from typing import Any, Literal

import msgspec

from albumgen_core.jobs.spec import JobSpec

log = logging.getLogger(__name__)

ORIGIN_VERSION = 1


class Origin(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Where the reply to a job goes. Ids are Discord's.

    Attributes:
        kind: which renderer writes the reply ("take", a comparison, a session's clip).
        channel_id, guild_id, user_id: where it was asked for and by whom; guild_id None in direct messages.
        locale: language of the reply.
        via: the bot answers in the channel itself, or only by the interaction's token.
        ephemeral: only the member may see the reply.
        in_channel: the bot can see the channel, whatever `via` is.
        wishes: what was asked for, as a line for the queue message.
        rag: whether a job of the request uses similar albums.
        thumbnail: address of the picture, or "attachment://…" for one that the message holds.
        application_id, token, token_until: the interaction's webhook, and until when (Unix seconds) it works.
        message_id: the message that is to become the reply, once it is known.
        session_id, entry_id: the session's clip that the job is for.
        version: of this type.
    """

    kind: str = "take"
    channel_id: int = 0
    guild_id: int | None = None
    user_id: int = 0
    locale: str = "en"
    via: Literal["channel", "token"] = "channel"
    ephemeral: bool = False
    in_channel: bool = False
    wishes: str = ""
    rag: bool = True
    thumbnail: str = ""
    application_id: int | None = None
    token: str | None = None
    token_until: float = 0.0
    message_id: int | None = None
    session_id: str | None = None
    entry_id: int | None = None
    version: int = ORIGIN_VERSION

    @classmethod
    def of(cls, spec: JobSpec) -> Origin:
        """The origin of a job; fields that cannot be read (a newer version's) have their defaults."""
        try:
            return msgspec.convert(spec.origin, cls)
        except msgspec.ValidationError as error:
            log.warning("the origin of job %s is read in part: %s", spec.job_id, error)
        known = {field.name: field for field in msgspec.structs.fields(cls)}
        values: dict[str, Any] = {}
        for name, value in spec.origin.items():
            if name in known:
                try:
                    values[name] = msgspec.convert(value, known[name].type)
                except msgspec.ValidationError:
                    continue
        return cls(**values)

    @classmethod
    def changes(cls, **values: Any) -> dict[str, Any]:
        """Checked arguments for `InferenceClient.update_origin`; None removes a field. Raises TypeError."""
        cls(**values)
        return values

    def to_payload(self) -> dict[str, Any]:
        """What `JobSpec.origin` holds: a JSON object without the fields that have their defaults."""
        payload: dict[str, Any] = msgspec.to_builtins(self)
        return payload | {"version": self.version}

    def replace(self, **changes: Any) -> Origin:
        """A copy with other values."""
        return msgspec.structs.replace(self, **changes)

    @property
    def has_token(self) -> bool:
        """Whether the interaction's token still works."""
        return bool(self.token) and self.token_until > time.time()
