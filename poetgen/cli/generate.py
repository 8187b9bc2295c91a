"""``poetgen generate``: a poem from a trained model."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Protocol

import typer

from poetgen.cli.completion import complete_model
from poetgen.cli.options import Force, Quiet
from poetgen.config import (
    Device,
    OccasionConfig,
    SampleConfig,
    SearchConfig,
    ShowConfig,
    VerseConfig,
)
from poetgen.cores import num_cores, threads_are_set
from poetgen.generation.settings import check_settings, exclude
from poetgen.terminal import json_text, visible
from poetgen.verse.layout import with_breaks

if TYPE_CHECKING:
    from poetgen.generation.decode import Request
    from poetgen.generation.poet import Poet


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
    occasion: OccasionConfig = OccasionConfig(),
    verse: VerseConfig = VerseConfig(),
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
            autocompletion=complete_model,
        ),
    ] = None,
    device: Annotated[
        Device, typer.Option("--device", help="auto and cpu need no torch.")
    ] = "auto",
    stream: Annotated[
        bool,
        typer.Option("--stream", help="Show each character as it is written, of a single draft."),
    ] = False,
    show: ShowConfig = ShowConfig(),
    card: Annotated[
        Path | None,
        typer.Option(
            "--card",
            metavar="FILE.png|svg",
            help="Draw the poem, too; several poems as FILE-1, FILE-2 and so on.",
        ),
    ] = None,
    force: Force = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
    quiet: Quiet = False,
) -> None:
    """Write poems, from a start token to an end token.

    Example:  [bold]poetgen generate --start 日 --temp 0.8 -n 3 --seed 7[/bold]
    Verse:    [bold]poetgen generate --form 七律 --acrostic 春夏秋冬[/bold]
    Occasion: [bold]poetgen generate --title 送友人 --author 王维 --form 五律[/bold]
    """
    if stream and as_json:
        raise exclude("--stream", "--json")
    if start and start_file is not None:
        raise exclude("--start", "--start-file")
    check_settings(sampling, search, num_poems, stream=stream)
    # Many poems are work for more cores than two, which only the threads of numpy share.
    if (num_poems == 1 and search.beam is None) or num_cores() <= 2:
        compute_without_waiting()
    is_plain = card is None and show == ShowConfig()
    if not is_plain:
        from poetgen.cli import showing

        showing.check_showing(show, card, num_poems, stream=stream, as_json=as_json, force=force)
    from poetgen.generation.poet import draw_seed, load_poet
    from poetgen.generation.request import shipped_model

    def note(text: str) -> None:
        if not quiet:
            print(visible(text), file=sys.stderr)

    shipped = shipped_model(verse, occasion)
    poet = load_poet(model, device=device, on_note=note, shipped=shipped)
    if not is_plain:
        showing.ensure_chinese(show, card, poet.model.vocabulary)
    request = poet.request(
        start if start_file is None else start_file, sampling, verse, occasion, search
    )
    drawn = draw_seed() if seed is None else seed
    if not as_json:
        note(f"model {poet.name}, " + (f"beam {search.beam}" if search.beam else f"seed {drawn}"))
    # A search needs no seed: only one that was given is shown.
    known_seed = seed if search.beam else drawn
    scored = show.score or as_json
    drafts = poet.iter_poems(request, num_poems, drawn, search, scored=scored)
    poems: Iterable[Printable] = drafts
    if not is_plain:
        shown = showing.iter_shown(drafts, show)
        if card is not None:
            num_start = len(poet.model.vocabulary.decode(request.prompt))
            cards = showing.Cards(card, num_poems, num_start, poet.name, known_seed)
            shown = showing.with_cards(shown, cards, note)
        poems = shown
    if stream:
        cuts = _print_streams(poet, request, drawn, num_poems)
    elif as_json:
        cuts = _print_json({"model": poet.name, "seed": known_seed}, poems)
    else:
        cuts = _print_poems(poems)
    if len(cuts) < num_poems:
        found = f"{len(cuts)} distinct poem" + "s" * (len(cuts) != 1)
        note(f"Only {found} found; {num_poems} requested.")
    if request.forms is not None and not request.forms.has_kept:
        note("No form that the model knows suits this start, so the poem keeps no rules.")
    if any(cuts) and not as_json:
        which = f": {sum(cuts):,} of {len(cuts):,} poems" if len(cuts) > 1 else ""
        note(f"Cut at --max-chars {sampling.max_chars}, before the end{which}.")


def compute_without_waiting() -> None:
    """Let numpy, if it is not imported yet, compute in one thread, and help it with a second one.

    The threads with which numpy would share the work wait actively for each other: beside other
    programs a poem would take several times as long.
    """
    if "numpy" in sys.modules or threads_are_set():
        return
    os.environ["OPENBLAS_NUM_THREADS"] = "1"
    if num_cores() > 1:
        from poetgen.networks.products import use_second_thread

        use_second_thread()


class Printable(Protocol):
    """What is printed of a poem."""

    @property
    def lines(self) -> list[str]:
        """The lines, without line breaks."""

    @property
    def heading(self) -> str:
        """The title, and the poet as whom it is written; or empty."""

    @property
    def is_cut(self) -> bool:
        """Whether the poem reached its largest length before its end."""

    def as_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""


# Each of the following returns, for every poem that it has printed, whether it is cut.


def _print_poems(poems: Iterable[Printable]) -> list[bool]:
    cuts: list[bool] = []
    for poem in poems:
        lines = [poem.heading, *poem.lines] if poem.heading else poem.lines
        print(("\n" if cuts else "") + visible("\n".join(lines)))
        cuts.append(poem.is_cut)
    return cuts


def _print_streams(poet: Poet, request: Request, seed: int, num_poems: int) -> list[bool]:
    cuts: list[bool] = []
    for number in range(num_poems):
        print("\n" if number else "", end="")
        thought = poet.thought(request, seed, number)
        if heading := poet.heading(thought):
            print(visible(heading), flush=True)
        text = ""
        for piece in poet.stream(thought, seed, number):
            print(visible(with_breaks(text, piece)), end="", flush=True)
            text += piece
        print()
        cuts.append(piece != "")
    return cuts


def _print_json(head: dict[str, Any], poems: Iterable[Printable]) -> list[bool]:
    """Print one object: ``head``, then the poems, each as soon as it is written."""
    opening, _, closing = json_text({**head, "poems": []}).rpartition("[]")
    print(f"{opening}[", end="")
    cuts: list[bool] = []
    try:
        for poem in poems:
            shown = json_text(poem.as_dict()).replace("\n", "\n    ")
            print(f"{',' if cuts else ''}\n    {shown}", end="")
            cuts.append(poem.is_cut)
    finally:
        # Interrupted, too, it is an object: of the poems that were written.
        print(f"\n  ]{closing}")
    return cuts
