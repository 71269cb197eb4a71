"""Entry point of `cdcctl` and of `python -m cdcctl`."""

from __future__ import annotations

import sys


def main() -> None:
    """Run the command line and hand its exit code to the shell."""
    from cdcctl.app import run

    sys.exit(run(sys.argv[1:]))


if __name__ == "__main__":
    main()
