"""A small web server on loopback whose behaviour each test chooses."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from aiohttp import web
from aiohttp.test_utils import TestServer

Answer = Callable[[web.Request, int], Awaitable[web.StreamResponse]]


class Site:
    """Answers by path; an answer is told how many times its path was asked for before."""

    def __init__(self) -> None:
        self.answers: dict[str, Answer] = {}
        self.asked: Counter[str] = Counter()
        self.headers: list[dict[str, str]] = []
        self.in_flight = self.most_in_flight = 0
        self.url = ""

    async def handle(self, request: web.Request) -> web.StreamResponse:
        before = self.asked[request.path]
        self.asked[request.path] += 1
        self.headers.append(dict(request.headers))
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        try:
            answer = self.answers.get(request.path)
            return web.Response(status=404) if answer is None else await answer(request, before)
        finally:
            self.in_flight -= 1

    def always(self, path: str, body: bytes = b"", status: int = 200, **headers: str) -> None:
        async def answer(_request: web.Request, _before: int) -> web.StreamResponse:
            return web.Response(body=body, status=status, headers=headers)

        self.answers[path] = answer

    def first(self, times: int, path: str, status: int, then: bytes, **headers: str) -> None:
        """`status` the first so many times, `then` after that."""

        async def answer(_request: web.Request, before: int) -> web.StreamResponse:
            return web.Response(status=status, headers=headers) if before < times else web.Response(body=then)

        self.answers[path] = answer


@asynccontextmanager
async def serving() -> AsyncIterator[Site]:
    site = Site()
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", site.handle)
    server = TestServer(app)
    await server.start_server()
    site.url = str(server.make_url("")).rstrip("/")
    try:
        yield site
    finally:
        await server.close()
