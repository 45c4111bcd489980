"""What plays next, and what played before."""

from __future__ import annotations

from collections.abc import Mapping

from bot.sessions.playback.play_queue import QueueItem
from bot.sessions.state.model import Entry, EntryState
from bot.sessions.state.turns import to_come


class PlayOrder:
    """Chooses takes. Nothing of it is stored: after a restart, `remember` reads it from the entries.

    The next take of the same cover comes first, then the first cover in order that is ready: one that is
    still being composed is overtaken, and plays as soon as it is ready. When all that comes is still being
    composed, covers that were played fill the wait, each once, those first that were heard longest ago.
    """

    def __init__(self) -> None:
        self._heard: dict[int, None] = {}  # entry ids, the last heard last
        self._encored: set[int] = set()

    def remember(self, entries: Mapping[int, Entry]) -> None:
        """After a restart."""
        self._heard = {entry.entry_id: None for entry in _begun(entries)}

    def heard(self, item: QueueItem) -> None:
        """A take begins."""
        self._heard.pop(item.entry_id, None)
        self._heard[item.entry_id] = None
        if item.encore:
            self._encored.add(item.entry_id)
        else:
            self._encored = set()

    def next(self, entries: Mapping[int, Entry], after: QueueItem | None) -> QueueItem | None:
        """What plays after `after` (None: now); None where there is nothing, or only to wait."""
        if after is not None and not after.encore and after.entry_id in entries:
            further = QueueItem.of(entries[after.entry_id], after.clip + 1)
            if further is not None:
                return further
        coming = to_come(entries.values())
        for entry in coming:
            item = QueueItem.of(entry) if entry.state is EntryState.READY else None
            if item is not None:
                return item
        return self._encore(entries, after) if coming else None

    def before(self, entries: Mapping[int, Entry], current: Entry | None) -> Entry | None:
        """The cover that was heard before `current` (None: the last one)."""
        begun = [entry for entry in _begun(entries) if QueueItem.of(entry) is not None]
        if current is None:
            return begun[-1] if begun else None
        at = current.played_at or 0.0
        earlier = [e for e in begun if e.entry_id != current.entry_id and (e.played_at or 0.0) <= at]
        return earlier[-1] if earlier else None

    def _encore(self, entries: Mapping[int, Entry], after: QueueItem | None) -> QueueItem | None:
        for entry_id in self._heard:
            entry = entries.get(entry_id)
            playing = after is not None and after.entry_id == entry_id
            again = entry is not None and (entry.state is EntryState.PLAYED or playing)
            if entry is None or not again or entry_id in self._encored:
                continue
            item = QueueItem.of(entry, encore=True)
            if item is not None:
                return item
        return None


def _begun(entries: Mapping[int, Entry]) -> list[Entry]:
    """What was heard, in the order in which it began."""
    heard = (EntryState.PLAYING, EntryState.PLAYED, EntryState.SKIPPED)
    begun = [entry for entry in entries.values() if entry.played_at is not None and entry.state in heard]
    return sorted(begun, key=lambda entry: (entry.played_at, entry.entry_id))
