"""Lets the Java that comes as a wheel trust the certificates that this machine trusts.

That Java brings a list of its own, which knows no company's proxy; the machine's list is where
Python finds it (`SSL_CERT_FILE`, else the system's). A Java of the machine keeps its own list.
"""

from __future__ import annotations

import hashlib
import ssl
import struct
from collections.abc import Sequence
from pathlib import Path

from cdcctl.local.java import JavaHome

_PASSWORD = "changeit"
"""Java wants one to check that the file is whole; the certificates in it are public."""


def trust_options(java: JavaHome, folder: Path) -> list[str]:
    """Write the machine's certificates below `folder`; give the options that make Java use them."""
    certificates = ssl.create_default_context().get_ca_certs(binary_form=True)
    if not java.is_bundled or not certificates:
        return []
    store = folder / "trusted.jks"
    store.write_bytes(_key_store(certificates))
    return [
        f"-Djavax.net.ssl.trustStore={store}",
        "-Djavax.net.ssl.trustStoreType=JKS",
        f"-Djavax.net.ssl.trustStorePassword={_PASSWORD}",
    ]


def _key_store(certificates: Sequence[bytes]) -> bytes:
    """Spell a key store of version 2, as OpenJDK's `JavaKeyStore` reads it."""
    content = struct.pack(">III", 0xFEEDFEED, 2, len(certificates))
    for number, certificate in enumerate(certificates):
        content += struct.pack(">I", 2) + _utf(f"ca-{number}") + struct.pack(">Q", 0)
        content += _utf("X.509") + struct.pack(">I", len(certificate)) + certificate
    seal = _PASSWORD.encode("utf-16-be") + b"Mighty Aphrodite" + content
    return content + hashlib.sha1(seal, usedforsecurity=False).digest()


def _utf(text: str) -> bytes:
    return struct.pack(">H", len(text)) + text.encode("ascii")
