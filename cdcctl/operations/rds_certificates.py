"""Finds the root that a source's certificate hangs on among those that AWS publishes for RDS."""

from __future__ import annotations

import base64
import binascii
import re
from pathlib import Path

from cdcctl.errors import CdcctlError, ExitCode

_CERTIFICATE = re.compile(
    r"-----BEGIN CERTIFICATE-----\s+([A-Za-z0-9+/=\s]+)-----END CERTIFICATE-----"
)
_ROOT = b"Root CA RSA2048 G1"
"""The name within the certificates of `rds-ca-rsa2048-g1`, which the template gives the source."""


def root_certificate(file: Path) -> str:
    """Give the one root of `rds-ca-rsa2048-g1` in a file of certificates, as PEM."""
    roots = [
        each[0]
        for each in _CERTIFICATE.finditer(file.read_text(encoding="ascii", errors="replace"))
        # A root is its own issuer: its name stands in it twice.
        if _decoded(each[1]).count(_ROOT) == 2
    ]
    if len(roots) != 1:
        raise CdcctlError(
            "USE037",
            f"{file} does not hold the certificates of one region",
            why=f"it has {len(roots)} roots of rds-ca-rsa2048-g1, the authority of the source",
            fix="take https://truststore.pki.rds.amazonaws.com/REGION/REGION-bundle.pem, the region"
            " being that of the stack",
            exit_code=ExitCode.USAGE,
        )
    return f"{roots[0]}\n"


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode("".join(text.split()), validate=True)
    except binascii.Error:
        return b""
