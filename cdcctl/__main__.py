"""Entry point of `cdcctl` and of `python -m cdcctl`."""

from __future__ import annotations

import sys


def main() -> None:
    """Run the command line and hand its exit code to the shell."""
    try:
        from cdcctl.app import run

        code = run(sys.argv[1:])
    except KeyboardInterrupt:
        # Ctrl-C before the error boundary stands, while modules are still being imported.
        code = 130
    sys.exit(code)


if __name__ == "__main__":
    main()
