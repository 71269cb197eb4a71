"""A small S3 on loopback: objects with ETags, conditional writes, its own clock that tests turn."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class Stored:
    body: bytes
    etag: str
    modified: datetime


@dataclass
class SmallS3:
    """What the server holds; `ahead` is how far its clock was turned."""

    objects: dict[str, Stored] = field(default_factory=dict)
    ahead: timedelta = timedelta(0)
    is_down: bool = False
    writes: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)
    url: str = ""

    @property
    def now(self) -> datetime:
        return (datetime.now(UTC) + self.ahead).replace(microsecond=0)


@contextmanager
def small_s3() -> Iterator[SmallS3]:
    """Serve until the block ends."""
    held = SmallS3()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def answer(self, status: int, body: bytes = b"", **headers: str) -> None:
            self.send_response_only(status)
            self.send_header("Date", format_datetime(held.now, usegmt=True))
            self.send_header("Content-Length", str(len(body)))
            for name, value in headers.items():
                self.send_header(name.replace("_", "-"), value)
            self.end_headers()
            self.wfile.write(body)

        def refuse(self, status: int, code: str) -> None:
            self.answer(status, f"<Error><Code>{code}</Code></Error>".encode())

        def _refusal(self, there: Stored | None) -> tuple[int, str] | None:
            wanted = self.headers.get("If-Match")
            if held.is_down:
                return 503, "SlowDown"
            if self.headers.get("If-None-Match") == "*" and there is not None:
                return 412, "PreconditionFailed"
            if wanted is not None and there is None:
                return 404, "NoSuchKey"
            if wanted is not None and there is not None and wanted != there.etag:
                return 412, "PreconditionFailed"
            return None

        def do_PUT(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            with held.lock:
                refusal = self._refusal(held.objects.get(self.path))
                if refusal is None:
                    held.writes += 1
                    etag = f'"{hashlib.md5(body + str(held.writes).encode()).hexdigest()}"'
                    held.objects[self.path] = Stored(body, etag, held.now)
            if refusal is not None:
                self.refuse(*refusal)
            else:
                self.answer(200, ETag=etag)

        def do_GET(self) -> None:
            there = held.objects.get(self.path)
            if there is None:
                self.refuse(404, "NoSuchKey")
            else:
                modified = format_datetime(there.modified, usegmt=True)
                self.answer(200, there.body, ETag=there.etag, Last_Modified=modified)

        def do_DELETE(self) -> None:
            held.objects.pop(self.path, None)
            self.answer(204)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    held.url = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield held
    finally:
        server.shutdown()
        server.server_close()
