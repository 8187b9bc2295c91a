"""``poetgen generate``: a poem from a trained model."""

from __future__ import annotations

import json
import secrets
import sys
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Annotated, Any

import typer

from poetgen.cli.options import Quiet
from poetgen.config import Device, SampleConfig
from poetgen.errors import SettingError

if TYPE_CHECKING:
    from poetgen.generation.poems import Poet


def generate(
    start: Annotated[
        str, typer.Option("--start", help="How the poem begins; any length, also several lines.")
    ] = "",
    num_poems: Annotated[int, typer.Option("-n", min=1, help="How many poems.")] = 1,
    sampling: SampleConfig = SampleConfig(),
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
    from poetgen.generation.poems import load_poet
    from poetgen.places import find_model

    seed = secrets.randbits(32) if seed is None else seed
    path = find_model(model)
    poet = load_poet(path, device)
    prompt = poet.prompt(start)
    if len(prompt) >= sampling.max_chars and prompt:
        raise SettingError(
            f"The start has {len(prompt)} characters and --max-chars is {sampling.max_chars}.",
            "Shorten the start, or raise --max-chars.",
        )
    if not quiet and not as_json:
        print(f"model {path.stem}, seed {seed}", file=sys.stderr)
    if as_json:
        texts = poet.write(prompt, sampling, seed, num_poems)
        poems = [{"text": text, "lines": poet.lines(text)} for text in texts]
        _print_json({"model": path.stem, "seed": seed, "poems": poems})
    elif stream:
        for number in range(num_poems):
            if number:
                print()
            _print_slowly(_streamed(poet, prompt, sampling, seed, number))
    else:
        for number, text in enumerate(poet.write(prompt, sampling, seed, num_poems)):
            print(("\n" if number else "") + "\n".join(poet.lines(text)))


def _streamed(
    poet: Poet, prompt: list[int], sampling: SampleConfig, seed: int, number: int
) -> Iterator[str]:
    """Yield the poem piece by piece, line breaks put in as soon as they are certain."""
    text, shown = "", ""
    for piece in poet.stream(prompt, sampling, seed, number):
        text += piece
        laid_out = "\n".join(poet.lines(text))
        yield laid_out.removeprefix(shown)
        shown = laid_out


def _print_slowly(pieces: Iterable[str]) -> None:
    for piece in pieces:
        print(piece, end="", flush=True)
    print()


def _print_json(value: dict[str, Any]) -> None:
    print(json.dumps(value, ensure_ascii=False, indent=2))
