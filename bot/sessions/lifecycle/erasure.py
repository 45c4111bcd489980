"""What sessions hold of a member who wants to be forgotten: deleted, and not shown any more."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from albumgen_core.files import remove_paths
from bot.sessions.lifecycle.manager import SessionManager
from bot.sessions.playback.composition import Composition
from bot.sessions.state.member_data import delete_member_data, read_member_data


class SessionErasure:
    """Deletes and tells a member's data. Made for `Erasure.register`."""

    def __init__(self, sessions: SessionManager, composition: Composition) -> None:
        self._sessions, self._composition = sessions, composition
        self._store = sessions.store

    async def forget(self, user_id: int, guild_id: int | None = None) -> int:
        """Delete all that sessions hold of a member (in one server only, where given); covers deleted.

        The pages and mixtapes of the sessions they took part in go too, and are made again without them: they
        name the member.
        """
        deleted = await delete_member_data(self._store.database, user_id, guild_id)
        paths = [str(path) for path in deleted.covers]
        for session_id in deleted.sessions:
            player = self._sessions.running_player(session_id)
            if player is not None:
                await player.forget(user_id)
            else:
                paths += await asyncio.to_thread(_made_files, self._composition.session_folder(session_id))
        await asyncio.to_thread(remove_paths, paths)
        for session_id in deleted.sessions:
            await self._tell_again(session_id)
        return len(deleted.covers)

    async def of_member(self, user_id: int, guild_id: int | None = None) -> list[dict[str, Any]]:
        """All that sessions hold of a member, one JSON-ready object a thing."""
        return await read_member_data(self._store.database, user_id, guild_id)

    async def _tell_again(self, session_id: str) -> None:
        """An ended session's recap is owed again: its message names somebody who is forgotten."""
        session, message = await self._store.get(session_id), await self._store.recap_message(session_id)
        if session is not None and session.end_reason is not None and message is not None:
            await self._store.set_recap(session_id, message, complete=False)
            self._sessions.notifications.ended(session_id, session.end_reason)


def _made_files(folder: Path) -> list[str]:
    """What was made from an ended session: everything but its covers."""
    if not folder.is_dir():
        return []
    return [str(path) for path in folder.iterdir() if path.name != "covers"]
