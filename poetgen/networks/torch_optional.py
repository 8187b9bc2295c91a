"""torch is an extra: whether it is there, and how to get it."""

from __future__ import annotations

from poetgen.errors import InputError

GET_TORCH = "pip install 'poetgen[train]'"
NO_TORCH = f"torch is not installed, so numpy computes. To get torch: {GET_TORCH}"


def has_torch() -> bool:
    """Return whether torch is installed; it is imported."""
    try:
        import torch  # noqa: F401
    except ModuleNotFoundError as error:
        # Of a torch that is there, something else is missing: that is no choice of the user's.
        if error.name not in (None, "torch"):
            raise
        return False
    return True


def need_torch(what: str, instead: str, error: type[InputError]) -> None:
    """See to it that torch is there for ``what``; ``instead`` is a sentence on doing without.

    Raises:
        InputError: of the class ``error``; torch is not installed.
    """
    if not has_torch():
        raise error(
            f"{what} needs torch, which is not installed.", f"Install it: {GET_TORCH}. {instead}"
        )
