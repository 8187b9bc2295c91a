"""What a machine can run short of: memory, threads, open files.

Libraries tell it in many ways, and none of them means a damaged file or a fault of ours.
"""

from __future__ import annotations

import ctypes
import errno
import mmap
import re
import sys

from poetgen.errors import MemoryShortageError, ShortageError

# Of linkers, C++, torch, CUDA, oneDNN (whose "primitive descriptor" is another matter), Rust's
# view of Python, and Windows.
_MEMORY = re.compile(
    r"(can't|cannot|unable to|failed to) (allocate|map segment)|out of memory|not enough memory"
    r"|bad_alloc|ALLOC_FAILED|static TLS block|could not create a primitive(?! descriptor)"
    r"|PyObject pointer is null|paging file is too small",
    re.IGNORECASE,
)
_FILES = re.compile("too many open files", re.IGNORECASE)
_THREADS = re.compile("can't start new thread|resource temporarily unavailable", re.IGNORECASE)


def ensure_memory(num_bytes: int) -> None:
    """See to it that so much memory could be had, without taking it.

    For what is about to load a library that ends the process where it gets none.

    Raises:
        ShortageError: the system would not give it.
    """
    try:
        mmap.mmap(-1, num_bytes).close()
    except OSError as error:
        raise shortage_in(error) or error from error


def give_memory_back() -> None:
    """Return to the system what the C library keeps between blocks in use, where it can.

    Batches differ in size, so a training leaves gaps that grow for an hour. glibc has a
    function for that; elsewhere nothing happens.
    """
    if not sys.platform.startswith("linux"):
        return
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)


def shortage_in(error: BaseException) -> ShortageError | None:
    """Return what ``error``, or what caused it, says the machine is short of, if anything."""
    text, number = _words(error), getattr(error, "errno", None)
    if isinstance(error, MemoryError) or number == errno.ENOMEM or _MEMORY.search(text):
        return MemoryShortageError("There is not enough memory.", "Close other programs.")
    if number in (errno.EMFILE, errno.ENFILE) or _FILES.search(text):
        return ShortageError(
            f"The system opens no more files: {error}.",
            "Close other programs, or raise the limit, for example: ulimit -n 1024",
        )
    if isinstance(error, RuntimeError) and _THREADS.search(text):
        return ShortageError(
            "The system starts no more threads.",
            "Close other programs, or raise the limits of processes and of memory (ulimit -u, -v).",
        )
    return None if error.__cause__ is None else shortage_in(error.__cause__)


def _words(error: BaseException) -> str:
    """Return what a library says, but nothing that may come from a name or from a file."""
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    libraries = isinstance(error, (ImportError, OSError, RuntimeError, SystemError))
    # Rust's, which no module exports or which are not always there.
    rust = type(error).__name__ in ("PanicException", "SafetensorError")
    return str(error) if libraries or rust else ""
