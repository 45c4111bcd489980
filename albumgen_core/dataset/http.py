"""Fetching considerately: few connections, a name, back-off, and an ear for Retry-After."""

from __future__ import annotations

import asyncio
import email.utils
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TypeVar

import aiohttp

from albumgen_core.errors import FetchError, GoneError
from albumgen_core.version import __version__

T = TypeVar("T")

GONE = frozenset({401, 403, 404, 410, 451})
"""Answers that asking again will not change."""

_REDIRECTS = 5


class TransientError(Exception):
    """Worth another try. `after`: seconds the server asked to wait, or None."""

    def __init__(self, problem: str, after: float | None = None) -> None:
        super().__init__(problem)
        self.after = after


@dataclass(frozen=True, slots=True)
class FetchPolicy:
    """How politely to fetch.

    Attributes:
        concurrency: requests in flight at a time.
        attempts: tries for one file, the first included.
        first_delay: seconds before the second try; doubled for each further one, with jitter.
        longest_delay: no wait is longer, whatever the server asks for.
        timeout: seconds without any data before a request is given up.
    """

    concurrency: int = 8
    attempts: int = 5
    first_delay: float = 1.0
    longest_delay: float = 60.0
    timeout: float = 30.0


@asynccontextmanager
async def session(policy: FetchPolicy) -> AsyncIterator[aiohttp.ClientSession]:
    """An HTTP session that says who it is and opens no more connections than allowed."""
    async with aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=policy.concurrency),
        timeout=aiohttp.ClientTimeout(total=None, sock_connect=policy.timeout, sock_read=policy.timeout),
        headers={"User-Agent": f"AlbumGen/{__version__} (dataset preparation)"},
        trust_env=True,
    ) as client:
        yield client


@asynccontextmanager
async def request(
    client: aiohttp.ClientSession, url: str, headers: dict[str, str] | None = None
) -> AsyncIterator[aiohttp.ClientResponse]:
    """GET with every failure sorted into GoneError, FetchError or TransientError."""
    try:
        async with client.get(url, headers=headers, max_redirects=_REDIRECTS) as response:
            if response.status in GONE:
                raise GoneError(f"the server answered {response.status}")
            if response.status == 429 or response.status >= 500:
                raise TransientError(f"the server answered {response.status}", _retry_after(response))
            if response.status not in (200, 206, 416):
                raise FetchError(f"the server answered {response.status}")
            yield response
    except (aiohttp.InvalidURL, aiohttp.NonHttpUrlClientError, aiohttp.TooManyRedirects) as error:
        raise FetchError(f"the address is no good ({type(error).__name__})") from error
    except (aiohttp.ClientError, TimeoutError) as error:
        raise TransientError(str(error) or type(error).__name__) from error


async def persistently(attempt: Callable[[], Awaitable[T]], policy: FetchPolicy) -> T:
    """Call `attempt` until it does not raise TransientError. Raises FetchError after the last try."""
    for number in range(1, policy.attempts + 1):
        try:
            return await attempt()
        except TransientError as error:
            if number == policy.attempts:
                raise FetchError(f"{error}, {number} times") from error
            await asyncio.sleep(_delay(number, error.after, policy))
    raise AssertionError("a last attempt returns or raises")


def _delay(number: int, asked: float | None, policy: FetchPolicy) -> float:
    doubled = policy.first_delay * 2 ** (number - 1)
    # Jitter, so that requests refused together do not come back together.
    wait = doubled * random.uniform(0.75, 1.25) if asked is None else asked
    return min(wait, policy.longest_delay)


def _retry_after(response: aiohttp.ClientResponse) -> float | None:
    """Seconds to wait by the Retry-After header, given in seconds or as a date; None without one."""
    text = response.headers.get("Retry-After", "").strip()
    if text.isdigit():
        return float(text)
    try:
        return max(0.0, email.utils.parsedate_to_datetime(text).timestamp() - time.time())
    except (ValueError, TypeError):
        return None
