"""Virtual-time fair queueing at one level: who of several keys is owed service next.

Each key carries a tag, the virtual time up to which it has been served; the smallest tag is next. The
shared clock advances by served cost / active keys (as the round number of bit-by-bit round robin does;
Demers, Keshav and Shenker, SIGCOMM 1989). Advancing it by the head's tag instead lets newcomers overtake
a waiting key for ever.
"""

from __future__ import annotations

from collections.abc import Collection


class FairClock:
    """Tags of the keys of one level, and the clock they are compared with. Costs are in GPU-seconds."""

    def __init__(self) -> None:
        self.now = 0.0
        self._tags: dict[str, float] = {}

    def join(self, key: str) -> None:
        """A key that had nothing waiting has something now.

        It starts at the clock, so idling earns no credit; a debt from before (a tag ahead) stays.
        """
        self._tags[key] = max(self.now, self._tags.get(key, 0.0))

    def tag(self, key: str) -> float:
        """The virtual time up to which the key was served."""
        return self._tags.get(key, self.now)

    def charge(self, key: str, cost: float, active: int) -> None:
        """Bill a key for service while `active` keys (itself included) were waiting."""
        self._tags[key] = self.tag(key) + cost
        self.now += cost / max(1, active)

    def correct(self, key: str, difference: float) -> None:
        """Add to a bill, or refund, once the true cost is known. The clock has moved on and stays."""
        self._tags[key] = self.tag(key) + difference

    def prune(self, waiting: Collection[str]) -> None:
        """Forget idle keys without debts, which would start at the clock anyway."""
        self._tags = {k: tag for k, tag in self._tags.items() if k in waiting or tag > self.now}

    def copy(self) -> FairClock:
        """An independent copy, to look ahead with."""
        twin = FairClock()
        twin.now = self.now
        twin._tags = dict(self._tags)
        return twin
