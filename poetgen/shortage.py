"""What a machine can run out of: memory, threads, open files.

Libraries report it in many ways, none of which means a damaged file or a bug of ours.
"""

from __future__ import annotations

import ctypes
import errno
import gc
import mmap
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from poetgen.errors import MemoryShortageError, ShortageError

# Messages of linkers, C++, torch, CUDA, oneDNN (whose "primitive descriptor" is another matter),
# PyO3 (Rust), and Windows.
_MEMORY = re.compile(
    r"(can't|cannot|unable to|failed to) (allocate|map segment)|out of memory|not enough memory"
    r"|bad_alloc|ALLOC_FAILED|static TLS block|could not create a primitive(?! descriptor)"
    r"|PyObject pointer is null|paging file is too small",
    re.IGNORECASE,
)
_FILES = re.compile("too many open files", re.IGNORECASE)
_THREADS = re.compile("can't start new thread|resource temporarily unavailable", re.IGNORECASE)


def ensure_memory(num_bytes: int) -> None:
    """Check that so much memory is available, without taking it.

    For use before a library is loaded that ends the process when it gets none.

    Raises:
        ShortageError: the system refuses it.
    """
    try:
        mmap.mmap(-1, num_bytes).close()
    except OSError as error:
        raise shortage_in(error) or error from error


def give_memory_back() -> None:
    """Return to the system the free memory that the C library holds between blocks in use.

    Batches differ in size, so a training leaves gaps that grow for an hour. Only glibc has a
    function for that; elsewhere nothing happens.
    """
    if sys.platform.startswith("linux"):
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
        if trim is not None:
            trim(0)


@contextmanager
def without_collector() -> Iterator[None]:
    """Let no garbage be looked for in a block that makes many objects, of which most stay.

    The collector would look at all of them again and again, a third of the time that it takes to
    read a large text. What is no longer referenced is freed as ever.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def shortage_in(error: BaseException) -> ShortageError | None:
    """Return what the machine is short of according to ``error`` or its causes, or None."""
    text, number = _message_of(error), getattr(error, "errno", None)
    if isinstance(error, MemoryError) or number == errno.ENOMEM or _MEMORY.search(text):
        return MemoryShortageError("There is not enough memory.", "Close other programs.")
    if number in (errno.EMFILE, errno.ENFILE) or _FILES.search(text):
        return ShortageError(
            f"Too many files are open: {error}.",
            "Close other programs, or raise the limit, for example: ulimit -n 1024",
        )
    if isinstance(error, RuntimeError) and _THREADS.search(text):
        return ShortageError(
            "The system starts no more threads.",
            "Close other programs, or raise the limits of processes and of memory (ulimit -u, -v).",
        )
    return None if error.__cause__ is None else shortage_in(error.__cause__)


def _message_of(error: BaseException) -> str:
    """Return the message of a library, but none that may contain a name or a file's text."""
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    from_library = isinstance(error, ImportError | OSError | RuntimeError | SystemError)
    # Rust's exceptions are known by name: some are not exported, some not installed.
    from_rust = type(error).__name__ in ("PanicException", "SafetensorError")
    return str(error) if from_library or from_rust else ""
