"""The door of the fake: requests are counted, and answered by a fault where a test has set one."""

from __future__ import annotations

import asyncio
import json
import re
import time
import weakref
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any
from xml.sax.saxutils import escape

from hypercorn.asyncio.tcp_server import TCPServer
from ministack.core.responses import get_account_id, set_request_account_id

from tests.fakeaws import settings
from tests.fakeaws.operations import Call, called, protocol_of

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

CONTROL = "/_fake/"
_QUERY_PROTOCOLS = ("query", "ec2")


@dataclass
class Fault:
    """What is done to the calls that match; gone after `times` of them."""

    service: str | None = None
    op: str = ".*"
    account: str = settings.EVERY_ACCOUNT
    code: str | None = None
    message: str | None = None
    http: int = 400
    times: int | None = None
    skip: int = 0
    delay: float = 0.0
    drop: bool = False
    lose: bool = False
    """The call is carried out, and its answer is lost."""

    def takes(self, call: Call, account: str) -> bool:
        """Tell whether the fault is meant for this call; skipped ones are counted off."""
        meant = (
            self.account in (settings.EVERY_ACCOUNT, account)
            and self.service in (None, call.service)
            and re.fullmatch(self.op, call.operation) is not None
        )
        if meant and self.skip > 0:
            self.skip -= 1
            return False
        return meant


