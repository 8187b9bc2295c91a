"""The command line."""

import os
import sys


def main() -> None:
    """Run the command line; Ctrl-C is no error, even while Python still looks for its parts."""
    _fill_closed_streams()
    # Read when numpy is loaded. Its threads, too, spin while they have nothing to do, by
    # default for so long that beside a busy process they do little else.
    os.environ.setdefault("OPENBLAS_THREAD_TIMEOUT", "4")
    try:
        from poetgen.cli.app import main as run
    except KeyboardInterrupt:
        sys.exit(130)
    run()


def _fill_closed_streams() -> None:
    """Open the null device in place of what a shell has closed (``2>&-``).

    The next file to be opened would have the number of the closed stream, and whatever
    writes to that number would write into the file. ``sys.stdin`` stays None, so that what
    reads it can say that there is no standard input.
    """
    for name in ("stdin", "stdout", "stderr"):
        if getattr(sys, name) is None:
            number = os.open(os.devnull, os.O_RDWR)
            if name != "stdin":
                setattr(sys, name, open(number, "w", encoding="utf-8", closefd=False))  # noqa: SIM115
