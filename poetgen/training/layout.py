"""The names, types and shapes of the arrays of a snapshot, checked before it is restored."""

from __future__ import annotations

from collections.abc import Mapping

from poetgen.tensor_file import Arrays

# Type and shape of each array of a snapshot, by its name.
Layout = Mapping[str, tuple[str, tuple[int, ...]]]
# Others of these are allowed: the random state of a device that is not used any more.
RANDOM = "random."


def check_layout(arrays: Arrays, layout: Layout) -> None:
    """Check that ``arrays`` have the layout of a snapshot.

    Raises:
        ValueError: one is missing, unknown, or of another type or shape.
    """
    for name, wanted in layout.items():
        if name not in arrays:
            raise ValueError(f"{name} is missing")
        found = str(arrays[name].dtype), arrays[name].shape
        if found != wanted:
            raise ValueError(f"{name} is {found}, not {wanted}")
    for name in arrays:
        if name not in layout and not name.startswith(RANDOM):
            raise ValueError(f"{name} is unknown")
