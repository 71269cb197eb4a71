"""Puts TLS before the PostgreSQL of the tests, which is built without it."""

from __future__ import annotations

import socket
import ssl
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

CERTIFICATES = Path(__file__).with_name("certificates")
"""`server.pem` is for localhost and hangs on `root.pem`."""
_SSL_REQUEST = struct.pack("!ii", 8, 80877103)


@contextmanager
def tls_door(host: str, port: int) -> Iterator[int]:
    """Listen on a port of localhost, and hand on what comes through TLS."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(CERTIFICATES / "server.pem", CERTIFICATES / "server.key")
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            while True:
                try:
                    plain, _ = listener.accept()
                except OSError:
                    return
                threading.Thread(target=_let_in, args=(plain, context, (host, port))).start()

        threading.Thread(target=serve, daemon=True).start()
        yield listener.getsockname()[1]


def _let_in(plain: socket.socket, context: ssl.SSLContext, address: tuple[str, int]) -> None:
    with plain:
        while plain.recv(8) != _SSL_REQUEST:
            plain.sendall(b"N")
        plain.sendall(b"S")
        try:
            inside = context.wrap_socket(plain, server_side=True)
        except (ssl.SSLError, OSError):
            # The client does not trust the certificate.
            return
        with inside, socket.create_connection(address) as server:
            inbound = threading.Thread(target=_pump, args=(inside, server))
            inbound.start()
            _pump(server, inside)
            inbound.join(10)


def _pump(source: socket.socket, sink: socket.socket) -> None:
    try:
        while part := source.recv(65536):
            sink.sendall(part)
        sink.shutdown(socket.SHUT_WR)
    except OSError:
        return
