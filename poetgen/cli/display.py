"""What a user sees on stderr while work goes on: bars on a terminal, plain lines elsewhere."""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Iterator, Sequence
from typing import Any

from rich.console import Console, ConsoleOptions, Group, RenderableType
from rich.live import Live
from rich.progress import (
    BarColumn,
    DownloadColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    TaskID,
    TaskProgressColumn,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)
from rich.segment import Segment
from rich.table import Table
from rich.text import Text

from poetgen.config import TokenKind
from poetgen.corpus.tokens import join_tokens, spaced
from poetgen.terminal import visible
from poetgen.training.events import (
    Event,
    Note,
    Sampled,
    SetBack,
    Started,
    Trained,
    Validated,
)
from poetgen.training.events import Progress as Steps

# Away from a terminal (a log file, a pipe), one line this often is enough.
_PLAIN_LINE_SECONDS = 15.0
# Columns of a terminal that has room for the speed, and for a bar as well.
_WIDE = 80
_VERY_WIDE = 90


class _SafeConsole(Console):
    """A console on which only rich itself can command the terminal, and no text that is shown."""

    def render_str(self, text: str, **options: Any) -> Text:
        """Read a string with its characters made visible, as wide as they will be."""
        return super().render_str(visible(text), **options)

    def render(
        self, renderable: RenderableType, options: ConsoleOptions | None = None
    ) -> Iterator[Segment]:
        """Render anything, with its text made visible, wherever it comes from."""
        for segment in super().render(renderable, options):
            shown = segment.text if segment.control else visible(segment.text)
            yield segment._replace(text=shown)


def make_console(quiet: bool = False) -> Console:
    """Return the console for everything that is not the answer; it honours NO_COLOR."""
    return _plain_console(stderr=True, quiet=quiet, soft_wrap=not sys.stderr.isatty())


def make_answer_console() -> Console:
    """Return the console for the answer itself, on stdout; a pipe is never cut to a width."""
    return _plain_console(width=None if sys.stdout.isatty() else 200)


def _plain_console(**options: Any) -> Console:
    """Return a console that prints text as it is: a name may look like markup or an emoji."""
    return _SafeConsole(markup=False, emoji=False, highlight=False, **options)


