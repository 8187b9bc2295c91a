"""The command line."""

import os
import sys


def main() -> None:
    """Run the command line; Ctrl-C shows no traceback, not even during the imports."""
    try:
        fill_closed_streams()
        # Read when numpy is imported: by default its idle threads spin for so long that beside
        # a busy process they do little else.
        os.environ.setdefault("OPENBLAS_THREAD_TIMEOUT", "4")
        from poetgen.cli.app import main as run

        run()
    except KeyboardInterrupt:
        sys.exit(130)


def fill_closed_streams() -> None:
    """Open the null device in place of each stream that the shell has closed (``2>&-``).

    Else the next file to be opened would get the number of that stream, and whatever writes to
    the stream would write into the file. What goes to a closed standard error is discarded; to
    a closed standard output nothing can be written, so that no poem is lost unnoticed.
    """
    for name, mode in (("stdin", os.O_RDONLY), ("stdout", os.O_RDONLY), ("stderr", os.O_WRONLY)):
        if getattr(sys, name) is None:
            number = os.open(os.devnull, mode)
            if name != "stdin":
                setattr(sys, name, open(number, "w", encoding="utf-8", closefd=False))  # noqa: SIM115
