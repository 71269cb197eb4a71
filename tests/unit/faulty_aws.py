"""A local address that takes every AWS call, tells who one is, and fails all others in one way."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

ACCOUNT = "123456789012"
IDENTITY = f"""<GetCallerIdentityResponse><GetCallerIdentityResult>
<Arn>arn:aws:iam::{ACCOUNT}:user/ann</Arn><UserId>AIDA</UserId><Account>{ACCOUNT}</Account>
</GetCallerIdentityResult></GetCallerIdentityResponse>"""


@dataclass
class FaultyAws:
    """How it fails: by an error code, or with none by silence of so many seconds."""

    url: str = ""
    code: str = ""
    status: int = 400
    silent_seconds: float = 0.0
    knows_caller: bool = True
    on_call: Callable[[], None] | None = None
    asked: list[str] = field(default_factory=list)

    def fails(self, *, code: str = "", status: int = 400, silent_seconds: float = 0.0) -> None:
        """Choose the fault; without code and silence the connection is dropped."""
        self.code, self.status, self.silent_seconds = code, status, silent_seconds
        self.asked.clear()


class _Handler(BaseHTTPRequestHandler):
    faulty: FaultyAws
    # A client of S3 asks before it sends a body, and waits a second for HTTP/1.1's answer.
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        faulty = self.faulty
        if faulty.on_call is not None:
            faulty.on_call()
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        target = self.headers.get("x-amz-target", "")
        faulty.asked.append(target or body.decode("latin-1")[:60] or self.path)
        if faulty.knows_caller and b"Action=GetCallerIdentity" in body:
            self._answer(200, IDENTITY, "text/xml")
        elif faulty.code:
            self._refuse(is_json="json" in self.headers.get("content-type", "") or bool(target))
        else:
            time.sleep(faulty.silent_seconds)
            self.close_connection = True

    do_GET = do_HEAD = do_PUT = do_DELETE = do_POST

    def _refuse(self, *, is_json: bool) -> None:
        code, message = self.faulty.code, "the fault of the test"
        if is_json or self.path.startswith(("/2015-", "/v1", "/api", "/2016-")):
            document = json.dumps({"__type": code, "message": message})
            self._answer(self.faulty.status, document, "application/x-amz-json-1.1", code)
            return
        if self.command == "HEAD" and code.startswith("Throttling"):
            self._answer(503, "", "text/xml")
            return
        error = f"<Error><Code>{code}</Code><Message>{message}</Message></Error>"
        if self.headers.get("content-type", "").startswith("application/x-www-form"):
            error = f"<ErrorResponse>{error}</ErrorResponse>"
        self._answer(self.faulty.status, error, "text/xml")

    def _answer(self, status: int, text: str, kind: str, code: str = "") -> None:
        self.send_response(status)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(text.encode())))
        if code:
            self.send_header("x-amzn-errortype", code)
        self.end_headers()
        if self.command != "HEAD":
            with suppress(OSError):
                self.wfile.write(text.encode())

    def log_message(self, *_: object) -> None:
        """Keep quiet."""


@contextmanager
def faulty_aws() -> Iterator[FaultyAws]:
    """Serve on a free port."""
    faulty = FaultyAws()
    handler = type("Handler", (_Handler,), {"faulty": faulty})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    faulty.url = f"http://127.0.0.1:{server.server_address[1]}"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield faulty
    finally:
        server.shutdown()
        server.server_close()


def environment(faulty: FaultyAws) -> dict[str, str]:
    """Give the variables that send the tool there."""
    return {
        "AWS_ENDPOINT_URL": faulty.url,
        "AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE",
        "AWS_SECRET_ACCESS_KEY": "canary-of-the-test",
        "AWS_REGION": "eu-central-1",
        "AWS_CONFIG_FILE": "/dev/null",
        "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
        "AWS_EC2_METADATA_DISABLED": "true",
        "CDCCTL_STACK": "demo",
    }
