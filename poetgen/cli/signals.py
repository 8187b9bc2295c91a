"""Ctrl-C, SIGTERM and a closed terminal as a wish to stop, for work that must be saved."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType

# A closed terminal or a lost connection sends SIGHUP, where there is one.
_WATCHED = (
    signal.SIGINT,
    signal.SIGTERM,
    *([signal.SIGHUP] if hasattr(signal, "SIGHUP") else []),
)
# What comes of telling somebody who is gone; rich makes the latter of a closed pipe.
GONE = (OSError, SystemExit)
# Its number where it exists; there it would end a program that writes for nobody.
_SIGPIPE = 13


class Stop:
    """Which signal asked to stop, if one did."""

    number: int | None = None

    def wanted(self) -> bool:
        """Return whether somebody asked to stop."""
        return self.number is not None

    def reader_left(self) -> None:
        """Take it as a wish to stop that nobody reads what is told any more."""
        if self.number is None:
            self.number = _SIGPIPE

    @property
    def exit_code(self) -> int:
        """Give 128 + the signal's number, as a shell would."""
        return 128 + (self.number or 0)


@contextmanager
def stop_on_signal(tell: Callable[[str], object]) -> Iterator[Stop]:
    """Note the first SIGINT, SIGTERM or SIGHUP; the second acts as if it had never been watched."""
    stop = Stop()
    before = {number: signal.getsignal(number) for number in _WATCHED}

    def restore() -> None:
        for number, handler in before.items():
            signal.signal(number, handler)

    def note(number: int, frame: FrameType | None) -> None:
        stop.number = number
        restore()
        # Where nobody is left to hear it, the work must be saved all the same.
        with suppress(*GONE):
            tell("Stopping as soon as the work is saved; press Ctrl-C again to leave at once.")

    for number in _WATCHED:
        signal.signal(number, note)
    try:
        yield stop
    finally:
        restore()