@dataclass
class Door:
    """The ASGI application in front of ministack."""

    app: App
    forget_services: Callable[[str], None]
    faults: list[Fault] = field(default_factory=list)
    calls: dict[str, list[dict[str, Any]]] = field(default_factory=dict)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Take a request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
        elif scope["path"].startswith(CONTROL):
            await self._control(scope, receive, send)
        else:
            await self._service(scope, receive, send)

    async def _service(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = {k.decode().lower(): v.decode("latin-1") for k, v in scope["headers"]}
        body = None
        if headers.get("content-type", "").startswith("application/x-www-form-urlencoded"):
            body = await _whole_body(receive)
            receive = _replayed(body, receive)
        call = called(scope["method"], scope["path"], scope["query_string"].decode(), headers, body)
        fault = None if call is None else self._fault_of(call, headers)
        if call is None or fault is None:
            await self.app(scope, receive, send)
            return
        await asyncio.sleep(fault.delay)
        if fault.lose:
            await self.app(scope, receive, _nowhere)
        if fault.drop or fault.lose:
            _drop_connection(scope)
        elif fault.code is None:
            await self.app(scope, receive, send)
        else:
            # A request that is not read to its end costs the client its connection.
            await _whole_body(receive)
            await _refuse(call.service, fault, headers, send)

    def _fault_of(self, call: Call, headers: dict[str, str]) -> Fault | None:
        """Note a call and give the fault that is meant for it."""
        set_request_account_id(call.access_key)
        account = get_account_id()
        self.calls.setdefault(account, []).append(
            {
                "service": call.service,
                "operation": call.operation,
                "at": time.time(),
                "is_cdcctl": "cdcctl" in headers.get("user-agent", ""),
            }
        )
        fault = next((fault for fault in self.faults if fault.takes(call, account)), None)
        if fault is not None and fault.times is not None:
            fault.times -= 1
            if fault.times <= 0:
                self.faults.remove(fault)
        return fault

    async def _control(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer the test itself: `/_fake/<what>` with a JSON object, `account` optional."""
        given = json.loads(await _whole_body(receive) or b"{}")
        account = given.pop("account", settings.EVERY_ACCOUNT)
        status, answer = 200, {}
        try:
            match scope["path"].removeprefix(CONTROL):
                case "fault":
                    self.faults.append(Fault(account=account, **given))
                case "clear":
                    self.faults = [each for each in self.faults if each.account != account]
                case "cfnfail":
                    settings.set_failures(account, given)
                case "speed":
                    settings.change(account, {"speed": given["speed"]})
                case "settings":
                    settings.change(account, given)
                case "calls":
                    answer = {"calls": self.calls.get(account, [])}
                case "reset":
                    self._forget(account)
                case unknown:
                    status, answer = 404, {"error": f"there is no {CONTROL}{unknown}"}
        except (TypeError, ValueError, KeyError) as error:
            status, answer = 400, {"error": str(error)}
        await _answer(send, status, "application/json", json.dumps(answer).encode())

    def _forget(self, account: str) -> None:
        everything = account == settings.EVERY_ACCOUNT
        self.faults = [f for f in self.faults if not everything and f.account != account]
        if everything:
            self.calls.clear()
        self.calls.pop(account, None)
        settings.forget(account)
        self.forget_services(account)


async def _whole_body(receive: Receive) -> bytes:
    body = b""
    while True:
        message = await receive()
        body += message.get("body", b"")
        if not message.get("more_body"):
            return body


async def _nowhere(message: dict[str, Any]) -> None:
    """Take an answer that nobody receives."""


def _replayed(body: bytes, receive: Receive) -> Receive:
    waiting = [{"type": "http.request", "body": body, "more_body": False}]

    async def replay() -> dict[str, Any]:
        return waiting.pop() if waiting else await receive()

    return replay


async def _answer(send: Send, status: int, kind: str, body: bytes, **headers: str) -> None:
    named = {"content-type": kind, **{k.replace("_", "-"): v for k, v in headers.items()}}
    raw = [(name.encode(), value.encode()) for name, value in named.items()]
    await send({"type": "http.response.start", "status": status, "headers": raw})
    await send({"type": "http.response.body", "body": body})


async def _refuse(service: str, fault: Fault, headers: dict[str, str], send: Send) -> None:
    """Answer an error in the service's own protocol."""
    code, message = str(fault.code), fault.message or str(fault.code)
    inner = f"<Code>{escape(code)}</Code><Message>{escape(message)}</Message>"
    more: dict[str, str] = {}
    protocol = "cbor" if "cbor" in headers.get("smithy-protocol", "") else protocol_of(service)
    match protocol:
        case "cbor":
            body, kind = _cbor({"__type": code, "message": message}), "application/cbor"
            more = {"smithy_protocol": "rpc-v2-cbor"}
        case "rest-xml":
            body, kind = f"<Error>{inner}</Error>".encode(), "application/xml"
        case "ec2":
            errors = f"<Response><Errors><Error>{inner}</Error></Errors></Response>"
            body, kind = errors.encode(), "text/xml"
        case "query":
            error = f"<ErrorResponse><Error><Type>Sender</Type>{inner}</Error></ErrorResponse>"
            body, kind = error.encode(), "text/xml"
        case _:
            body = json.dumps({"__type": code, "message": message}).encode()
            kind = "application/x-amz-json-1.1"
            more = {"x_amzn_errortype": code}
    await _answer(send, fault.http, kind, body, **more)


def _cbor(pairs: dict[str, str]) -> bytes:
    """Encode a small map of texts (RFC 8949): the type in three bits, then the length."""

    def text(value: str) -> bytes:
        raw = value.encode()
        return b"\x79" + len(raw).to_bytes(2, "big") + raw

    body = b"".join(text(key) + text(value) for key, value in pairs.items())
    return bytes([0xA0 + len(pairs)]) + body


_writers: weakref.WeakValueDictionary[Any, asyncio.StreamWriter] = weakref.WeakValueDictionary()


def watch_connections() -> None:
    """Remember each connection's writer: ASGI has no way to break a connection off."""
    make = TCPServer.__init__

    def make_and_remember(self: Any, *arguments: Any, **named: Any) -> None:
        make(self, *arguments, **named)
        _writers[self.writer.get_extra_info("peername")] = self.writer

    TCPServer.__init__ = make_and_remember


def _drop_connection(scope: Scope) -> None:
    writer = _writers.get(tuple(scope["client"]))
    if writer is not None:
        writer.transport.abort()
