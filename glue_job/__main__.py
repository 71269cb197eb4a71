"""Glue script and local entry point: arguments to `run()`."""

from __future__ import annotations

import logging
import sys

from glue_job.arguments import parse
from glue_job.errors import JobError


def main() -> int:
    """Run the job; what it cannot go on with is one line on standard error."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    logging.getLogger("py4j").setLevel(logging.ERROR)
    arguments = parse(sys.argv[1:])
    from glue_job.runtime import run

    try:
        return run(arguments)
    except JobError as error:
        sys.stderr.write(f"error[{error.code}]: {error.what}\n")
        if error.why:
            sys.stderr.write(f"  why:  {error.why}\n")
        if error.fix:
            sys.stderr.write(f"  fix:  {error.fix}\n")
        return 3 if error.code.startswith(("CFG", "LAK01")) else 1


if __name__ == "__main__":
    sys.exit(main())
