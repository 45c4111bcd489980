"""A running session: order, waits, votes to skip, holds and ends, with the real bot and voice server."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bot.errors import Refusal
from bot.sessions.model import EndReason, EntryState
from bot.sessions.view import Standing
from tests.bot.sessions.hall import Hall, hall


@pytest.fixture
async def place(tmp_path: Path) -> AsyncIterator[Hall]:
    async with hall(tmp_path) as made:
        yield made


async def test_covers_play_one_after_the_other_fairly_and_without_a_gap(place: Hall) -> None:
    ana, bo, cy = place.people
    session = await place.start(rounds=3)
    place.hold()
    entries = await place.bring(session, ana, ana, ana, bo, cy)
    place.release()
    await place.until_played(session, 5)
    view = place.view(session)
    assert [entry.submitter_id for entry in view.entries] == [ana.id, bo.id, cy.id, ana.id, ana.id]
    assert [e.entry_id for e in view.entries] == [entries[i].entry_id for i in (0, 3, 4, 1, 2)]
    assert all(entry.closed_at for entry in view.entries[:3])
    assert not any(entry.closed_at for entry in view.entries[3:])
    connection = place.loopback.voice.of(place.guild)
    gaps = [b.at - a.at for a, b in zip(connection.packets, connection.packets[1:], strict=False)]
    assert len([gap for gap in gaps if gap > 0.5]) <= 1, "it went on from cover to cover"
