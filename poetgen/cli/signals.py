"""Ctrl-C, SIGTERM and a closed terminal as a request to stop, for work that must be saved."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import ParamSpec

P = ParamSpec("P")

# Windows has no SIGHUP, which a closed terminal or a lost connection sends.
_WATCHED = [
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)
]
# What printing raises when nobody reads it; rich turns a closed pipe into SystemExit.
GONE = (OSError, SystemExit)
# Its number on POSIX; Windows lacks it.
_SIGPIPE = 13


class Stop:
    """Which signal asked to stop, if one did."""

    number: int | None = None

    def wanted(self) -> bool:
        """Return whether a stop was requested."""
        return self.number is not None

    def reader_left(self) -> None:
        """Request a stop because nobody reads the output any more."""
        if self.number is None:
            self.number = _SIGPIPE

    @property
    def exit_code(self) -> int:
        """Return 128 + the number of the signal, as a shell does."""
        return 128 + (self.number or 0)


def or_stop(show: Callable[P, object], stop: Stop) -> Callable[P, None]:
    """Show what happens; if that fails, as on a terminal that was closed, request a stop."""

    def listen(*arguments: P.args, **options: P.kwargs) -> None:
        try:
            show(*arguments, **options)
        except GONE:
            stop.reader_left()

    return listen


@contextmanager
def stop_on_signal(tell: Callable[[str], object]) -> Iterator[Stop]:
    """Record the first SIGINT, SIGTERM or SIGHUP; a second one has its usual effect."""
    stop = Stop()
    before = {number: signal.getsignal(number) for number in _WATCHED}

    def restore() -> None:
        for number, handler in before.items():
            signal.signal(number, handler)

    def record(number: int, frame: FrameType | None) -> None:
        stop.number = number
        restore()
        with suppress(*GONE):
            tell("Stopping as soon as the work is saved; press Ctrl-C again to leave at once.")

    for number in _WATCHED:
        signal.signal(number, record)
    try:
        yield stop
    finally:
        restore()
