"""What a look at a session tells."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from bot.sessions.playback.play_queue import QueueItem
from bot.sessions.playback.view import PlaybackStatus, SessionView, make_view
from bot.sessions.state.model import Entry, EntryState
from tests.bot.sessions.records import ANA, BO, CY, entry, session


def look(entries: list[Entry], playing: int, *, encore: bool = False) -> SessionView:
    return make_view(
        session(),
        {one.entry_id: one for one in entries},
        [],
        status=PlaybackStatus.ENCORE if encore else PlaybackStatus.PLAYING,
        item=QueueItem(playing, 0, Path("/nowhere"), encore=encore),
    )


def test_what_has_just_begun_plays_and_does_not_come() -> None:
    """The player has it before the database does."""
    heard, begun, comes = entry(1, ANA), entry(2, BO), entry(3, CY)
    begun, comes = (replace(one, state=EntryState.READY, played_at=None) for one in (begun, comes))
    view = look([comes, begun, heard], playing=2)
    assert view.current == begun
    assert view.up_next == [comes]
    assert [one.entry_id for one in view.entries] == [1, 2, 3]


def test_an_encore_keeps_its_place_among_what_was_heard() -> None:
    first, second = entry(1, ANA), entry(2, BO)
    view = look([replace(first, played_at=1.0), replace(second, played_at=2.0)], playing=1, encore=True)
    assert [one.entry_id for one in view.entries] == [1, 2]
    assert view.up_next == []
