"""``python -m poetgen`` is the same as ``poetgen``."""

from poetgen.cli import main

main()
