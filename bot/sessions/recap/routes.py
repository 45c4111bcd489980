"""Recap pages and mixtapes over HTTP, for operators who would rather link them than attach them.

An address holds 128 random bits, only the two files of a finished recap can be had, and whatever else is
asked for gets the same 404.
"""

from __future__ import annotations

import asyncio
import hmac
import re
from pathlib import Path

from aiohttp import web

from bot.sessions.recap.files import MIXTAPE, PAGE
from bot.sessions.recap.sender import folder_of, read_manifest

_NAME = re.compile(r"([0-9a-f]{32})-([0-9a-f]{32})", re.ASCII)
_TYPES = {PAGE: "text/html; charset=utf-8", MIXTAPE: "audio/mpeg"}

_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "X-Robots-Tag": "noindex, nofollow",
    "Cross-Origin-Resource-Policy": "same-origin",
    # A recap is made anew when somebody who is in it wants to be forgotten.
    "Cache-Control": "private, no-cache",
}
# The page brings a stricter policy of its own; this one keeps it out of frames, where only a header counts.
_PAGE_HEADERS = {"Content-Security-Policy": "frame-ancestors 'none'"}


def serve_recaps(app: web.Application, data_dir: Path) -> None:
    """Add GET and HEAD of `/recaps/<session>-<secret>/` (the page) and `…/mixtape.mp3` to `app`."""

    async def show(request: web.Request) -> web.StreamResponse:
        found = _NAME.fullmatch(request.match_info["name"])
        file = request.match_info["file"] or PAGE
        if found is None or file not in _TYPES:
            raise web.HTTPNotFound
        folder = folder_of(data_dir, found[1])
        manifest = await asyncio.to_thread(read_manifest, folder)
        there = manifest is not None and (manifest.page if file == PAGE else manifest.tape)
        if manifest is None or not hmac.compare_digest(manifest.secret, found[2]) or not there:
            raise web.HTTPNotFound
        headers = _HEADERS | (_PAGE_HEADERS if file == PAGE else {}) | {"Content-Type": _TYPES[file]}
        return web.FileResponse(folder / file, headers=headers)

    app.router.add_get("/recaps/{name}/{file:[^/]*}", show)
