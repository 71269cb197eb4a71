"""Hides secrets in whatever the tool writes: logs, tracebacks, lines of others' logs."""

from __future__ import annotations

import re

MASK = "****"
_PATTERNS = (
    re.compile(
        r"""(?ix)
        (["']?[\w.-]*
        (?:password|passwd|secret|token|jaas|authorization|access_key|signature)
        [\w.-]*["']?\s*[=:]\s*)
        ("[^"]*"|'[^']*'|[^\s,;}]+)
        """
    ),
    re.compile(r"(\w+://[^:/\s]+:)([^@\s]+)(?=@)"),
    re.compile(r"()\b(?:AKIA|ASIA)[A-Z0-9]{16}\b"),
)
"""What stands after the name of a secret, a password in an address, an AWS key id."""


def redacted(text: str) -> str:
    """Put stars in place of what looks like a secret."""
    for pattern in _PATTERNS:
        text = pattern.sub(rf"\g<1>{MASK}", text)
    return text