def perplexity(loss: float) -> float:
    """Turn nats per token into perplexity; never raises on a wild loss."""
    return math.exp(min(loss, 99.0))


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
        self._live = console.is_terminal and not console.quiet
        self._screen: Live | None = None
        self._begin()

    def __enter__(self) -> TrainingDisplay:
        """Return the display; leaving it stops what is live."""
        return self

    def __exit__(self, *exception: object) -> None:
        """Leave the last picture on the screen."""
        if self._screen is not None:
            self._screen.stop()
            self._screen = None

    def _begin(self) -> None:
        """Start with an empty bar and without samples."""
        self._last_line = -math.inf
        self._sample: Sampled | None = None
        wide, very_wide = self._console.width >= _WIDE, self._console.width >= _VERY_WIDE
        # On a narrow screen the numbers matter more than the bar.
        self._bar = Progress(
            *([BarColumn(bar_width=None)] if very_wide else []),
            TaskProgressColumn(),
            TextColumn("epoch {task.fields[epoch]:.2f}"),
            TextColumn("loss [bold]{task.fields[loss]}[/]"),
            TextColumn("perplexity [bold]{task.fields[perplexity]}[/]"),
            TextColumn("{task.fields[smooth]}"),
            *([TextColumn("{task.fields[rate]:,.0f} tokens/s")] if wide else []),
            TextColumn("left {task.fields[left]}"),
            console=self._console,
            expand=very_wide,
        )
        self._task = self._bar.add_task(
            "", total=1.0, epoch=0.0, loss="…", perplexity="…", smooth="", rate=0.0, left="…"
        )

    def show(self, event: Event) -> None:
        """Show one event."""
        if isinstance(event, Note):
            self._console.print(event.text)
        elif isinstance(event, Started):
            self._show_start(event)
        elif isinstance(event, Steps):
            self._show_steps(event)
        elif isinstance(event, Validated):
            per_hanzi = event.metrics.perplexity_per_hanzi
            self._console.print(
                f"step {event.step:,}: validation perplexity "
                f"{event.metrics.perplexity_per_token:.2f} per token"
                + (f", {per_hanzi:.1f} per hanzi" if per_hanzi is not None else "")
                + (" (best so far, kept)" if event.is_best else "")
            )
        elif isinstance(event, SetBack):
            self._console.print(
                f"The loss was NaN or infinite at step {event.failed_step:,}: back to step "
                f"{event.step:,}, with {event.rate_factor:g} times the rate."
            )
        elif isinstance(event, Sampled):
            self._sample = event
            if not self._live:
                self._console.print(_sample_lines(event))
        elif isinstance(event, Trained):
            self._bar.update(self._task, left="0:00")
            self.__exit__()

    def _show_start(self, event: Started) -> None:
        self._begin()
        if self._live:
            self._screen = Live(
                console=self._console, get_renderable=self._render, refresh_per_second=4
            )
            self._screen.start()
        self._console.print(
            f"Training {event.name} on {event.device} in {event.precision}: "
            f"{event.num_parameters:,} parameters, {event.total_steps:,} steps, "
            f"{event.steps_per_epoch:,} to an epoch."
        )
        if event.remark:
            self._console.print(event.remark)
        if event.resumed_at_step:
            self._console.print(f"Continuing after step {event.resumed_at_step:,}.")

    def _show_steps(self, event: Steps) -> None:
        left = _remaining(event)
        if self._live:
            self._bar.update(
                self._task,
                completed=event.fraction_done,
                epoch=event.epoch,
                loss=f"{event.loss:.3f}",
                perplexity=f"{perplexity(event.loss):.1f}",
                smooth=_smooth(event).rstrip(),
                rate=event.tokens_per_second,
                left=left,
            )
        elif time.monotonic() - self._last_line >= _PLAIN_LINE_SECONDS:
            self._last_line = time.monotonic()
            self._console.print(
                f"step {event.step:,}/{event.total_steps:,}  epoch {event.epoch:.2f}  "
                f"loss {event.loss:.3f}  perplexity {perplexity(event.loss):.1f}  "
                f"{_smooth(event)}{event.tokens_per_second:,.0f} tokens/s  "
                f"threads {event.num_threads}  left {left}"
            )

    def _render(self) -> Group:
        if self._sample is None:
            return Group(self._bar)
        table = Table.grid(padding=(0, 2))
        table.add_row(Text("real", style="dim"), Text(_spell(self._sample.line, self._sample.kind)))
        table.add_row(Text("guess", style="dim"), _marked(self._sample))
        for poem in self._sample.poems:
            table.add_row(Text("·", style="dim"), _one_line(poem))
        return Group(table, self._bar)


def _marked(sample: Sampled) -> Text:
    """Colour the places where the model's first choice is the real token."""
    text = Text()
    shown = spaced(sample.guess, sample.kind)
    for real, guess, part in zip(sample.line, sample.guess, shown, strict=True):
        text.append(part.replace("\n", " "), style="bold green" if real == guess else "dim")
    return text


def _spell(tokens: Sequence[str], kind: TokenKind) -> str:
    return join_tokens(tokens, kind).replace("\n", " ")


def _one_line(poem: str) -> Text:
    return Text(poem.replace("\n", " / "), no_wrap=True, overflow="ellipsis")


def _sample_lines(sample: Sampled) -> Text:
    poems = "\n".join(f"  {_one_line(poem)}" for poem in sample.poems)
    line, guess = (_spell(tokens, sample.kind) for tokens in (sample.line, sample.guess))
    return Text(f"  real   {line}\n  guess  {guess}\n{poems}")


def _smooth(event: Steps) -> str:
    return "" if event.smooth_loss is None else f"smooth loss {event.smooth_loss:.2f}  "


def _remaining(event: Steps) -> str:
    if event.fraction_done <= 0:
        return "…"
    seconds = event.elapsed_seconds * (1 / event.fraction_done - 1)
    return format_seconds(seconds)


def format_seconds(seconds: float) -> str:
    """Write a duration as m:ss or h:mm:ss."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
