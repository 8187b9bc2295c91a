"""Arrays of one dimension in .npy files, read as strictly as they are written."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

# What numpy.save writes for one dimension (NEP 1). numpy.load accepts much more, such as
# pickles and archives, allocates whatever a header claims, and raises errors of many kinds.
_HEADER = re.compile(
    rb"\x93NUMPY\x01\x00..\{'descr': '([^']*)', 'fortran_order': False, "
    rb"'shape': \((\d{1,18}),\), \} *\n",
    re.DOTALL,
)
_MAX_HEADER_BYTES = 256


def map_array(path: Path, dtypes: Sequence[str]) -> NDArray[Any]:
    """Map an array of one dimension, of one of ``dtypes``, into memory.

    Raises:
        OSError: it cannot be read.
        ValueError: it is not written as ``numpy.save`` writes such an array.
    """
    if not path.is_file() and path.exists():
        raise ValueError(f"{path.name} is not a file")
    with path.open("rb") as stream:
        header = _HEADER.match(stream.read(_MAX_HEADER_BYTES))
    if header is None or (dtype := header[1].decode("latin-1")) not in dtypes:
        raise ValueError(f"{path.name} is not an array of {' or '.join(dtypes)}")
    length = int(header[2])
    if path.stat().st_size != header.end() + length * np.dtype(dtype).itemsize:
        raise ValueError(f"{path.name} has another length than its header says")
    return np.memmap(path, dtype, "r", header.end(), (length,))
