"""``poetgen generate``: a poem from a trained model."""

from __future__ import annotations

import os
import secrets
import sys
from collections.abc import Iterable, Iterator
from dataclasses import fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from poetgen.cli.options import Quiet
from poetgen.config import Device, SampleConfig, SearchConfig, flag_of
from poetgen.errors import SettingError
from poetgen.terminal import json_text, visible

if TYPE_CHECKING:
    from poetgen.generation.poet import Poem, Poet


def generate(
    start: Annotated[
        str, typer.Option("--start", help="How the poem begins; any length, also several lines.")
    ] = "",
    start_file: Annotated[
        Path | None,
        typer.Option("--start-file", help="Read the start from a file, or from - (stdin)."),
    ] = None,
    num_poems: Annotated[int, typer.Option("-n", min=1, help="How many poems.")] = 1,
    sampling: SampleConfig = SampleConfig(),
    search: SearchConfig = SearchConfig(),
    seed: Annotated[
        int | None,
        typer.Option("--seed", min=0, show_default="a random one", help="Same seed, same poems."),
    ] = None,
    model: Annotated[
        str | None,
        typer.Option(
            "--model",
            show_default="the newest in ./models, else the one that ships",
            help="Name or file.",
        ),
    ] = None,
    device: Annotated[
        Device, typer.Option("--device", help="auto and cpu need no torch.")
    ] = "auto",
    stream: Annotated[
        bool, typer.Option("--stream", help="Show each character as it is written.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Give one JSON object.")] = False,
    quiet: Quiet = False,
) -> None:
    """Write poems, from a start token to an end token.

    Example:  [bold]poetgen generate --start 日 --temp 0.8 -n 3 --seed 7[/bold]
    """
    if stream and as_json:
        raise SettingError("--stream and --json exclude each other.", "Leave one of the two out.")
    if start and start_file is not None:
        raise _exclude("--start", "--start-file")
    _refuse_contradictions(sampling, search, num_poems, stream)
    if num_poems == 1 and search.beam is None:
        _take_one_thread()
    from poetgen.generation.poet import load_poet
    from poetgen.places import find_model

    def tell(note: str) -> None:
        if not quiet:
            print(visible(note), file=sys.stderr)

    told, seed = seed, secrets.randbits(32) if seed is None else seed
    path = find_model(model, tell)
    poet = load_poet(path, device)
    prompt, limited = _read_prompt(poet, start, start_file, sampling)
    if not as_json:
        chance = f"seed {seed}" if search.beam is None else f"beam {search.beam}"
        tell(f"model {path.stem}, {chance}")
    if stream:
        poems = _print_streams(poet, prompt, limited, seed, num_poems)
    elif as_json:
        # A search has no use for a seed: it is told only what the user said.
        head = {"model": path.stem, "seed": seed if search.beam is None else told}
        written = _write(poet, prompt, limited, search, seed, num_poems)
        poems = _print_json(head, written, poet)
    else:
        poems = _print_poems(_write(poet, prompt, limited, search, seed, num_poems), poet)
    cuts = [poem.is_cut for poem in poems]
    if len(cuts) < num_poems:
        tell(f"Of {num_poems} different poems only {len(cuts)} can be had.")
    if any(cuts) and not as_json:
        which = f": {sum(cuts):,} of {len(cuts):,} poems" if len(cuts) > 1 else ""
        tell(f"Cut at --max-chars {sampling.max_chars}, before the end{which}.")


def _take_one_thread() -> None:
    """Let numpy, if it is yet to be imported, compute in one thread.

    A single poem is hardly work to share, and threads that share it wait actively for each
    other: beside other programs the poem would take several times as long.
    """
    if "numpy" not in sys.modules and "OMP_NUM_THREADS" not in os.environ:
        os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")


def _exclude(one: str, other: str) -> SettingError:
    return SettingError(f"{one} and {other} exclude each other.", "Leave one of the two out.")


