"""The ``poetgen`` command: its commands, its exit codes, its two-line errors.

No command module imports numpy or torch before its command runs.
"""

from __future__ import annotations

import os
import sys
from typing import Annotated

import typer

from poetgen import __version__
from poetgen.cli.commands import FLAGS_OFF, Commands
from poetgen.errors import MemoryShortageError, PoetgenError
from poetgen.shortage import ensure_memory, shortage_in
from poetgen.terminal import visible

# Dying of a signal is 128 + its number; 13 is a reader that closed the pipe.
_BROKEN_PIPE = 141
# Less than any command needs that computes. OpenBLAS, which comes with numpy, ends a process
# where it gets no memory.
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
    """Run the command line and leave with the exit code of the design."""
    for stream in (sys.stdout, sys.stderr):
        # GBK and the C locale cannot write every character of a Tang poem.
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(encoding="utf-8", errors="replace")
    try:
        code = app([_as_utf8(argument) for argument in sys.argv[1:]], standalone_mode=False) or 0
        sys.stdout.flush()
    except BrokenPipeError:
        code = _reader_left()
    except SystemExit as end:
        if not isinstance(end.__context__, BrokenPipeError):
            raise
        # Typer has seen the closed pipe first, and would call it a failure of the work.
        code = _reader_left()
    except KeyboardInterrupt:
        code = _fail("Interrupted.", "Nothing half-written is left behind.", 130)
    except typer.Abort:
        code = _fail("Interrupted.", "Nothing half-written is left behind.", 130)
    except PoetgenError as error:
        _show_traceback_if_asked()
        code = _fail(error.problem, _advice(error), error.exit_code)
    except typer.TyperException as error:
        if not error.format_message():
            # The help was asked for by giving nothing, and has been shown.
            sys.exit(error.exit_code)
        code = _fail(error.format_message(), _help_for(error), error.exit_code)
    except BaseException as error:  # a panic of Rust's is no Exception
        _show_traceback_if_asked()
        code = _fail(*_explain(error), 1)
    sys.exit(code)


def _reader_left() -> int:
    # Keep Python from complaining when it closes the pipe at its own end.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return _BROKEN_PIPE


def _as_utf8(argument: str) -> str:
    """Read an argument as UTF-8 where the locale could not.

    In the C locale Python keeps each byte above 127 as a lone surrogate; 日 would be three.
    """
    try:
        argument.encode()
    except UnicodeEncodeError:
        return os.fsencode(argument).decode("utf-8", "surrogateescape")
    return argument


def _fail(problem: str, advice: str, code: int) -> int:
    # Each is one line, and none is endless, however a stranger's file names its parts. Blanks
    # in an advice may be those of a path.
    problem, advice = " ".join(problem.split()), " ".join(advice.splitlines())
    print(f"Error: {visible(problem[:4000])}\n{visible(advice[:4000])}", file=sys.stderr)
    return code


def _help_for(error: typer.TyperException) -> str:
    context = getattr(error, "ctx", None)
    command = context.command_path if context is not None else "poetgen"
    return f"See: {command} --help"


def _advice(error: PoetgenError) -> str:
    """Return the advice of an error; about memory, with options of the command that ran."""
    if isinstance(error, MemoryShortageError):
        return _MEMORY_ADVICE.get("".join(sys.argv[1:2]), error.advice)
    return error.advice


def _explain(error: BaseException) -> tuple[str, str]:
    shortage = shortage_in(error)
    if shortage is not None:
        return shortage.problem, _advice(shortage)
    if isinstance(error, OSError):
        where = f" ({error.filename})" if error.filename else ""
        return (
            f"The system says: {error.strerror or f'not everything was written ({error})'}{where}.",
            "Check the free space and the permissions, then "
            + ("go on with --resume." if sys.argv[1:2] == ["train"] else "run the command again."),
        )
    if isinstance(error, ImportError):
        return (
            f"A package that poetgen needs cannot be imported: {error}.",
            "Install poetgen and what it needs again: pip install --force-reinstall poetgen",
        )
    return (
        f"{type(error).__name__}: {error}",
        "This is a fault in poetgen. Set POETGEN_DEBUG=1 to see where, and please report it.",
    )


def _show_traceback_if_asked() -> None:
    if os.environ.get("POETGEN_DEBUG", "") not in ("", "0"):
        import traceback

        traceback.print_exc()
