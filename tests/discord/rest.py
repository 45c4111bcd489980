"""REST: from a request on the wire to a handler, with faults, limits and the record of it all."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from aiohttp import BodyPartReader, web

from tests.discord import ratelimit
from tests.discord.errors import ApiError
from tests.discord.faults import Fault, Kind
from tests.discord.messages import Upload, Uploads
from tests.discord.spec import Specification

if TYPE_CHECKING:
    from tests.discord.server import Server

Handler = Callable[["Server", "Call"], Any]
PREFIX = re.compile(r"^/api/v10(/.*)$")
EXEMPT = "/interactions/"


@dataclass(frozen=True)
class Route:
    """A method and a path template. ``auth`` false: the token in the path is the credential."""

    method: str
    template: str
    handler: Handler
    auth: bool
    pattern: re.Pattern[str]

    @property
    def name(self) -> str:
        return f"{self.method} {self.template}"


@dataclass
class Call:
    """One request as a handler sees it."""

    route: Route
    params: dict[str, str]
    query: dict[str, str]
    body: Any = None
    uploads: Uploads = field(default_factory=dict)

    def id(self, name: str) -> int:
        return int(self.params[name])

    @property
    def major(self) -> str:
        """The path parameters that split a rate-limit bucket."""
        keys = ("channel_id", "guild_id", "application_id", "token")
        return "+".join(self.params[key] for key in keys if key in self.params)


@dataclass(frozen=True)
class Record:
    """What happened to one request (``at``: event loop's clock when it arrived, seconds)."""

    at: float
    method: str
    path: str
    route: str
    status: int
    body: Any
    fault: Fault | None = None


@dataclass(frozen=True)
class Violation:
    """A request that breaks Discord's rules: ``limit``, ``schema`` or ``route``."""

    kind: str
    request: str
    detail: str


class Router:
    """Collects handlers from the modules under ``routes``."""

    def __init__(self) -> None:
        self.routes: list[Route] = []

    def add(self, method: str, template: str, *, auth: bool = True) -> Callable[[Handler], Handler]:
        pattern = re.compile("^" + re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", template) + "$")

        def keep(handler: Handler) -> Handler:
            self.routes.append(Route(method, template, handler, auth, pattern))
            return handler

        return keep

    def find(self, method: str, path: str) -> tuple[Route, dict[str, str]] | None:
        for route in self.routes:
            match = route.pattern.match(path) if route.method == method else None
            if match:
                return route, match.groupdict()
        return None


async def read_body(request: web.Request) -> tuple[Any, Uploads]:
    """The JSON body and the files, of either content type."""
    if request.content_type == "multipart/form-data":
        return await read_multipart(request)
    raw = await request.read()
    if not raw:
        return None, {}
    try:
        return json.loads(raw), {}
    except ValueError:
        raise ApiError(400, 50109, "The request body contains invalid JSON.") from None


async def read_multipart(request: web.Request) -> tuple[Any, Uploads]:
    body: Any = {}
    uploads: Uploads = {}
    async for part in await request.multipart():
        assert isinstance(part, BodyPartReader)
        name = part.name or ""
        data = bytes(await part.read(decode=False))
        if name == "payload_json":
            body = json.loads(data)
        elif match := re.match(r"^files\[(\d+)\]$", name):
            kind = part.headers.get("Content-Type", "application/octet-stream")
            uploads[int(match[1])] = Upload(part.filename or "file", kind, data)
    return body, uploads


def reply(status: int, body: Any, headers: dict[str, str] | None = None) -> web.Response:
    """JSON with exactly the content type that clients compare with."""
    if status == 204 or body is None:
        return web.Response(status=204, headers=headers)
    head = {"Content-Type": "application/json"} | (headers or {})
    return web.Response(status=status, body=json.dumps(body).encode(), headers=head)


class Rest:
    """Serves ``/api/v10`` on behalf of a server."""

    def __init__(self, server: Server, router: Router) -> None:
        self.server = server
        self.router = router
        self.records: list[Record] = []
        self.violations: list[Violation] = []
        self.specification = Specification.in_development()

    async def handle(self, request: web.Request) -> web.StreamResponse:
        started = asyncio.get_running_loop().time()
        match = PREFIX.match(request.path)
        path = match[1] if match else request.path
        found = self.router.find(request.method, path) if match else None
        body, uploads = await read_body(request)
        fault = self.server.faults.strike(request.method, path)
        name = found[0].name if found else ""

        def note(status: int) -> None:
            self.records.append(Record(started, request.method, path, name, status, body, fault))
            self.server.world.changed()

        if fault and fault.kind is not Kind.RESET_AFTER:
            response = await self._suffer(fault, request, name)
            note(response.status)
            return response
        if found is None:
            self.violations.append(Violation("route", f"{request.method} {path}", "no such route here"))
            note(404)
            return reply(404, {"message": "404: Not Found", "code": 0})
        call = Call(found[0], found[1], dict(request.query), body, uploads)
        response = self._answer(request, call)
        note(response.status)
        if fault:
            self._cut(request)
        return response

    def _answer(self, request: web.Request, call: Call) -> web.Response:
        route = call.route
        over = self.server.rate_limits.take(route.name, call.major, exempt=route.template.startswith(EXEMPT))
        if over:
            headers, refusal = ratelimit.refusal(route.name, over[0], everywhere=over[1])
            return reply(429, refusal, headers)
        headers = self.server.rate_limits.headers(route.name, call.major)
        try:
            if route.auth and request.headers.get("Authorization") != f"Bot {self.server.token}":
                raise ApiError(401, 0, "401: Unauthorized")
            self._check_schema(call)
            result = route.handler(self.server, call)
        except ApiError as error:
            if error.status in (400, 413) and error.code != 40060:
                detail = json.dumps(error.body())
                self.violations.append(Violation("limit", route.name, detail))
            return reply(error.status, error.body(), headers)
        status, body = result if isinstance(result, tuple) else (200, result)
        return reply(status, body, headers)

    def _check_schema(self, call: Call) -> None:
        if self.specification is None or call.body is None:
            return
        for detail in self.specification.problems(call.route.method, call.route.template, call.body):
            self.violations.append(Violation("schema", call.route.name, detail))

    async def _suffer(self, fault: Fault, request: web.Request, name: str) -> web.Response:
        """A fault that strikes before the request is processed."""
        if fault.kind in (Kind.RATE_LIMIT, Kind.GLOBAL_RATE_LIMIT):
            everywhere = fault.kind is Kind.GLOBAL_RATE_LIMIT
            headers, body = ratelimit.refusal(name, fault.seconds, everywhere=everywhere)
            return reply(429, body, headers)
        if fault.kind is Kind.STATUS:
            return web.Response(status=fault.status, text="upstream error", content_type="text/html")
        if fault.kind is Kind.REFUSE:
            return reply(fault.status, {"message": fault.message, "code": fault.code})
        if fault.kind is Kind.STALL:
            await asyncio.sleep(fault.seconds)
        self._cut(request)
        return web.Response(status=499)

    def _cut(self, request: web.Request) -> None:
        """Drops the TCP connection before an answer leaves."""
        if request.transport is not None:
            request.transport.abort()

    def count(self, route: str, status: int | None = None) -> int:
        """Requests seen on a route template (``"POST /channels/{channel_id}/messages"``)."""
        return sum(1 for each in self.records if each.route == route and status in (None, each.status))

    @property
    def invalid(self) -> int:
        """Answers that Discord counts towards a ban: 401, 403 and 429."""
        return sum(1 for each in self.records if each.status in (401, 403, 429))
