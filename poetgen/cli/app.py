"""The ``poetgen`` command: its commands, its exit codes, its two-line errors."""

from __future__ import annotations

import errno
import gc
import os
import sys
from typing import Annotated

import typer

from poetgen import __version__
from poetgen.cli.commands import FLAGS_OFF, Commands
from poetgen.errors import MemoryShortageError, PoetgenError
from poetgen.shortage import ensure_memory, shortage_in
from poetgen.terminal import json_text, visible

# 128 + SIGPIPE, as of a program that writes into a closed pipe.
_BROKEN_PIPE = 141
# Less than any command needs to compute. Without it OpenBLAS, in numpy, ends the process.
_NUMPY_BYTES = 128 * 2**20
_MEMORY_ADVICE = {
    "prepare": "Close other programs, or prepare fewer or smaller files at once.",
    "train": "Close other programs, or lower --batch-tokens (--batch-size for running text) or "
    "--hidden-size.",
    "compare": "Close other programs, or lower --batch-tokens or --hidden-size.",
    "generate": "Lower --beam, -n with --distinct, or --max-chars; or take a smaller --model.",
    "inspect": "Give a shorter --text, or take a smaller model.",
}

app = typer.Typer(
    name="poetgen",
    cls=Commands,
    help="Train, compare and recite small recurrent poets.\n\n"
    "A poem, now:  [bold]poetgen generate --start 日 --temp 0.8[/bold]",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["--help", "-h"], "default_map": FLAGS_OFF},
)


def _show_version(wanted: bool) -> None:
    if wanted:
        print(f"poetgen {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version."),
    ] = False,
) -> None:
    ensure_memory(_NUMPY_BYTES)


def main() -> None:
    """Run the command line and leave with its exit code."""
    for stream in (sys.stdout, sys.stderr):
        # GBK and the C locale lack characters of Tang poems.
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(encoding="utf-8", errors="replace")
    try:
        code = app([_as_utf8(argument) for argument in sys.argv[1:]], standalone_mode=False) or 0
        sys.stdout.flush()
    except BaseException as error:  # a panic of Rust is not an Exception
        command = "".join(sys.argv[1:2])
        code = report(error, command)
        if command == "compare" and "--json" in sys.argv and code != _BROKEN_PIPE:
            # Wrong use; what is wrong later, the command itself reports so.
            print(json_text({"contenders": [], **failure(error, command)}))
    try:
        sys.stdout.flush()
    except OSError:
        # Python would try again at its exit, and show a traceback.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    # Else Python, as it ends, looks for reference cycles everywhere: a tenth of a short command.
    gc.freeze()
    sys.exit(code)


def _as_utf8(argument: str) -> str:
    """Read an argument as UTF-8 where the locale could not.

    In the C locale Python keeps each byte above 127 as a lone surrogate; 日 would be three.
    """
    try:
        argument.encode()
    except UnicodeEncodeError:
        return os.fsencode(argument).decode("utf-8", "surrogateescape")
    return argument


def report(error: BaseException, command: str) -> int:
    """Show an error on stderr in two lines, if it is one, and return the exit code."""
    # rich turns a closed pipe into SystemExit.
    cause = error.__context__ if isinstance(error, SystemExit) else error
    if isinstance(cause, BrokenPipeError):
        return _BROKEN_PIPE
    if isinstance(error, SystemExit):
        raise error
    if isinstance(error, typer.TyperException) and not error.format_message():
        return error.exit_code  # a command without arguments has shown its help
    if os.environ.get("POETGEN_DEBUG", "") not in ("", "0"):
        import traceback

        traceback.print_exception(error)
    problem, advice, code = explain(error, command)
    # One line each, and not endless, whatever names a stranger's file has. Blanks in an advice
    # may be those of a path.
    problem, advice = " ".join(problem.split()), " ".join(advice.splitlines())
    print(f"Error: {visible(problem[:4000])}\n{visible(advice[:4000])}", file=sys.stderr)
    return code


def failure(error: BaseException, command: str) -> dict[str, object]:
    """Return an error as plain values for JSON."""
    problem, advice, code = explain(error, command)
    return {"error": {"problem": problem, "advice": advice}, "exit_code": code}


def explain(error: BaseException, command: str) -> tuple[str, str, int]:
    """Return what is wrong, what to do about it, and the exit code; ``command`` is what ran."""
    if isinstance(error, KeyboardInterrupt | typer.Abort):
        return "Interrupted.", "Nothing half-written is left behind.", 130
    if isinstance(error, typer.TyperException):
        context = getattr(error, "ctx", None)
        path = context.command_path if context is not None else "poetgen"
        return error.format_message(), f"See: {path} --help", error.exit_code
    known = error if isinstance(error, PoetgenError) else shortage_in(error)
    if known is not None:
        memory = isinstance(known, MemoryShortageError)
        advice = _MEMORY_ADVICE.get(command, known.advice) if memory else known.advice
        return known.problem, advice, known.exit_code
    if isinstance(error, OSError) and error.errno == errno.EBADF:
        return "Standard output is closed.", "Leave it open, or give a file: > poem.txt", 1
    if isinstance(error, OSError):
        why = error.strerror or f"not everything was written ({error})"
        where = f" ({error.filename})" if error.filename else ""
        go_on = "run the command again"
        can_resume = command in ("train", "compare")
        go_on += ", with --resume if it had saved a checkpoint." if can_resume else "."
        advice = f"Check the free space and the permissions, then {go_on}"
        return f"The system says: {why}{where}.", advice, 1
    if isinstance(error, ImportError):
        advice = "Install poetgen and what it needs again: pip install --force-reinstall poetgen"
        return f"A package that poetgen needs cannot be imported: {error}.", advice, 1
    advice = "This is a fault in poetgen. Set POETGEN_DEBUG=1 to see where, and please report it."
    return f"{type(error).__name__}: {error}", advice, 1