def _refuse_contradictions(
    sampling: SampleConfig, search: SearchConfig, num_poems: int, stream: bool
) -> None:
    """See to it that no setting is given that another one would make void.

    Raises:
        SettingError: one is.
    """
    if search.distinct:
        if stream:
            # Which poems are drawn is known only when all of them are.
            raise _exclude("--distinct", "--stream")
        if sampling.temperature == 0 and num_poems > 1:
            raise SettingError(
                "--temp 0 always writes the same poem, so there are no distinct ones.",
                "Raise --temp, or search for several poems with --beam.",
            )
    if search.beam is None:
        if search.length_penalty != SearchConfig().length_penalty:
            raise SettingError("--length-penalty belongs to --beam.", "Add --beam 8, say.")
        return
    if stream or search.distinct:
        raise _exclude("--beam", "--stream" if stream else "--distinct")
    unused, default = ("temperature", "top_k", "top_p", "min_p"), SampleConfig()
    for declared in fields(SampleConfig):
        value = getattr(sampling, declared.name)
        if declared.name in unused and value != getattr(default, declared.name):
            flag = flag_of(declared.name, declared.metadata["flag"])
            raise SettingError(
                f"--beam searches without chance, and {flag} is for sampling.",
                "Leave one of the two out.",
            )
    if num_poems > search.beam:
        raise SettingError(
            f"--beam {search.beam} keeps {search.beam} poems, and -n asks for {num_poems}.",
            f"Give --beam {num_poems} or more.",
        )


def _read_prompt(
    poet: Poet, start: str, start_file: Path | None, sampling: SampleConfig
) -> tuple[list[int], SampleConfig]:
    """Encode the start; give the sampling settings with the whole length that it allows."""
    if start_file is not None:
        from poetgen.generation.prompt import name_of, read_start

        prompt = poet.prompt(read_start(start_file), name_of(start_file))
        return prompt, replace(sampling, max_chars=sampling.max_chars + len(prompt))
    prompt = poet.prompt(start)
    if len(prompt) >= sampling.max_chars and prompt:
        raise SettingError(
            f"The start has {len(prompt)} characters and --max-chars is {sampling.max_chars}.",
            f"Give --max-chars {len(prompt) + 1} or more, or the start in a --start-file, which "
            "is not counted.",
        )
    return prompt, sampling


def _write(
    poet: Poet,
    prompt: list[int],
    sampling: SampleConfig,
    search: SearchConfig,
    seed: int,
    num_poems: int,
) -> Iterable[Poem]:
    """Write the poems in the way that was asked for."""
    if search.beam is not None:
        return poet.search(prompt, sampling, search)[:num_poems]
    if search.distinct:
        return poet.write_distinct(prompt, sampling, seed, num_poems)
    return poet.iter_poems(prompt, sampling, seed, num_poems)


# Each of the following prints poems while they are written, and yields what it has printed.


def _print_poems(poems: Iterable[Poem], poet: Poet) -> Iterator[Poem]:
    for number, poem in enumerate(poems):
        print(("\n" if number else "") + visible("\n".join(poet.lines(poem.text))))
        yield poem


def _print_streams(
    poet: Poet, prompt: list[int], sampling: SampleConfig, seed: int, num_poems: int
) -> Iterator[Poem]:
    for number in range(num_poems):
        if number:
            print()
        yield _print_stream(poet.stream(prompt, sampling, seed, number), poet)


def _print_stream(growing: Iterable[Poem], poet: Poet) -> Poem:
    """Print a poem while it grows, line breaks put in as soon as they are certain."""
    before = shown = ""
    for poem in growing:
        laid_out = "\n".join(poet.lines(poem.text))
        # If the layout changes midway, what is printed stays and the rest follows as it is.
        is_same = laid_out.startswith(shown)
        piece = laid_out.removeprefix(shown) if is_same else poem.text.removeprefix(before)
        print(visible(piece), end="", flush=True)
        before, shown = poem.text, shown + piece
    print()
    return poem


def _print_json(head: dict[str, Any], poems: Iterable[Poem], poet: Poet) -> Iterator[Poem]:
    """Print one object: ``head``, then the poems."""
    opening, _, closing = json_text({**head, "poems": []}).rpartition("[]")
    print(f"{opening}[", end="")
    separator = ""
    for poem in poems:
        shown = json_text(_as_json(poem, poet)).replace("\n", "\n    ")
        print(f"{separator}\n    {shown}", end="")
        separator = ","
        yield poem
    print(f"\n  ]{closing}")


def _as_json(poem: Poem, poet: Poet) -> dict[str, Any]:
    shown = {"text": poem.text, "lines": poet.lines(poem.text), "cut": poem.is_cut}
    if poem.log_probability is not None:
        shown["log_probability"] = poem.log_probability
    return shown
