"""What a user sees on stderr during work: bars on a terminal, plain lines elsewhere."""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from rich.console import Console, ConsoleOptions, Group, JustifyMethod, RenderableType
from rich.live import Live
from rich.progress import (
    BarColumn,
    DownloadColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)
from rich.progress_bar import ProgressBar
from rich.segment import Segment
from rich.table import Table
from rich.text import Text

from poetgen.corpus.tokens import join_tokens, spaced
from poetgen.networks.model import Metrics
from poetgen.terminal import visible
from poetgen.training import events

# Away from a terminal (a log file, a pipe), one line this often is enough.
_PLAIN_LINE_SECONDS = 15.0
# A terminal with fewer columns shows the numbers without a bar.
_MIN_BAR_WIDTH = 100
# No table is wider; in a pipe none is made narrower, either.
_WIDEST = 10_000
_NO_NUMBERS = ("loss …", "perplexity …", "left …")


# The headings of a table, and the sides on which its cells stand.
Columns = Mapping[str, JustifyMethod]


class _SafeConsole(Console):
    """A console on which rich controls the terminal, but no text that is shown."""

    def render_str(self, text: str, **options: Any) -> Text:
        """Read a string, as wide as it will be shown."""
        return super().render_str(visible(text), **options)

    def render(
        self, renderable: RenderableType, options: ConsoleOptions | None = None
    ) -> Iterator[Segment]:
        """Render anything, with every control character of its text made visible."""
        for segment in super().render(renderable, options):
            shown = segment.text if segment.control else visible(segment.text)
            yield segment._replace(text=shown)


def make_console(quiet: bool = False) -> Console:
    """Return the console for everything that is not the answer; it honours NO_COLOR."""
    return _plain_console(stderr=True, quiet=quiet, soft_wrap=not sys.stderr.isatty())


def make_answer_console() -> Console:
    """Return the console for the answer itself, on stdout.

    In a pipe lines are neither wrapped nor padded, and tables have the width that they need.
    """
    if sys.stdout.isatty():
        return _plain_console()
    return _plain_console(width=_WIDEST, soft_wrap=True)


def _plain_console(**options: Any) -> Console:
    """Return a console that prints text as it is: a name may look like markup or an emoji."""
    return _SafeConsole(markup=False, emoji=False, highlight=False, **options)


def print_table(console: Console, columns: Columns, rows: Iterable[Sequence[str]]) -> None:
    """Print a table; its lines end with their text, except on a terminal."""
    table = Table(box=None, pad_edge=False)
    for heading, side in columns.items():
        table.add_column(heading, justify=side, overflow="fold")
    for row in rows:
        table.add_row(*row)
    print_stripped(console, table)


def print_stripped(console: Console, table: Table) -> None:
    """Print a table without the spaces that end its lines, except on a terminal."""
    if console.is_terminal:
        console.print(table)
        return
    with console.capture() as captured:
        console.print(table)
    for line in captured.get().splitlines():
        console.print(line.rstrip())


class PreparingDisplay:
    """Shows how far a preparation is: the bytes of each corpus fetched, then the files read."""

    def __init__(self, console: Console) -> None:
        """Show nothing yet."""

        def bar(*columns: ProgressColumn) -> Progress:
            what = TextColumn("{task.description}", markup=False)
            return Progress(what, BarColumn(), *columns, TimeRemainingColumn(), console=console)

        self._fetching = bar(DownloadColumn(), TransferSpeedColumn())
        self._reading = bar(MofNCompleteColumn())
        self._tasks: dict[str, TaskID] = {}
        self._is_live = console.is_terminal and not console.quiet
        bars = Group(self._fetching, self._reading)
        self._screen = Live(bars, console=console, transient=True)

    def __enter__(self) -> PreparingDisplay:
        """Begin to show."""
        if self._is_live:
            self._screen.start()
        return self

    def __exit__(self, *exception: object) -> None:
        """Remove the bars."""
        if self._is_live:
            self._screen.stop()

    def on_fetch(self, source: str, done: int, total: int) -> None:
        """Show the bytes of a named corpus."""
        self._move(self._fetching, f"Fetching {source}", done, total)

    def on_file(self, done: int, total: int) -> None:
        """Show the files that were read."""
        self._move(self._reading, "Reading", done, total)

    def _move(self, bar: Progress, what: str, done: int, total: int) -> None:
        if what not in self._tasks:
            self._tasks[what] = bar.add_task(what)
        bar.update(self._tasks[what], completed=done, total=total, visible=done < total)


