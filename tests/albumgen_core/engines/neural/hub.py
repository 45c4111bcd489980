"""A model hub on loopback: enough of the Hugging Face hub's HTTP interface for its own client to download."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

COMMIT = "0123456789abcdef0123456789abcdef01234567"


class Hub(ThreadingHTTPServer):
    """Serves the files under `root` as one repository.

    Attributes:
        repository: its name, "owner/name".
        requested: path of every request for a file's content.
        cut_after: when set, the next content longer than that is cut off after so many bytes.
    """

    daemon_threads = True

    def __init__(self, root: Path, repository: str) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.root = root
        self.repository = repository
        self.requested: list[tuple[str, str | None]] = []
        self.cut_after: int | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class _Handler(BaseHTTPRequestHandler):
    server: Hub
    protocol_version = "HTTP/1.1"

    def do_HEAD(self) -> None:
        self._answer(body=False)

    def do_GET(self) -> None:
        self._answer(body=True)

    def log_message(self, *_: object) -> None:
        pass

    def _answer(self, *, body: bool) -> None:
        path = self.path.split("?")[0]
        if path.startswith(f"/api/models/{self.server.repository}/revision/"):
            files = sorted(f for f in self.server.root.rglob("*") if f.is_file())
            siblings = [
                {"rfilename": str(f.relative_to(self.server.root)), "size": f.stat().st_size} for f in files
            ]
            info = {"id": self.server.repository, "sha": COMMIT, "siblings": siblings, "private": False}
            return self._send(200, json.dumps(info).encode(), {"Content-Type": "application/json"}, body=body)
        prefix = f"/{self.server.repository}/resolve/"
        if path.startswith(prefix):
            name = path.removeprefix(prefix).partition("/")[2]
            file = self.server.root / name
            if file.is_file():
                return self._file(name, file.read_bytes(), body=body)
        return self._send(404, b"", {"X-Error-Code": "RepoNotFound"}, body=body)

    def _file(self, name: str, content: bytes, *, body: bool) -> None:
        headers = {"X-Repo-Commit": COMMIT, "ETag": f'"{hashlib.sha256(content).hexdigest()}"'}
        if not body:
            return self._send(200, content, headers, body=False)
        span = self.headers.get("Range")
        self.server.requested.append((name, span))
        if span is None:
            return self._send(200, content, headers, body=True)
        start = int(span.removeprefix("bytes=").split("-")[0])
        headers["Content-Range"] = f"bytes {start}-{len(content) - 1}/{len(content)}"
        return self._send(206, content[start:], headers, body=True)

    def _send(self, status: int, content: bytes, headers: dict[str, str], *, body: bool) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if not body:
            return
        cut = self.server.cut_after
        if cut is not None and len(content) > cut:
            self.server.cut_after = None
            self.wfile.write(content[:cut])
            self.wfile.flush()
            self.close_connection = True
            return
        self.wfile.write(content)


@contextmanager
def serving(root: Path, repository: str) -> Iterator[Hub]:
    """A running Hub."""
    hub = Hub(root, repository)
    thread = threading.Thread(target=hub.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield hub
    finally:
        hub.shutdown()
        thread.join()
        hub.server_close()
