"""Writes files whose names the tool chooses into a folder that somebody else may have prepared."""

from __future__ import annotations

import errno
import os
from pathlib import Path


def write_inside(folder: Path, name: str, text: str, *, mode: str = "w") -> None:
    """Write a file below a folder; a symbolic link on the way raises OSError, as a full disk does.

    A link in a folder that was cloned or unpacked would make the tool write over any file.
    """
    target = folder / name
    target.parent.mkdir(parents=True, exist_ok=True)
    if not target.parent.resolve().is_relative_to(folder.resolve()) or target.is_symlink():
        raise OSError(errno.ELOOP, "a symbolic link leads elsewhere", str(target))
    # Path.open takes no opener.
    with open(target, mode, encoding="utf-8", opener=_without_following) as stream:
        stream.write(text)


def _without_following(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NOFOLLOW, 0o666)
