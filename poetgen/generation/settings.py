"""Which settings of generation contradict each other."""

from __future__ import annotations

from dataclasses import fields

from poetgen.config import SampleConfig, SearchConfig
from poetgen.errors import SettingError
from poetgen.settings import flag_of

_FOR_SAMPLING = ("temperature", "top_k", "top_p", "min_p")


def check_settings(
    sampling: SampleConfig, search: SearchConfig, num_poems: int, *, stream: bool = False
) -> None:
    """Ensure that no setting is given that another one would make void.

    Raises:
        SettingError: one is, or ``num_poems`` is less than 1.
    """
    if num_poems < 1:
        raise SettingError(f"-n {num_poems} is out of range.", "Give 1 or more.")
    if search.best_of is not None and search.best_of > 1:
        others = {
            "--stream": stream,
            "--beam": search.beam is not None,
            "--distinct": search.distinct,
            "--temp 0": sampling.temperature == 0,
        }
        for flag, is_given in others.items():
            if is_given:
                raise exclude(f"--best-of {search.best_of}", flag)
    if search.distinct and stream:
        # Which poems are drawn is known only when all of them are.
        raise exclude("--distinct", "--stream")
    if search.distinct and sampling.temperature == 0 and num_poems > 1:
        raise SettingError(
            "--temp 0 always writes the same poem, so there are no distinct ones.",
            "Raise --temp, or search for several poems with --beam.",
        )
    if search.beam is None:
        if search.length_penalty != SearchConfig().length_penalty:
            raise SettingError("--length-penalty belongs to --beam.", "Add --beam 8, say.")
        return
    if stream or search.distinct:
        raise exclude("--beam", "--stream" if stream else "--distinct")
    for declared in fields(SampleConfig):
        value = getattr(sampling, declared.name)
        if declared.name in _FOR_SAMPLING and value != declared.default:
            flag = flag_of(declared.name, declared.metadata["flag"])
            raise SettingError(
                f"--beam does not sample, so {flag} has no effect.", "Leave one of the two out."
            )
    if num_poems > search.beam:
        raise SettingError(
            f"--beam {search.beam} keeps {search.beam} poems, and -n asks for {num_poems}.",
            f"Give --beam {num_poems} or more.",
        )


def exclude(one: str, other: str) -> SettingError:
    """Return the error that two flags cannot be given together."""
    return SettingError(f"{one} and {other} exclude each other.", "Leave one of the two out.")