class TrainingDisplay:
    """Shows the events of runs: live on a terminal, one plain line now and then elsewhere."""

    def __init__(self, console: Console) -> None:
        """Show one run after the other on ``console``."""
        self._console = console
        self._is_live = console.is_terminal and not console.quiet
        self._begin()

    def __enter__(self) -> TrainingDisplay:
        """Return the display; leaving it stops what is live."""
        return self

    def __exit__(self, *exception: object) -> None:
        """Leave the last picture on the screen."""
        self.end_run()

    def end_run(self) -> None:
        """Leave the last picture of a run on the screen, also of one that has failed."""
        self._screen.stop()

    def _begin(self) -> None:
        self._last_line = -math.inf
        self._done, self._numbers = 0.0, list(_NO_NUMBERS)
        self._sample: events.Sampled | None = None
        # A Live that is started again would draw over what it left.
        self._screen = Live(
            console=self._console, get_renderable=self._render, refresh_per_second=4
        )

    def show(self, event: events.Event) -> None:
        """Show one event."""
        say = self._console.print
        match event:
            case events.Note():
                say(event.text)
            case events.Started():
                self._begin()
                if self._is_live:
                    self._screen.start()
                say(
                    f"Training {event.name} on {event.device} in {event.precision}: "
                    f"{event.num_parameters:,} parameters, {event.total_steps:,} steps, "
                    f"{event.steps_per_epoch:,} to an epoch."
                )
                if event.remark:
                    say(event.remark)
                if event.resumed_at_step:
                    say(f"Continuing after step {event.resumed_at_step:,}.")
            case events.Progress():
                self._done, self._numbers = event.fraction_done, _numbers(event)
                if not self._is_live and time.monotonic() - self._last_line >= _PLAIN_LINE_SECONDS:
                    self._last_line = time.monotonic()
                    steps, threads = f"{event.step:,}/{event.total_steps:,}", event.num_threads
                    say("  ".join([f"step {steps}", *self._numbers, f"threads {threads}"]))
            case events.Validated(given=given):
                say(
                    f"step {event.step:,}: validation perplexity {_perplexities(event.metrics)}"
                    + (f"; with title and author {_perplexities(given)}" if given else "")
                    + (" (best so far, kept)" if event.is_best else "")
                )
            case events.SetBack():
                say(
                    f"The loss was NaN or infinite at step {event.failed_step:,}: back to step "
                    f"{event.step:,}, with {event.rate_factor:g} times the rate."
                )
            case events.Sampled():
                self._sample = event
                if not self._is_live:
                    say(*_lines_of(event), sep="\n")
            case events.Trained():
                self.end_run()

    def _render(self) -> Group:
        has_bar = self._console.width >= _MIN_BAR_WIDTH
        room = self._console.width - 20 * has_bar
        numbers = Text("  ".join(_fitting([f"{self._done:4.0%}", *self._numbers], room)))
        numbers.highlight_regex(r"(?<=loss )\S+|(?<=perplexity )\S+", "bold")
        progress = Table.grid(padding=(0, 2), expand=has_bar)
        if has_bar:
            progress.add_column(ratio=1)
            progress.add_row(ProgressBar(total=1.0, completed=self._done), numbers)
        else:
            progress.add_row(numbers)
        return Group(*([] if self._sample is None else _lines_of(self._sample)), progress)


def _perplexities(metrics: Metrics) -> str:
    per_hanzi = metrics.perplexity_per_hanzi
    hanzi = "" if per_hanzi is None else f", {per_hanzi:.1f} per hanzi"
    return f"{metrics.perplexity_per_token:.2f} per token{hanzi}"


def _numbers(event: events.Progress) -> list[str]:
    """Return what is shown of the progress, the most important first."""
    left, smooth = "…", event.smooth_loss
    if event.fraction_done > 0:
        left = format_seconds(event.elapsed_seconds * (1 / event.fraction_done - 1))
    return [
        f"loss {event.loss:.3f}",
        f"perplexity {math.exp(min(event.loss, 99.0)):.1f}",
        f"left {left}",
        f"epoch {event.epoch:.2f}",
        *([] if smooth is None else [f"smooth loss {smooth:.2f}"]),
        f"{event.tokens_per_second:,.0f} tokens/s",
    ]


def _fitting(parts: Sequence[str], room: int) -> Sequence[str]:
    """Return as many of the first parts as fit in ``room`` columns, two apart; at least one."""
    count = len(parts)
    while count > 1 and len("  ".join(parts[:count])) > room:
        count -= 1
    return parts[:count]


def _lines_of(sample: events.Sampled) -> list[Text]:
    """Return a real line, the model's first choice at each place of it, and poems of the model."""
    guess = Text.assemble(("  guess  ", "dim"), no_wrap=True)
    for real, token, part in zip(
        sample.line, sample.guess, spaced(sample.guess, sample.kind), strict=True
    ):
        guess.append(part.replace("\n", " "), style="bold green" if real == token else "dim")
    line = join_tokens(sample.line, sample.kind).replace("\n", " ")
    poems = [Text("  " + poem.replace("\n", " / "), no_wrap=True) for poem in sample.poems]
    return [Text.assemble(("  real   ", "dim"), line, no_wrap=True), guess, *poems]


def format_seconds(seconds: float) -> str:
    """Return a duration as m:ss or h:mm:ss."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
