"""The folder of what the tool remembers between two runs."""

from __future__ import annotations

import os
from pathlib import Path


def state_folder() -> Path:
    """Say where it is: CDCCTL_STATE_DIR, else the user's state folder."""
    chosen = os.environ.get("CDCCTL_STATE_DIR")
    if chosen:
        return Path(chosen)
    from platformdirs import user_state_path

    return user_state_path("cdcctl")
