"""Rate-limit buckets: the headers always, the limits themselves when a test enforces them."""

from __future__ import annotations

import hashlib
import time
from dataclasses import dataclass

BUCKETS = {
    "POST /channels/{channel_id}/messages": (5, 5.0),
    "PATCH /channels/{channel_id}/messages/{message_id}": (5, 5.0),
    "DELETE /channels/{channel_id}/messages/{message_id}": (5, 1.0),
    "PUT /channels/{channel_id}/messages/{message_id}/reactions/{emoji}/@me": (1, 0.25),
    "POST /webhooks/{application_id}/{token}": (5, 2.0),
    "PATCH /webhooks/{application_id}/{token}/messages/{message_id}": (5, 2.0),
}
"""Requests and seconds a bucket grants, as observed by bot authors; Discord documents no numbers."""

DEFAULT = (10, 1.0)
GLOBAL = (50, 1.0)
VIA = {"Via": "1.1 google"}
"""The client takes a 429 without this header for a ban by the proxy and gives up."""


@dataclass
class Window:
    """A fixed window: how many requests it saw, and when it ends (monotonic seconds)."""

    ends: float
    used: int = 0


class RateLimits:
    """Counts requests per bucket and major parameter. ``enforced`` false only writes generous headers."""

    def __init__(self) -> None:
        self.enforced = False
        self._windows: dict[str, Window] = {}

    def headers(self, route: str, major: str) -> dict[str, str]:
        """Headers of a normal answer."""
        limit, seconds = BUCKETS.get(route, DEFAULT)
        if not self.enforced:
            return describe(route, 1000, 999, 1.0)
        window = self._window(f"{route} {major}", seconds)
        return describe(route, limit, max(0, limit - window.used), window.ends - time.monotonic())

    def take(self, route: str, major: str, *, exempt: bool) -> tuple[float, bool] | None:
        """Counts one request. When it is over the limit: (seconds to wait, whether the limit is global)."""
        if not self.enforced or exempt:
            return None
        for key, (limit, seconds), everywhere in (
            ("global", GLOBAL, True),
            (f"{route} {major}", BUCKETS.get(route, DEFAULT), False),
        ):
            window = self._window(key, seconds)
            if window.used >= limit:
                return max(0.001, window.ends - time.monotonic()), everywhere
            window.used += 1
        return None

    def _window(self, key: str, seconds: float) -> Window:
        now = time.monotonic()
        window = self._windows.get(key)
        if window is None or window.ends <= now:
            window = self._windows[key] = Window(now + seconds)
        return window


def describe(route: str, limit: int, remaining: int, reset_after: float) -> dict[str, str]:
    """The X-RateLimit headers of one bucket."""
    bucket = hashlib.blake2s(route.encode(), digest_size=8).hexdigest()
    return {
        "X-RateLimit-Limit": str(limit),
        "X-RateLimit-Remaining": str(remaining),
        "X-RateLimit-Reset": f"{time.time() + reset_after:.3f}",
        "X-RateLimit-Reset-After": f"{max(0.0, reset_after):.3f}",
        "X-RateLimit-Bucket": bucket,
    } | VIA


def refusal(route: str, retry_after: float, *, everywhere: bool) -> tuple[dict[str, str], dict[str, object]]:
    """Headers and body of a 429."""
    headers = describe(route, 5, 0, retry_after) | {
        "Retry-After": str(max(1, round(retry_after))),
        "X-RateLimit-Scope": "global" if everywhere else "user",
    }
    if everywhere:
        headers = VIA | {"Retry-After": headers["Retry-After"], "X-RateLimit-Global": "true"}
    body = {
        "message": "You are being rate limited.",
        "retry_after": round(retry_after, 3),
        "global": everywhere,
    }
    return headers, body
