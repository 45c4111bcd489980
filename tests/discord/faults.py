"""Faults a test asks for: what goes wrong, on which requests, and how often."""

from __future__ import annotations

import random
import re
from dataclasses import dataclass, field
from enum import StrEnum


class Kind(StrEnum):
    """What happens to a request."""

    RATE_LIMIT = "429"
    GLOBAL_RATE_LIMIT = "global 429"
    STATUS = "status"
    REFUSE = "refuse"
    STALL = "stall"
    RESET_BEFORE = "reset before it is processed"
    RESET_AFTER = "reset after it was processed"


@dataclass(eq=False)
class Fault:
    """One planned fault; ``hits`` counts how often it struck."""

    kind: Kind
    pattern: re.Pattern[str]
    count: int = 1
    skip: int = 0
    status: int = 500
    code: int = 0
    message: str = ""
    seconds: float = 0.1
    chance: float = 1.0
    dice: random.Random = field(default_factory=random.Random, repr=False)
    hits: int = 0


def compile_route(route: str) -> re.Pattern[str]:
    """``"PATCH /channels/*/messages/*"``: ``*`` is one part of the path, ``**`` any number of them."""
    escaped = re.escape(route).replace(r"\*\*", ".*").replace(r"\*", "[^/]+")
    return re.compile(f"^{escaped}$")


class Faults:
    """The plan. Routes are written ``"METHOD /path"`` without ``/api/v10``; a method of ``*`` is any."""

    def __init__(self) -> None:
        self.planned: list[Fault] = []

    def _add(self, fault: Fault) -> Fault:
        self.planned.append(fault)
        return fault

    def rate_limit(self, route: str, *, retry_after: float = 0.1, count: int = 1, skip: int = 0) -> Fault:
        """429 of the route's own bucket."""
        return self._add(Fault(Kind.RATE_LIMIT, compile_route(route), count, skip, seconds=retry_after))

    def rate_limit_globally(self, route: str = "* /**", *, retry_after: float = 0.1, count: int = 1) -> Fault:
        """429 that asks the client to stop every request."""
        return self._add(Fault(Kind.GLOBAL_RATE_LIMIT, compile_route(route), count, seconds=retry_after))

    def status(self, route: str, status: int = 502, *, count: int = 1, skip: int = 0) -> Fault:
        """A bare 500, 502, 503 and the like; the request is not processed."""
        return self._add(Fault(Kind.STATUS, compile_route(route), count, skip, status=status))

    def refuse(
        self, route: str, status: int, code: int, message: str, *, count: int = 1, skip: int = 0
    ) -> Fault:
        """One of Discord's own JSON errors, for example ``403, 50013, "Missing Permissions"``."""
        pattern = compile_route(route)
        return self._add(Fault(Kind.REFUSE, pattern, count, skip, status=status, code=code, message=message))

    def stall(self, route: str, seconds: float = 3600.0, *, count: int = 1, skip: int = 0) -> Fault:
        """Takes the request and stays silent for ``seconds``, then drops the connection unprocessed."""
        return self._add(Fault(Kind.STALL, compile_route(route), count, skip, seconds=seconds))

    def reset_before(self, route: str, *, count: int = 1, skip: int = 0) -> Fault:
        """Drops the connection; nothing was processed."""
        return self._add(Fault(Kind.RESET_BEFORE, compile_route(route), count, skip))

    def reset_after(self, route: str, *, count: int = 1, skip: int = 0) -> Fault:
        """Processes the request and drops the connection: the client cannot know that it worked."""
        return self._add(Fault(Kind.RESET_AFTER, compile_route(route), count, skip))

    def at_random(self, route: str, kind: Kind, chance: float, *, seed: int, status: int = 502) -> Fault:
        """Strikes each matching request with probability ``chance``, for as long as it stays planned."""
        return self._add(
            Fault(
                kind,
                compile_route(route),
                2**31,
                status=status,
                chance=chance,
                dice=random.Random(seed),
                seconds=0.05,
            )
        )

    def clear(self) -> None:
        self.planned.clear()

    @property
    def hits(self) -> int:
        """Faults that struck, of all that are still planned."""
        return sum(fault.hits for fault in self.planned)

    def strike(self, method: str, path: str) -> Fault | None:
        """The fault for this request, if one is due."""
        for fault in self.planned:
            if not (fault.pattern.match(f"{method} {path}") or fault.pattern.match(f"* {path}")):
                continue
            if fault.hits >= fault.count:
                continue
            if fault.skip:
                fault.skip -= 1
                continue
            if fault.chance < 1 and fault.dice.random() >= fault.chance:
                continue
            fault.hits += 1
            return fault
        return None
