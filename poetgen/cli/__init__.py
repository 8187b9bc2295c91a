"""The command line."""

import sys


def main() -> None:
    """Run the command line; Ctrl-C is no error, even while Python still looks for its parts."""
    try:
        from poetgen.cli.app import main as run
    except KeyboardInterrupt:
        sys.exit(130)
    run()
