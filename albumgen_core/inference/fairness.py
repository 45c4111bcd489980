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
        self._served: dict[str, int] = {}
        self._services = 0

    def join(self, key: str) -> None:
        """A key that had nothing waiting has something now.

        It starts at the clock, so idling earns no credit; a debt from before (a tag ahead) stays.
        """
        self._tags[key] = max(self.now, self._tags.get(key, 0.0))

    def rank(self, key: str) -> tuple[float, int]:
        """Sorts keys by whom is owed service: the smaller tag, then the longer since its last service."""
        return self.tag(key), self._served.get(key, 0)

    def tag(self, key: str) -> float:
        """The virtual time up to which the key was served."""
        return self._tags.get(key, self.now)

    def charge(self, key: str, cost: float) -> None:
        """Charge a key for service that begins now, at its estimated cost."""
        self._services += 1
        self._served[key] = self._services
        self._tags[key] = self.tag(key) + cost

    def settle(self, key: str, charged: float, cost: float, active: int) -> None:
        """Replace the estimate by the true cost, and let the clock advance while `active` keys shared it.

        The clock waits for the true cost because an estimate taken back would leave it ahead of everyone,
        and newcomers, who start at the clock, behind those who were served all along.
        """
        self._tags[key] = self.tag(key) + cost - charged
        self.now += cost / max(1, active)

    def prune(self, waiting: Collection[str]) -> None:
        """Forget idle keys without debts, which would start at the clock anyway."""
        self._tags = {k: tag for k, tag in self._tags.items() if k in waiting or tag > self.now}
        self._served = {k: turn for k, turn in self._served.items() if k in self._tags}

    def copy(self) -> FairClock:
        """An independent copy, to look ahead with."""
        copy = FairClock()
        copy.now = self.now
        copy._tags = dict(self._tags)
        copy._served = dict(self._served)
        copy._services = self._services
        return copy
