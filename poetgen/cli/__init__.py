"""The command line: options to settings, one call into the core, show the result."""

from poetgen.cli.app import main

__all__ = ["main"]
