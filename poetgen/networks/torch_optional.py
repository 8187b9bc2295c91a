"""torch is an optional dependency: whether it is installed, and how to install it."""

from __future__ import annotations

from poetgen.errors import InputError

_INSTALL = "pip install 'poetgen[train]'"
NO_TORCH = f"torch is not installed, so numpy computes. To install torch: {_INSTALL}"


def has_torch() -> bool:
    """Return whether torch is installed; this imports it."""
    try:
        import torch  # noqa: F401
    except ModuleNotFoundError as error:
        # torch is installed but something that it needs is missing: a fault, not a choice.
        if error.name not in (None, "torch"):
            raise
        return False
    return True


def need_torch(what: str, instead: str, error: type[InputError]) -> None:
    """Check that torch is installed for ``what``; ``instead`` says how to do without.

    Raises:
        InputError: of the class ``error``; torch is not installed.
    """
    if not has_torch():
        raise error(
            f"{what} needs torch, which is not installed.", f"Install it: {_INSTALL}. {instead}"
        )
